"""From a file to a pack: reads, checks, compiles. The one place of the policy that touches files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from aftersail.core.clocks import Calendar, CalendarError
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
from aftersail.core.policy.document import MAX_BYTES, Document, read_document
from aftersail.core.policy.document import Path as Place
from aftersail.core.policy.engines import Engine, default_engine
from aftersail.core.policy.expressions import ALWAYS, Condition, compile_condition
from aftersail.core.policy.pack import PackFile
from aftersail.core.policy.problems import PackError, Problem
from aftersail.core.policy.syntax import ConditionError
from aftersail.core.policy.validation import problems_of

SUFFIXES: Final = frozenset({".yaml", ".yml"})


@dataclass(frozen=True)
class Draft:
    """A file that is right in itself; its parents are not looked up yet."""

    document: Document
    content: PackFile
    tiers: tuple[Condition, ...]
    rules: tuple[Condition, ...]
    engine: Engine

    @property
    def key(self) -> tuple[str, int]:
        """Id and version."""
        return self.content.id, self.content.version


def read_draft(content: bytes, name: str, *, engine: Engine | None = None) -> Draft:
    """Read one pack file.

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
    problems += _calendar_problems(document, pack)
    if problems:
        raise PackError(problems)
    return Draft(document, pack, tiers, rules, engine)


def build_pack(draft: Draft, parents: Sequence[Pack]) -> Pack:
    """Merge a draft with its parents.

    Raises:
        PackError: something the pack refers to is in neither of them.
    """
    content = merged_content(draft.content, parents)
    problems = cross_check(draft.document, draft.content, content, parents)
    if problems:
        raise PackError(problems)
    own = _compiled(draft)
    inherited = [rule for parent in parents for rule in parent.rules]
    rules = {rule.row.id: rule for rule in reversed([*own.rules, *inherited])}
    order = {row.id: at for at, row in enumerate(content.rules)}
    return Pack(
        content=content,
        engine=draft.engine,
        parents=tuple(name for parent in parents for name in (f"{parent.id}@{parent.version}", *parent.parents)),
        tiers=own.tiers or next((parent.tiers for parent in parents if parent.tiers), ()),
        targets=(*own.targets, *(line for parent in parents for line in parent.targets)),
        rules=tuple(sorted(rules.values(), key=lambda rule: (-rule.row.priority, order[rule.row.id]))),
        hash=content_hash(content),
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


def pack_files(folder: Path) -> Iterable[Path]:
    """List the pack files of a folder by name."""
    try:
        return sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES and path.is_file())
    except OSError as error:
        problem = Problem(file=str(folder), line=1, column=1, message=f"the folder cannot be read: {error.strerror}")
        raise PackError([problem]) from None


def _compiled(draft: Draft) -> Pack:
    """Return the draft's own rows, without those of its parents."""
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
            TargetLine(row, where(("targets", at)), tuple(target_of(row, clock, content.id) for clock in row.clocks))
            for at, row in enumerate(content.targets)
        ),
        rules=tuple(
            Rule(row, condition, where(("rules", at)))
            for at, (row, condition) in enumerate(zip(content.rules, draft.rules, strict=True))
        ),
    )


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
        try:
            Calendar.build(spec)
        except CalendarError as error:
            yield document.problem(("calendars", name), error.wrong, error.fix)
