"""A pack that is ready to decide: merged with its parents, its conditions compiled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from aftersail.core.clocks import Calendar, CalendarSpec, Source, Target
from aftersail.core.contract import Money
from aftersail.core.policy.engines import Engine
from aftersail.core.policy.expressions import Condition
from aftersail.core.policy.lines import Origin, Rights
from aftersail.core.policy.matching import Criteria, criteria_of
from aftersail.core.policy.pack import ClockRow, PackFile, RuleRow, TargetRow, TemplateText
from aftersail.core.policy.rule_index import RuleIndex
from aftersail.core.policy.scope import Wanted


@dataclass(frozen=True)
class Tier:
    """One row of the grading table; `where` is its file and line."""

    name: str
    condition: Condition
    where: str


@dataclass(frozen=True)
class Rule:
    """One rule; `where` is its file and line."""

    row: RuleRow
    condition: Condition
    where: str

    @cached_property
    def id(self) -> str:
        """The row's id."""
        return self.row.id

    @cached_property
    def remedies(self) -> tuple[str, ...]:
        """What the rule gives the buyer."""
        return self.row.remedies


@dataclass(frozen=True)
class TargetLine:
    """One row of targets with its promises; `where` is its file and line."""

    row: TargetRow
    where: str
    targets: tuple[Target, ...]
    origin: Origin

    @cached_property
    def keys(self) -> Mapping[str, Wanted]:
        """What must match for the row to count."""
        return self.row.when.keys()

    @cached_property
    def criteria(self) -> Criteria:
        """The same, ready for matching."""
        return criteria_of(self.keys)


@dataclass(frozen=True)
class Pack:
    """One version of a policy, ready to decide.

    Attributes:
        content: what the file says, its parents merged in.
        hash: SHA-256 of what the pack and its parents say: two packs with the same hash decide alike.
        parents: the packs that were merged in, as `id@version`, nearest first.
        targets: those that ask for most first, in file order among equals.
        rules: highest priority first, in file order among equals.
        rights: the rows about rights, each with the pack it stands in.
    """

    content: PackFile
    engine: Engine = field(repr=False)
    parents: tuple[str, ...] = ()
    tiers: tuple[Tier, ...] = field(default=(), repr=False)
    targets: tuple[TargetLine, ...] = field(default=(), repr=False)
    rules: tuple[Rule, ...] = field(default=(), repr=False)
    rights: Rights = field(default=Rights(), repr=False)
    hash: str = ""
    _built: dict[str, Calendar] = field(default_factory=dict, repr=False, compare=False)
    _with_hours: dict[str, Pack] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def rule_index(self) -> RuleIndex:
        """Finds the rules that may match."""
        return RuleIndex([rule.condition for rule in self.rules])

    @property
    def id(self) -> str:
        """The pack's id, the same over its versions."""
        return self.content.id

    @property
    def version(self) -> int:
        """Counted up by the seller."""
        return self.content.version

    @property
    def title(self) -> str:
        """What a person calls the pack."""
        return self.content.title

    @property
    def effective_from(self) -> datetime:
        """Requests filed from this instant on (UTC) are judged by this version, until the next one begins."""
        return self.content.effective_from

    @property
    def currency(self) -> str:
        """The currency of amounts in conditions."""
        return self.content.currency

    @property
    def calendars(self) -> dict[str, CalendarSpec]:
        """The calendars by id, to be built by the clocks."""
        return calendar_specs(self.content)

    def calendar(self, calendar_id: str | None) -> Calendar | None:
        """Return a calendar ready for use, built once per pack; None for a target that needs none."""
        if calendar_id is None:
            return None
        if calendar_id not in self._built:
            self._built[calendar_id] = Calendar.build(self.calendars[calendar_id])
        return self._built[calendar_id]

    def with_hours_of(self, other: Pack) -> Pack:
        """Return this pack with another version's calendars, where that one has them; built once per version.

        When a desk is open is a fact of the day and no promise: a holiday that is added counts for every clock that
        runs, whichever version judged its request.
        """
        calendars = self.content.calendars | other.content.calendars
        if calendars == self.content.calendars:
            return self
        if other.hash not in self._with_hours:
            content = self.content.model_copy(update={"calendars": calendars})
            self._with_hours[other.hash] = replace(self, content=content, _built={}, _with_hours={})
        return self._with_hours[other.hash]

    @property
    def templates(self) -> Mapping[str, Mapping[str, TemplateText]]:
        """Reply templates by id and language."""
        return self.content.templates

    @property
    def authority(self) -> Mapping[str, Money]:
        """The most each role may pay without asking."""
        return self.content.authority


def target_of(row: TargetRow, clock: ClockRow, pack: PackFile) -> Target:
    """Return one promise of a row as the clocks take it; `pack` is the file the row stands in.

    Raises:
        ValueError: its parts do not fit together.
    """
    return Target(
        metric=clock.metric,
        duration=clock.duration,
        basis=clock.basis,
        calendar=clock.calendar,
        warn_lead=clock.warn,
        warn_basis=clock.warn_basis,
        source=Source(kind=row.source.kind or pack.kind, name=row.source.name or pack.id),
        effect=row.effect,
        row=row.id,
    )


def calendar_specs(content: PackFile) -> dict[str, CalendarSpec]:
    """Return the calendars of a pack as the clocks take them."""
    return {name: CalendarSpec(id=name, **dict(row)) for name, row in content.calendars.items()}


def content_hash(content: PackFile, parents: Sequence[Pack] = ()) -> str:
    """Return the SHA-256 of what a pack and its parents say; comments and order of keys do not count."""
    said: list[object] = [content.model_dump(mode="json"), *(parent.hash for parent in parents)]
    text = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def merged_content(child: PackFile, parents: Sequence[Pack]) -> PackFile:
    """Add the parents' rows to a child's: the child goes first, and what has the same id is the child's.

    Targets are joined and never replaced, since a law's promise stands beside the seller's and the earlier one counts.
    Tiers are one table and not joined: the child's, or else those of the first parent that has any. Rates are into the
    pack's currency, so those of a parent in another one are of no use. Rows about rights are joined in `Rights`.
    """
    contents = [child, *(parent.content for parent in parents)]
    rules: dict[str, RuleRow] = {}
    for content in contents:
        for rule in content.rules:
            rules.setdefault(rule.id, rule)
    behind_first = list(reversed(contents))
    return child.model_copy(
        update={
            "rates": next((c.rates for c in contents if c.rates and c.currency == child.currency), None),
            "high_risk": next((content.high_risk for content in contents if content.high_risk), None),
            "calendars": {name: row for content in behind_first for name, row in content.calendars.items()},
            "tiers": next((content.tiers for content in contents if content.tiers), ()),
            "targets": tuple(dict.fromkeys(row for content in contents for row in content.targets)),
            "rules": tuple(rules.values()),
            "templates": {name: texts for content in behind_first for name, texts in content.templates.items()},
            "authority": {role: limit for content in behind_first for role, limit in content.authority.items()},
            "forbidden_links": tuple(dict.fromkeys(link for content in contents for link in content.forbidden_links)),
            "pause": next((content.pause for content in contents if content.pause), None),
            "reopen": next((content.reopen for content in contents if content.reopen), None),
            "team_move": next((content.team_move for content in contents if content.team_move), None),
        }
    )
