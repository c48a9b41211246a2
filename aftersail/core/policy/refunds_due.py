"""By when money must be back: one promise per layer, the earliest counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aftersail.core.clocks import CalendarError, Metric, Target, is_held
from aftersail.core.clocks import start as start_clock
from aftersail.core.policy.compiled import Pack
from aftersail.core.policy.entitlement import RefundDue, Window
from aftersail.core.policy.facts import Facts, show
from aftersail.core.policy.lines import Line
from aftersail.core.policy.merging import Rows
from aftersail.core.policy.reasons import Right
from aftersail.core.policy.rights import DueStart, Hold, RefundDueRow

_FACTS_OF: Final = {
    DueStart.NOTICE: ("claim.filed_at",),
    DueStart.AGREED: ("claim.agreed_at",),
    DueStart.ELIGIBLE: ("claim.eligible_at",),
    DueStart.GOODS_OR_PROOF: ("claim.goods_back_at", "claim.return_proof_at"),
    DueStart.GOODS_BACK: ("claim.goods_back_at",),
}
_RELEASED_BY: Final = {
    Hold.NONE: (),
    Hold.GOODS: ("claim.goods_back_at",),
    Hold.GOODS_OR_PROOF: ("claim.goods_back_at", "claim.return_proof_at"),
}
_HELD: Final = {Hold.NONE: None, Hold.GOODS: "the goods", Hold.GOODS_OR_PROOF: "the goods or the proof of their return"}


@dataclass(frozen=True)
class _Promise:
    line: Line[RefundDueRow]
    due: RefundDue


def due_of(
    pack: Pack, rows: Rows, facts: Facts, window: Window | None, right: Right
) -> tuple[RefundDue | None, tuple[Target, ...]]:
    """Find the earliest refund that is promised, and every promise whose time runs, as a target.

    A row that nobody verified, or of which nobody can tell whether it matches, promises nothing by itself. Where the
    claim came too late, or there is no such right, a notice alone makes nothing due; an agreement or goods that were
    taken back do.
    """
    refused = window is not None and window.open is False
    promises: list[_Promise] = []
    targets: list[Target] = []
    lines = pack.rights.for_right(right).refund_due
    for pick in rows.picks("refund_due", lines, shown=pack.rights.refund_due):
        if not pick.decides:
            rows.note(pick.line, f"cannot decide: {pick.doubt}")
            continue
        if refused and pick.line.row.start is DueStart.NOTICE:
            rows.note(pick.line, "a notice makes nothing due here: the window is closed")
            continue
        target = target_of(pick.line, facts)
        due = _due(pack, pick.line, target)
        promises.append(_Promise(pick.line, due))
        if target.start_at is not None:
            targets.append(target)
    if not promises:
        return None, ()
    earliest = min(promises, key=lambda promise: (promise.due.due_at is None, promise.due.due_at))
    for promise in promises:
        rows.note(promise.line, promise.due.why)
        if promise is not earliest:
            rows.note(promise.line, f"{earliest.line.name} comes first")
    return earliest.due, tuple(targets)


def target_of(line: Line[RefundDueRow], facts: Facts) -> Target:
    """Return a row's promise as the clocks take it; it has no start while its event has not happened."""
    row = line.row
    return Target(
        metric=Metric.REFUND_PAID,
        duration=row.duration,
        basis=row.basis,
        calendar=row.calendar,
        warn_lead=row.warn,
        source=line.origin.source,
        row=row.id,
        start_at=_earliest(_FACTS_OF[row.start], facts),
        hold=_HELD[row.hold_until],
        released_at=_earliest(_RELEASED_BY[row.hold_until], facts),
    )


def _due(pack: Pack, line: Line[RefundDueRow], target: Target) -> RefundDue:
    row = line.row
    length = f"{row.duration.days} days" if row.duration.days else f"{row.duration.seconds // 3600} h"
    counted = f"{length} ({row.basis.replace('_', ' ')}) from the {_word(row.start)}"
    if target.start_at is None:
        why = f"{counted}, which has not happened: fact {' and '.join(_FACTS_OF[row.start])} is missing"
        return RefundDue(
            due_at=None,
            held=row.hold_until is not Hold.NONE,
            hold_until=row.hold_until,
            ground=line.ground,
            why=why,
        )
    try:
        calendar = pack.calendar(row.calendar)
        clock = start_clock(target, calendar, target.start_at)
        counted_to = start_clock(target.model_copy(update={"hold": None}), calendar, target.start_at).due_at
    except (CalendarError, OverflowError) as error:
        return RefundDue(due_at=None, hold_until=row.hold_until, ground=line.ground, why=f"{counted}: {error}")
    steps = [f"{counted} on {show(target.start_at)}: {show(counted_to)}"]
    held = is_held(clock)
    if held:
        steps.append(f"not before {target.hold}, for which the seller may wait")
    elif clock.due_at > counted_to:
        steps.append(f"not before {target.hold} on {show(clock.due_at)}")
    return RefundDue(
        due_at=clock.due_at, held=held, hold_until=row.hold_until, ground=line.ground, why="; ".join(steps)
    )


def _earliest(names: Sequence[str], facts: Facts) -> datetime | None:
    known = (facts.instant(name) for name in names)
    return min((at for at in known if at is not None), default=None)


def _word(start: DueStart) -> str:
    return {
        DueStart.NOTICE: "buyer's notice",
        DueStart.AGREED: "seller's agreement",
        DueStart.ELIGIBLE: "day everything was there",
        DueStart.GOODS_OR_PROOF: "return of the goods or its proof",
        DueStart.GOODS_BACK: "return of the goods",
    }[start]
