"""Which rows about rights match a ticket, layer by layer, and what became of each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final, Generic, Literal, get_args

from aftersail.core.policy.decision import RowTrace
from aftersail.core.policy.expressions import ClauseResult, Finding, Outcome, both
from aftersail.core.policy.lines import Layer, Line, RowT_co
from aftersail.core.policy.matching import Matcher
from aftersail.core.policy.rights import RightsRow

Section = Literal["window", "exception", "liability", "cost", "refund_due", "route", "remedy"]
_SECTIONS: Final = get_args(Section)
"""As a trace tells them, whichever was asked first."""


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
        doubtful: those of which nobody can tell whether they match, with the reasons.
    """

    candidates: tuple[Line[RowT_co], ...]
    sure: bool
    doubtful: tuple[tuple[Line[RowT_co], Finding], ...] = ()

    @property
    def doubts(self) -> list[str]:
        """Why nobody can tell which row it is."""
        return [
            f"cannot tell whether row {line.name} counts: {because(finding.clauses)}" for line, finding in self.doubtful
        ]

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
    """Judges rows about rights for one ticket and keeps what it saw."""

    def __init__(self, matcher: Matcher) -> None:
        self._seen: list[Seen] = []
        self._matcher = matcher
        self._visited: list[tuple[Section, Sequence[Line[RightsRow]]]] = []
        self._by_line: dict[int, Seen] = {}

    def picks(
        self,
        section: Section,
        lines: Sequence[Line[RowT_co]],
        *,
        more: Callable[[Line[RowT_co]], Finding | None] = lambda _line: None,
        shown: Sequence[Line[RowT_co]] = (),
    ) -> list[Pick[RowT_co]]:
        """Find each layer's answer; layers without a row that may match have none.

        Args:
            section: what the trace calls the rows.
            lines: sorted as `Rights` keeps them.
            more: what else is asked of a row whose pack binds.
            shown: the rows that the trace tells of, where `lines` leaves some out that surely do not match.
        """
        self._visited.append((section, shown or lines))
        found: list[Pick[RowT_co]] = []
        for _, layer in groupby(lines, key=_layer):
            candidates: list[Line[RowT_co]] = []
            doubtful: list[tuple[Line[RowT_co], Finding]] = []
            sure = False
            for line in layer:
                if not self._binds(line):
                    continue
                seen = self._judge(section, line, more(line))
                outcome = seen.finding.outcome
                if outcome is Outcome.FAILS:
                    continue
                if sure:
                    seen.notes.append(f"the more specific row {candidates[-1].row.id} counts")
                    continue
                candidates.append(line)
                sure = outcome is Outcome.HOLDS
                if not sure:
                    doubtful.append((line, seen.finding))
            if candidates:
                found.append(Pick(tuple(candidates), sure, tuple(doubtful)))
        return found

    def strikes(self, line: Line[RowT_co], condition: Finding) -> Finding:
        """Find out whether an exception holds."""
        self._visited.append(("exception", (line,)))
        return self._judge("exception", line, condition).finding

    def _judge(self, section: Section, line: Line[RightsRow], more: Finding | None) -> Seen:
        finding = self._finding(line)
        seen = Seen(section, line, finding if more is None else both(finding, more))
        self._seen.append(seen)
        self._by_line[id(line)] = seen
        return seen

    def _finding(self, line: Line[RightsRow]) -> Finding:
        """Find out whether a row matches: whom its pack binds, and its own keys."""
        return both(self._matcher.all_of(line.origin.criteria), self._matcher.all_of(line.criteria))

    def _binds(self, line: Line[RightsRow]) -> bool:
        return self._matcher.all_of(line.origin.criteria).outcome is not Outcome.FAILS

    @property
    def seen(self) -> list[Seen]:
        """Every row that was judged, section by section."""
        return sorted(self._seen, key=lambda seen: _SECTIONS.index(seen.section))

    def note(self, line: Line[RightsRow], text: str) -> None:
        """Say what became of a row that was judged."""
        self._by_line[id(line)].notes.append(text)

    def traces(self) -> list[RowTrace]:
        """Return what was seen, for the trace; of a pack that does not bind, all rows are one."""
        unbound: dict[str, RowTrace] = {}
        rows: list[RowTrace] = []
        visited = sorted(self._visited, key=lambda visit: _SECTIONS.index(visit[0]))
        for section, line in ((section, line) for section, lines in visited for line in lines):
            origin = line.origin
            if self._binds(line):
                rows.append(self._trace(section, line))
            elif origin.name not in unbound:
                outcome, clauses = self._matcher.all_of(origin.criteria)
                unbound[origin.name] = RowTrace("pack", origin.name, line.where.partition(":")[0], outcome, clauses)
        return [*unbound.values(), *rows]

    def _trace(self, section: Section, line: Line[RightsRow]) -> RowTrace:
        seen = self._by_line.get(id(line)) or Seen(section, line, self._finding(line))
        return RowTrace(
            section=section,
            row=line.row.id,
            where=line.where,
            outcome=seen.finding.outcome,
            clauses=seen.finding.clauses,
            notes=tuple(seen.notes),
            pack=line.origin.name,
            source=line.reading,
        )


def because(clauses: Iterable[ClauseResult]) -> str:
    """Say why nobody can tell, each reason once."""
    return "; ".join(dict.fromkeys(clause.because for clause in clauses if clause.because))


def _layer(line: Line[RightsRow]) -> Layer:
    return line.origin.layer
