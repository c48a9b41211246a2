"""Whether a claim was filed in time: the windows of every layer, struck by the layer's own exceptions, put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from aftersail.core.policy.compiled import Pack
from aftersail.core.policy.entitlement import Window
from aftersail.core.policy.expressions import Outcome, View, facts_of
from aftersail.core.policy.facts import Facts
from aftersail.core.policy.lines import Line, Rights
from aftersail.core.policy.merging import Pick, Rows, because
from aftersail.core.policy.reasons import Right
from aftersail.core.policy.rights import ExceptionRow, WindowRow
from aftersail.core.policy.windows import End, end_of

_SHOWN: Final = 2
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class _Answer:
    """What one layer says.

    Attributes:
        open: None where nobody can tell.
        verified: whether it may decide alone.
        exact: whether its end is that of one row; else it ends then at the latest.
        struck: the exception that took the right away.
    """

    open: bool | None
    verified: bool
    exact: bool
    line: Line[WindowRow]
    end: End
    why: str
    struck: Line[ExceptionRow] | None = None

    @property
    def reach(self) -> datetime:
        """How far the layer's window reaches, for comparing; one that has not begun or never ends reaches furthest."""
        return self.end.ends_at or _NEVER


def window_of(pack: Pack, rows: Rows, view: View, facts: Facts, at: datetime, right: Right) -> Window | None:
    """Put the windows for a right together; None where no row of the pack speaks of that right at all."""
    rights = pack.rights.for_right(right)
    if not rights.windows:
        return None
    picks = rows.picks("window", rights.windows, shown=pack.rights.windows)
    struck = _Struck(rows, view, facts, rights)
    answers = [_answer(pack, pick, struck, facts, at) for pick in picks]
    if not answers:
        return Window(open=False, why=f"no row that binds here gives a right of {_words(right)}")
    outcome = _together(answers)
    if outcome is None:
        return _unclear(rows, [answer for answer in answers if answer.open is not False or not answer.verified])
    deciding = [answer for answer in answers if answer.open is outcome and answer.verified]
    winner = max(deciding, key=lambda answer: (answer.struck is None, answer.reach))
    _note_losers(rows, winner, answers)
    return _decided(winner, answers, open_=outcome)


def _together(answers: Sequence[_Answer]) -> bool | None:
    if any(answer.open and answer.verified for answer in answers):
        return True
    if any(answer.open is not False for answer in answers) or not any(answer.verified for answer in answers):
        return None
    return False


def _unclear(rows: Rows, doubtful: Sequence[_Answer]) -> Window:
    for answer in doubtful:
        rows.note(answer.line, f"cannot decide: {answer.why}")
    first = doubtful[0]
    return Window(open=None, ground=first.line.ground, why="; ".join(dict.fromkeys(a.why for a in doubtful)))


def _decided(winner: _Answer, answers: Sequence[_Answer], *, open_: bool) -> Window:
    longer = [answer for answer in answers if _may_be_longer(answer, winner)]
    known = winner.exact and not longer and winner.struck is None
    return Window(
        open=open_,
        ends_at=winner.end.ends_at if known else None,
        unlimited=winner.end.unlimited,
        days_left=winner.end.days_left if known else None,
        estimated=winner.end.estimated,
        ground=(winner.struck or winner.line).ground,
        why="; perhaps longer: ".join([winner.why, *(answer.why for answer in longer)][:_SHOWN]),
    )


def _may_be_longer(answer: _Answer, winner: _Answer) -> bool:
    doubtful = answer.open is None or not answer.verified
    return answer is not winner and doubtful and answer.reach > winner.reach


def _note_losers(rows: Rows, winner: _Answer, answers: Sequence[_Answer]) -> None:
    for answer in answers:
        rows.note(answer.line, answer.why)
        if answer is not winner and answer.struck is None:
            rows.note(answer.line, f"{winner.line.name} is better for the buyer" if winner.open else "ends earlier")


def _answer(pack: Pack, pick: Pick[WindowRow], struck: _Struck, facts: Facts, at: datetime) -> _Answer:
    ends = [end_of(line.row, pack.calendar(line.row.calendar), facts, at) for line in pick.candidates]
    outcomes = {end.open for end in ends} | (set() if pick.sure else {False})
    exact = pick.sure and len(ends) == 1
    line, end = pick.line, ends[-1] if pick.sure else ends[0]
    if not exact:
        latest = [end.ends_at for end in ends if end.ends_at is not None]
        end = replace(end, ends_at=max(latest) if len(latest) == len(ends) else None, days_left=None)
    verified = all(candidate.verified for candidate in pick.candidates)
    open_ = end.open if len(outcomes) == 1 else None
    why = end.why if verified else f"{end.why}; row {line.name} is not verified"
    if len(outcomes) > 1:
        why = "; ".join(dict.fromkeys([*pick.doubts, why]))
    answer = _Answer(open_, verified, exact, line, end, why)
    if open_ is False:
        return answer
    by, sure, reason = struck.of(line)
    if by is None:
        return answer
    return replace(answer, open=False if sure else None, why=reason, struck=by if sure else None)


class _Struck:
    """Finds the exception that takes a layer's right away."""

    def __init__(self, rows: Rows, view: View, facts: Facts, rights: Rights) -> None:
        self._rows = rows
        self._view = view
        self._facts = facts
        self._exceptions = rights.exceptions_by_layer

    def of(self, window: Line[WindowRow]) -> tuple[Line[ExceptionRow] | None, bool, str]:
        """Return the exception, whether it surely strikes, and why."""
        doubts: list[tuple[Line[ExceptionRow], str]] = []
        for line in self._exceptions.get(window.origin.layer, ()):
            finding = self._rows.strikes(line, self._view.judge(line.condition))
            if finding.outcome is Outcome.FAILS:
                continue
            lacking = [name for name in line.row.needs if name not in self._facts]
            if finding.outcome is Outcome.UNKNOWN:
                doubts.append((line, f"cannot rule out {line.cited}: {because(finding.clauses)}"))
            elif lacking:
                doubts.append((line, f"{line.cited} needs evidence: fact {' and '.join(lacking)} is missing"))
            elif not line.verified:
                doubts.append((line, f"{line.cited} is not verified"))
            else:
                self._rows.note(line, f"takes the right of {window.name} away")
                return line, True, f"no right of {_words(window.row.right)}: {line.cited}"
        for line, doubt in doubts:
            self._rows.note(line, doubt)
        if len(doubts) > 1:
            return doubts[0][0], False, self._all_of([line for line, _ in doubts])
        return (doubts[0][0], False, doubts[0][1]) if doubts else (None, False, "")

    def _all_of(self, lines: Sequence[Line[ExceptionRow]]) -> str:
        """Say in one breath why none of several exceptions can be ruled out; each row of the trace says its own why."""
        asked = {name for line in lines for name in (*facts_of(line.condition), *line.row.needs)}
        lacking = sorted(name for name in asked if name not in self._facts)
        names = ", ".join(line.row.id for line in lines)
        unknown = f": nobody knows {', '.join(lacking)}" if lacking else ""
        return f"cannot rule out the exceptions {names} of {lines[0].origin.pack_id}{unknown}"


def _words(right: Right) -> str:
    return right.value.replace("_", " ")
