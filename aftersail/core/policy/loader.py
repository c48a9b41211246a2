"""From a file to a pack: reads, checks, compiles. The one place of the policy that touches files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from aftersail.core.clocks import lint
from aftersail.core.policy.checks import cross_check
from aftersail.core.policy.compiled import (
    Pack,
    Rule,
    TargetLine,
    Tier,
    calendar_specs,
    content_hash,
    merged_content,
    target_of,
)
from aftersail.core.policy.conflicts import conflict_check
from aftersail.core.policy.document import MAX_BYTES, Document, read_document
from aftersail.core.policy.document import Path as Place
from aftersail.core.policy.engines import Engine, default_engine
from aftersail.core.policy.expressions import ALWAYS, Condition, compile_condition
from aftersail.core.policy.floors import floor_check
from aftersail.core.policy.lines import SECTIONS, Line, Rights, origin_of
from aftersail.core.policy.pack import PackFile
from aftersail.core.policy.problems import PackError, Problem
from aftersail.core.policy.rights import RightsRow
from aftersail.core.policy.rights_checks import rights_check
from aftersail.core.policy.syntax import ConditionError
from aftersail.core.policy.validation import problems_of

SUFFIXES: Final = frozenset({".yaml", ".yml"})
EXAMPLES: Final = ".examples.yaml"
"""How the file with a pack's examples ends, which lies beside it and is no pack."""


@dataclass(frozen=True)
class Draft:
    """A file that is right in itself; its parents are not looked up yet."""

    document: Document
    content: PackFile
    tiers: tuple[Condition, ...]
    rules: tuple[Condition, ...]
    exceptions: tuple[Condition, ...]
    engine: Engine

    @property
    def key(self) -> tuple[str, int]:
        """Id and version."""
        return self.content.id, self.content.version


@lru_cache(maxsize=64)
def read_draft(content: bytes, name: str, *, engine: Engine | None = None) -> Draft:
    """Read one pack file; what was read before in this process is not read again.

    Args:
        content: the file's bytes.
        name: what problems call the file.
        engine: compiles the conditions; None for the one that is installed.

    Raises:
        PackError: everything that is wrong with the file.
    """
    document = read_document(content, name)
    try:
        pack = PackFile.model_validate(document.data)
    except ValidationError as error:
        raise PackError(problems_of(error, document)) from None
    engine = engine or default_engine()
    problems: list[Problem] = []
    tiers = _conditions(document, "tiers", [row.when for row in pack.tiers], engine, problems)
    rules = _conditions(document, "rules", [row.when for row in pack.rules], engine, problems)
    exceptions = _conditions(document, "exceptions", [row.when for row in pack.exceptions], engine, problems)
    problems += _calendar_problems(document, pack)
    if problems:
        raise PackError(problems)
    return Draft(document, pack, tiers, rules, exceptions, engine)


def build_pack(draft: Draft, parents: Sequence[Pack]) -> Pack:
    """Merge a draft with its parents.

    Raises:
        PackError: something the pack refers to is in neither of them.
    """
    content = merged_content(draft.content, parents)
    own_rights = _rights(draft)
    inherited_rights = Rights().joined(*(parent.rights for parent in parents))
    problems = [
        *cross_check(draft.document, draft.content, content, parents, draft.tiers),
        *rights_check(draft.document, draft.content, content, own_rights),
        *floor_check(draft.document, own_rights, inherited_rights),
    ]
    if problems:
        raise PackError(problems)
    own = _compiled(draft)
    inherited = [rule for parent in parents for rule in parent.rules]
    rules = {rule.row.id: rule for rule in reversed([*own.rules, *inherited])}
    conflicts = list(conflict_check(draft.document, tuple(rules.values()), draft.content.rules))
    if conflicts:
        raise PackError(conflicts)
    targets = dict.fromkeys(line for pack in (own, *parents) for line in pack.targets)
    order = {row.id: at for at, row in enumerate(content.rules)}
    return Pack(
        content=content,
        engine=draft.engine,
        parents=tuple(name for parent in parents for name in (f"{parent.id}@{parent.version}", *parent.parents)),
        tiers=own.tiers or next((parent.tiers for parent in parents if parent.tiers), ()),
        targets=tuple(sorted(targets, key=lambda line: -len(line.keys))),
        rules=tuple(sorted(rules.values(), key=lambda rule: (-rule.row.priority, order[rule.row.id]))),
        rights=own_rights.joined(inherited_rights),
        hash=content_hash(content, parents),
    )


def read_file(path: Path) -> bytes:
    """Read a pack file, no more of it than a pack may have.

    Raises:
        PackError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        problem = Problem(file=str(path), line=1, column=1, message=f"the file cannot be read: {error.strerror}")
        raise PackError([problem]) from None


def pack_files(place: Path, *, deep: bool = True) -> Iterable[Path]:
    """List the pack files of a folder by name.

    Args:
        place: a folder, or one pack file.
        deep: look into the folders in it too; what begins with a dot is never looked at.

    Raises:
        PackError: a folder cannot be read.
    """
    try:
        found = [place] if place.is_file() else sorted(_walk(place, deep=deep))
        return [path for path in found if not path.name.endswith(EXAMPLES)]
    except OSError as error:
        problem = Problem(file=str(place), line=1, column=1, message=f"the folder cannot be read: {error.strerror}")
        raise PackError([problem]) from None


def _walk(folder: Path, *, deep: bool) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if deep and not path.is_symlink():  # a link may lead back to where it stands
                yield from _walk(path, deep=deep)
        elif path.suffix in SUFFIXES and path.is_file():
            yield path


def _compiled(draft: Draft) -> Pack:
    """Return the draft's own tiers, targets and rules, without those of its parents."""
    where = _where(draft.document)
    content = draft.content
    return Pack(
        content=content,
        engine=draft.engine,
        tiers=tuple(
            Tier(row.tier, condition, where(("tiers", at)))
            for at, (row, condition) in enumerate(zip(content.tiers, draft.tiers, strict=True))
        ),
        targets=tuple(
            TargetLine(
                row,
                where(("targets", at)),
                tuple(target_of(row, clock, content) for clock in row.clocks),
                origin_of(content),
            )
            for at, row in enumerate(content.targets)
        ),
        rules=tuple(
            Rule(row, condition, where(("rules", at)))
            for at, (row, condition) in enumerate(zip(content.rules, draft.rules, strict=True))
        ),
    )


def _rights(draft: Draft) -> Rights:
    where = _where(draft.document)
    content = draft.content
    origin = origin_of(content)
    found: dict[str, tuple[Line[RightsRow], ...]] = {}
    for section in SECTIONS:
        rows: tuple[RightsRow, ...] = getattr(content, section)
        found[section] = tuple(
            Line(
                row,
                origin,
                where((section, at)),
                content.sources.get(row.source or ""),
                draft.exceptions[at] if section == "exceptions" else ALWAYS,
            )
            for at, row in enumerate(rows)
        )
    return Rights(**found)  # type: ignore[arg-type] # each section has rows of its own kind


def _where(document: Document) -> Callable[[Place], str]:
    name = Path(document.name).name
    return lambda path: f"{name}:{document.places[path].value[0] + 1}"


def _conditions(
    document: Document, section: str, raws: Sequence[object], engine: Engine, problems: list[Problem]
) -> tuple[Condition, ...]:
    compiled: list[Condition] = []
    for at, raw in enumerate(raws):

        def report(path: Place, error: ConditionError, at: int = at) -> None:
            place = (section, at, "when", *path)
            problems.append(document.problem(place, error.message, error.fix, offset=error.column))

        compiled.append(compile_condition(raw, engine, report) if raw is not None else _missing(report))
    return tuple(compiled)


def _missing(report: Callable[[Place, ConditionError], None]) -> Condition:
    report((), ConditionError("the condition is empty", 0, "write `true` for always"))
    return ALWAYS


def _calendar_problems(document: Document, pack: PackFile) -> Iterable[Problem]:
    for name, spec in calendar_specs(pack).items():
        for finding in lint(spec):
            if finding.refused:
                yield document.problem(("calendars", name), finding.wrong, finding.fix)


def calendar_warnings(path: Path, today: date) -> list[Problem]:
    """List what is doubtful about the calendars of a pack file, or of all in a folder, as of a day.

    Files that cannot be read or are wrong in themselves give none: those have problems of their own.
    """
    found: list[Problem] = []
    for file in pack_files(path) if path.is_dir() else [path]:
        try:
            draft = read_draft(read_file(file), str(file))
        except PackError:
            continue
        for name, spec in calendar_specs(draft.content).items():
            place = ("calendars", name)
            found += [draft.document.problem(place, each.wrong, each.fix) for each in lint(spec, today)]
    return found
