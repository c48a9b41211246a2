"""Which rows about rights match a ticket, layer by layer, and what became of each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Generic, Literal

from aftersail.core.policy.decision import RowTrace
from aftersail.core.policy.expressions import ClauseResult, Finding, Outcome
from aftersail.core.policy.lines import Layer, Line, RowT_co
from aftersail.core.policy.matching import Matcher
from aftersail.core.policy.rights import RightsRow

Section = Literal["window", "exception", "liability", "cost", "refund_due", "route", "remedy"]


@dataclass(slots=True)
class Seen:
    """One row as it came out; what became of it is added as it becomes known."""

    section: Section
    line: Line[RightsRow]
    finding: Finding
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Pick(Generic[RowT_co]):
    """The answer of one layer: a pack of a law or a marketplace, or the seller's own.

    Attributes:
        candidates: the rows that may be the most specific one that matches.
        sure: the last of them surely matches; else perhaps none does.
        doubts: why nobody can tell which it is.
    """

    candidates: tuple[Line[RowT_co], ...]
    sure: bool
    doubts: tuple[str, ...] = ()

    @property
    def line(self) -> Line[RowT_co]:
        """The row the layer answers with; where several may, the one that is sure to match, else the first."""
        return self.candidates[-1] if self.sure else self.candidates[0]

    @property
    def decides(self) -> bool:
        """Whether the layer's answer is one row, surely, and somebody verified it."""
        return self.sure and len(self.candidates) == 1 and self.line.verified

    @property
    def doubt(self) -> str:
        """Why the layer cannot decide alone."""
        said = [*self.doubts, *(f"row {line.name} is not verified" for line in self.candidates if not line.verified)]
        return "; ".join(dict.fromkeys(said))


class Rows:
    """Judges rows about rights for one ticket and keeps what it saw.

    Attributes:
        seen: every row that was looked at, in order; those of packs that do not bind are not.
    """

    def __init__(self, matcher: Matcher) -> None:
        self.seen: list[Seen] = []
        self._matcher = matcher
        self._unbound: dict[str, tuple[Line[RightsRow], Finding]] = {}
        self._by_line: dict[int, Seen] = {}

    def picks(
        self,
        section: Section,
        lines: Iterable[Line[RowT_co]],
        more: Callable[[Line[RowT_co]], Finding | None] = lambda _line: None,
    ) -> list[Pick[RowT_co]]:
        """Find each layer's answer; layers without a row that may match have none.

        Args:
            section: what the trace calls the rows.
            lines: sorted as `Rights` keeps them.
            more: what else is asked of a row whose pack binds.
        """
        found: list[Pick[RowT_co]] = []
        for _, layer in groupby(lines, key=_layer):
            candidates: list[Line[RowT_co]] = []
            doubts: list[str] = []
            sure = False
            for line in layer:
                if self._binds(line).outcome is Outcome.FAILS:
                    continue
                seen = self.judge(section, line, more(line))
                outcome = seen.finding.outcome
                if outcome is Outcome.FAILS:
                    continue
                if sure:
                    seen.notes.append(f"the more specific row {candidates[-1].row.id} counts")
                    continue
                candidates.append(line)
                sure = outcome is Outcome.HOLDS
                if not sure:
                    doubts.append(f"cannot tell whether row {line.name} counts: {because(seen.finding.clauses)}")
            if candidates:
                found.append(Pick(tuple(candidates), sure, tuple(doubts)))
        return found

    def judge(self, section: Section, line: Line[RowT_co], more: Finding | None = None) -> Seen:
        """Find out whether a row matches: whom its pack binds, its own keys, and what else is asked of it."""
        bound = self._binds(line)
        if bound.outcome is Outcome.FAILS:
            return Seen(section, line, bound)
        finding = _both(bound, self._matcher.all_of(line.criteria))
        seen = Seen(section, line, finding if more is None else _both(finding, more))
        self.seen.append(seen)
        self._by_line[id(line)] = seen
        return seen

    def _binds(self, line: Line[RightsRow]) -> Finding:
        """Find out whether a row's pack binds at all; where it does not, the trace has one row for the whole pack."""
        bound = self._matcher.all_of(line.origin.criteria)
        if bound.outcome is Outcome.FAILS:
            self._unbound.setdefault(line.origin.name, (line, bound))
        return bound

    def note(self, line: Line[RightsRow], text: str) -> None:
        """Say what became of a row that was judged."""
        self._by_line[id(line)].notes.append(text)

    def traces(self) -> list[RowTrace]:
        """Return what was seen, for the trace."""
        unbound = [
            RowTrace("pack", name, line.where.partition(":")[0], bound.outcome, bound.clauses)
            for name, (line, bound) in self._unbound.items()
        ]
        rows = [
            RowTrace(
                section=seen.section,
                row=seen.line.row.id,
                where=seen.line.where,
                outcome=seen.finding.outcome,
                clauses=seen.finding.clauses,
                notes=tuple(seen.notes),
                pack=seen.line.origin.name,
                source=seen.line.reading,
            )
            for seen in self.seen
        ]
        return [*unbound, *rows]


def because(clauses: Iterable[ClauseResult]) -> str:
    """Say why nobody can tell, each reason once."""
    return "; ".join(dict.fromkeys(clause.because for clause in clauses if clause.because))


def _layer(line: Line[RightsRow]) -> Layer:
    return line.origin.layer


def _both(one: Finding, other: Finding) -> Finding:
    """Return how two findings come out together: the worse one counts, and of equal ones the clauses of both do."""
    if one.outcome is other.outcome:
        if not one.clauses or not other.clauses:
            return one if one.clauses else other
        return Finding(one.outcome, one.clauses + other.clauses)
    return other if one.outcome is Outcome.HOLDS or other.outcome is Outcome.FAILS else one
