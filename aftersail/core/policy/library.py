"""All packs of some folders, each in all its versions: which one is in force when."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from aftersail.core.policy.compiled import Pack, content_hash
from aftersail.core.policy.engines import Engine
from aftersail.core.policy.facts import nearest
from aftersail.core.policy.loader import Draft, build_pack, pack_files, read_draft, read_file
from aftersail.core.policy.problems import PackError, Problem


class PackNotFoundError(LookupError):
    """No pack, or no version of it, is what was asked for."""


class PackLibrary:
    """The packs of some folders.

    Args:
        folders: where the pack files are (`*.yaml`, `*.yml`), in folders of their own or not; a single file is one too.
        engine: compiles the conditions; None for the one that is installed.

    Raises:
        PackError: everything that is wrong with any of the files, or between them.
    """

    def __init__(self, folders: Iterable[Path], *, engine: Engine | None = None) -> None:
        self._drafts: dict[str, dict[int, Draft]] = {}
        self._built: dict[tuple[str, ...], Pack] = {}
        problems: list[Problem] = []
        for folder in folders:
            try:
                for path in pack_files(folder):
                    problems += self._read(path, engine)
            except PackError as error:
                problems += error.problems
        if not problems:
            problems += self._build_all()
        if problems:
            raise PackError(problems)

    def ids(self) -> tuple[str, ...]:
        """List the ids of all packs."""
        return tuple(sorted(self._drafts))

    def versions(self, pack_id: str) -> tuple[int, ...]:
        """List the versions of a pack, oldest first.

        Raises:
            PackNotFoundError: there is no such pack.
        """
        return tuple(draft.content.version for draft in self._history(pack_id))

    def latest(self, pack_id: str) -> Pack:
        """Return the version that begins last, be it in force yet or not.

        Raises:
            PackNotFoundError: there is no such pack.
        """
        draft = self._history(pack_id)[-1]
        return self._pack(draft, draft.content.effective_from, ())

    def in_force(self, pack_id: str, at: datetime) -> Pack:
        """Return the version that judges what was filed at `at`; its first instant is its own.

        Raises:
            PackNotFoundError: there is no such pack, or its first version begins later.
        """
        return self._pack(self._draft_at(pack_id, at), at, ())

    def get(self, pack_id: str, version: int, *, at: datetime | None = None) -> Pack:
        """Return one version, with its parents as they were in force at `at`, or else when it began.

        Raises:
            PackNotFoundError: there is no such pack or version.
        """
        self._history(pack_id)
        draft = self._drafts[pack_id].get(version)
        if draft is None:
            versions = ", ".join(str(known) for known in self.versions(pack_id))
            raise PackNotFoundError(f"pack {pack_id} has no version {version}; it has {versions}")
        return self._pack(draft, max(at or draft.content.effective_from, draft.content.effective_from), ())

    def draft(self, pack_id: str, version: int) -> Draft:
        """Return what the file of one version says, before its parents are merged in.

        Raises:
            PackNotFoundError: there is no such pack or version.
        """
        self.get(pack_id, version)
        return self._drafts[pack_id][version]

    def build(self, draft: Draft) -> Pack:
        """Build a pack that is none of these, such as a seller's draft, upon the packs that are.

        Raises:
            PackError: what it extends is not here, or does not fit.
        """
        at, chain = draft.content.effective_from, (draft.content.id,)
        return build_pack(draft, [self._parent(draft, number, at, chain) for number in range(_parents(draft))])

    def replace(self, other: PackLibrary) -> None:
        """Become another library in place, so that whoever holds this one goes on with the packs of that one."""
        vars(self).update(vars(other))

    def _read(self, path: Path, engine: Engine | None) -> Iterable[Problem]:
        try:
            draft = read_draft(read_file(path), str(path), engine=engine)
        except PackError as error:
            return error.problems
        pack_id, version = draft.key
        other = self._drafts.setdefault(pack_id, {}).setdefault(version, draft)
        if content_hash(other.content) != content_hash(draft.content):
            message = f"{pack_id} version {version} says something else in {other.document.name}"
            fix = f"count up: version: {max(self._drafts[pack_id]) + 1}"
            return [draft.document.problem(("version",), message, fix)]
        return []

    def _build_all(self) -> list[Problem]:
        """Build every combination of versions that can ever be in force, so that nothing can fail later."""
        drafts = [draft for versions in self._drafts.values() for draft in versions.values()]
        instants = sorted({draft.content.effective_from for draft in drafts})
        problems: dict[Problem, None] = {}
        for draft in drafts:
            begin = draft.content.effective_from
            for instant in (instant for instant in instants if instant >= begin):
                try:
                    self._pack(draft, instant, ())
                except PackError as error:
                    problems.update(dict.fromkeys(error.problems))
        return list(problems)

    def _history(self, pack_id: str) -> list[Draft]:
        if pack_id not in self._drafts:
            guess = nearest(pack_id, self._drafts)
            hint = f"did you mean {guess}?" if guess else f"there are {', '.join(self.ids()) or 'none'}"
            raise PackNotFoundError(f"no pack is called {pack_id}; {hint}")
        drafts = self._drafts[pack_id].values()
        return sorted(drafts, key=lambda draft: (draft.content.effective_from, draft.content.version))

    def _draft_at(self, pack_id: str, at: datetime) -> Draft:
        history = self._history(pack_id)
        begun = [draft for draft in history if draft.content.effective_from <= at]
        if not begun:
            first = history[0].content
            begin = first.effective_from.isoformat()
            raise PackNotFoundError(f"pack {pack_id} begins at {begin}, with version {first.version}")
        return begun[-1]

    def _pack(self, draft: Draft, at: datetime, chain: tuple[str, ...]) -> Pack:
        parents = [self._parent(draft, number, at, (*chain, draft.content.id)) for number in range(_parents(draft))]
        names = [f"{pack.id}@{pack.version}#{pack.hash}" for pack in parents]
        key = (draft.content.id, str(draft.content.version), *names)
        if key not in self._built:
            self._built[key] = build_pack(draft, parents)
        return self._built[key]

    def _parent(self, draft: Draft, number: int, at: datetime, chain: tuple[str, ...]) -> Pack:
        reference = draft.content.extends[number]
        pack_id, _, version = reference.partition("@")
        path = ("extends", number)
        if pack_id in chain:
            ring = " extends ".join((*chain[chain.index(pack_id) :], pack_id))
            problem = draft.document.problem(path, f"the pack extends itself: {ring}", "take one of them away")
            raise PackError([problem])
        try:
            if not version:
                parent = self._draft_at(pack_id, at)
            elif version.isdecimal() and int(version) in self._drafts.get(pack_id, {}):
                parent = self._drafts[pack_id][int(version)]
            else:
                known = ", ".join(str(number) for number in self.versions(pack_id))
                raise PackNotFoundError(f"pack {pack_id} has no version {version}; it has {known}")
        except PackNotFoundError as error:
            message, _, fix = str(error).partition("; ")
            raise PackError([draft.document.problem(path, message, fix)]) from None
        return self._pack(parent, at, chain)


def _parents(draft: Draft) -> int:
    return len(draft.content.extends)


def check(path: Path, *, among: Iterable[Path] = (), engine: Engine | None = None) -> list[Problem]:
    """Find everything that is wrong with a pack file, or with all packs of a folder.

    A file is checked together with the packs beside it, since it may extend them; only its own problems are told.

    Args:
        path: a pack file or a folder of them.
        among: folders of more packs that may be extended, such as the shipped ones.
        engine: compiles the conditions; None for the one that is installed.
    """
    if path.is_dir():
        return _library_problems([path, *among], engine)
    try:
        draft = read_draft(read_file(path), str(path), engine=engine)
        places = [path, *pack_files(path.parent, deep=False), *among]
    except PackError as error:
        return list(error.problems)
    found = [problem for problem in _library_problems(places, engine) if problem.file == str(path)]
    return found or _unbuilt(draft, places, engine)


def _unbuilt(draft: Draft, places: list[Path], engine: Engine | None) -> list[Problem]:
    """Check a file that is right itself, while its neighbours may be broken."""
    if draft.content.extends:
        broken = _library_problems(places, engine)
        return [draft.document.problem(("extends",), "a pack beside it is broken", str(broken[0]))] if broken else []
    try:
        build_pack(draft, ())
    except PackError as error:
        return list(error.problems)
    return []


def _library_problems(places: list[Path], engine: Engine | None) -> list[Problem]:
    try:
        PackLibrary(places, engine=engine)
    except PackError as error:
        return list(error.problems)
    return []
