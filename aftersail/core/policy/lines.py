"""Rows about rights as decisions use them: each knows its pack, its file and line, and where it was read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from functools import cached_property
from typing import Final, Generic, TypeAlias, TypeVar

from aftersail.core.clocks import Source, SourceKind
from aftersail.core.policy.entitlement import Ground
from aftersail.core.policy.expressions import ALWAYS, Condition
from aftersail.core.policy.matching import Criteria, criteria_of
from aftersail.core.policy.pack import PackFile
from aftersail.core.policy.reasons import Right
from aftersail.core.policy.rights import (
    AppliesRow,
    Component,
    CostRow,
    ExceptionRow,
    LiabilityRow,
    RefundDueRow,
    RemedyRow,
    RightsRow,
    RouteRow,
    SourceEntry,
    WindowRow,
)
from aftersail.core.policy.scope import TargetWhen, Wanted

SECTIONS: Final = ("windows", "exceptions", "liability", "costs", "refund_due", "routes", "remedies")
"""The keys of a pack that hold rows about rights."""

STALE_AFTER_YEARS: Final = 1
"""A row that nobody has looked up for longer warns."""

Layer: TypeAlias = tuple[SourceKind, str]
"""A kind of source, and the pack; no pack for the seller's own."""

RowT_co = TypeVar("RowT_co", bound=RightsRow, covariant=True)


@dataclass(frozen=True)
class Origin:
    """The pack a row stands in."""

    pack_id: str
    version: int
    kind: SourceKind
    applies: AppliesRow

    @cached_property
    def name(self) -> str:
        """The pack as traces name it: `law-eu@1`."""
        return f"{self.pack_id}@{self.version}"

    @cached_property
    def keys(self) -> Mapping[str, Wanted]:
        """What must match for the pack to bind."""
        bound = {
            "country": self.applies.countries,
            "region": self.applies.regions,
            "connector": self.applies.connectors,
        }
        return {key: words for key, words in bound.items() if words is not None}

    @cached_property
    def criteria(self) -> Criteria:
        """The same, ready for matching."""
        return criteria_of(self.keys)

    @cached_property
    def layer(self) -> Layer:
        """Rows of one layer are one table, of which the most specific row counts; the seller's packs are one layer."""
        return self.kind, "" if self.kind is SourceKind.OWN else self.pack_id

    @cached_property
    def source(self) -> Source:
        """Who demands it, as clocks name it."""
        return Source(kind=self.kind, name=self.pack_id)


def origin_of(content: PackFile) -> Origin:
    """Return what the rows of a file have in common."""
    return Origin(content.id, content.version, content.kind, content.applies)


@dataclass(frozen=True)
class Line(Generic[RowT_co]):
    """One row; `where` is its file and line, `condition` what an exception asks."""

    row: RowT_co
    origin: Origin
    where: str
    entry: SourceEntry | None = None
    condition: Condition = ALWAYS

    @cached_property
    def keys(self) -> Mapping[str, Wanted]:
        """What the row asks for: its right, and the keys of its `when`."""
        when, right = getattr(self.row, "when", None), getattr(self.row, "right", None)
        asked: dict[str, Wanted] = {"right": (str(right),)} if right is not None else {}
        return {**asked, **(when.keys() if isinstance(when, TargetWhen) else {})}

    @cached_property
    def criteria(self) -> Criteria:
        """The same, ready for matching."""
        return criteria_of(self.keys)

    @cached_property
    def ground(self) -> Ground:
        """The row as an answer names it that rests on it."""
        return Ground(row=self.row.id, source=self.origin.source, page=self.entry.page if self.entry else "")

    @cached_property
    def specificity(self) -> int:
        """How much the row asks for; inside a pack the most specific one that matches counts."""
        return len(self.keys) + (isinstance(self.row, CostRow) and self.row.liable is not None)

    @property
    def verified(self) -> bool:
        """Whether it may decide alone: the seller's own word always may."""
        return self.entry is None or self.entry.verified

    def stale(self, at: date) -> bool:
        """Tell whether nobody has looked it up for more than a year."""
        return self.entry is not None and (at.year - self.entry.checked_on.year, at.month, at.day) > (
            STALE_AFTER_YEARS,
            self.entry.checked_on.month,
            self.entry.checked_on.day,
        )

    @property
    def name(self) -> str:
        """The row as people look it up: `withdrawal of law-eu`."""
        return f"{self.row.id} of {self.origin.pack_id}"

    @property
    def cited(self) -> str:
        """The row with the paragraph it was read in: `withdrawal of law-eu, Directive 2011/83/EU, Art 9`."""
        return f"{self.name}, {self.entry.page}" if self.entry else self.name

    @property
    def reading(self) -> str:
        """Where it was read, when, and whether somebody verified it; empty for the seller's own word."""
        if self.entry is None:
            return ""
        doubt = "" if self.entry.verified else ", not verified"
        link = f" <{self.entry.url}>" if self.entry.url else ""
        return f"{self.entry.page}{link}, checked {self.entry.checked_on}{doubt}"


@dataclass(frozen=True)
class Rights:
    """All rows about rights of a pack and its parents: law first, layer by layer, the most specific first in each."""

    windows: tuple[Line[WindowRow], ...] = ()
    exceptions: tuple[Line[ExceptionRow], ...] = ()
    liability: tuple[Line[LiabilityRow], ...] = ()
    costs: tuple[Line[CostRow], ...] = ()
    refund_due: tuple[Line[RefundDueRow], ...] = ()
    routes: tuple[Line[RouteRow], ...] = ()
    remedies: tuple[Line[RemedyRow], ...] = ()

    def joined(self, *others: Rights) -> Rights:
        """Add the rows of parents; of rows with one id in one layer the first counts, and none is there twice."""
        found: dict[str, tuple[Line[RightsRow], ...]] = {}
        for section in fields(self):
            lines: dict[tuple[object, str], Line[RightsRow]] = {}
            for rights in (self, *others):
                for line in getattr(rights, section.name):
                    lines.setdefault((line.origin.layer, line.row.id), line)
            found[section.name] = tuple(sorted(lines.values(), key=_rank))
        return Rights(**found)  # type: ignore[arg-type] # each section keeps the rows it had

    def for_right(self, right: Right) -> Rights:
        """Return these rows without those that speak of another right."""
        return self._by_right[right]

    @cached_property
    def _by_right(self) -> Mapping[Right, Rights]:
        def speaking(section: str, right: Right) -> tuple[Line[RightsRow], ...]:
            return tuple(line for line in getattr(self, section) if getattr(line.row, "right", right) is right)

        sections = [section.name for section in fields(self)]
        return {right: Rights(**{name: speaking(name, right) for name in sections}) for right in Right}  # type: ignore[arg-type] # as in `joined`

    def __bool__(self) -> bool:
        return self._any

    @cached_property
    def _any(self) -> bool:
        return any(getattr(self, section.name) for section in fields(self))

    @cached_property
    def costs_by_component(self) -> Mapping[Component, tuple[Line[CostRow], ...]]:
        """The rows about costs by their component, in the order of components."""
        found = {
            component: tuple(line for line in self.costs if line.row.component is component) for component in Component
        }
        return {component: lines for component, lines in found.items() if lines}

    @cached_property
    def exceptions_by_layer(self) -> Mapping[Layer, tuple[Line[ExceptionRow], ...]]:
        """The exceptions by the layer whose rights they take away."""
        found: dict[Layer, list[Line[ExceptionRow]]] = defaultdict(list)
        for line in self.exceptions:
            found[line.origin.layer].append(line)
        return {layer: tuple(lines) for layer, lines in found.items()}


_KINDS: Final = (SourceKind.LAW, SourceKind.MARKETPLACE, SourceKind.OWN)


def _rank(line: Line[RightsRow]) -> tuple[int, str, int]:
    kind, pack_id = line.origin.layer
    return _KINDS.index(kind), pack_id, -line.specificity
