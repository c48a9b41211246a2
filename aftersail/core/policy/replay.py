"""Stored clocks under other promises: when they would have been due, and whether they would have been in time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from aftersail.core.clocks import Clock, Metric, Target, cancel, meet, pause, release, resume, start, tick
from aftersail.core.policy.compiled import Pack
from aftersail.core.policy.decide import Conclusion
from aftersail.core.policy.history import PastRequest, Plain


@dataclass(frozen=True, kw_only=True)
class ReplayedClock:
    """What was timed once, as it was and as it would have been.

    Attributes:
        due: the earliest due instant of all sources (UTC), before and under the draft; None where nothing was promised.
        breached: whether any of them ran out, before and under the draft.
    """

    metric: Metric
    due: tuple[datetime | None, datetime | None]
    breached: tuple[bool, bool]


def replay_clocks(
    request: PastRequest, decisions: Sequence[Conclusion], pack: Pack, as_of: datetime
) -> tuple[ReplayedClock, ...]:
    """Let a request's clocks run again under a draft: they start, pause and end when they really did.

    Clocks on a deadline that the platform itself named are left out: no pack moves them.

    Args:
        request: what was stored.
        decisions: what the draft says in place of each stored decision.
        pack: the draft.
        as_of: judges what still runs (UTC).
    """
    timed: dict[tuple[Metric, datetime], list[Clock]] = {}
    for clock in request.clocks:
        if clock.duration is not None:
            timed.setdefault((clock.metric, clock.started_at), []).append(clock)
    found = []
    for (metric, _), clocks in timed.items():
        model = clocks[0]
        every = with_next_response(decisions[_origin(request, model)].targets)
        targets = [target for target in every if target.metric is metric]
        again = [_followed(target, model, pack, as_of) for target in targets]
        then = [tick(clock, as_of)[0] for clock in clocks]
        found.append(
            ReplayedClock(
                metric=metric,
                due=(_earliest(then), _earliest(again)),
                breached=(_breached(then), _breached(again)),
            )
        )
    return tuple(found)


def with_next_response(targets: Iterable[Target]) -> list[Target]:
    """Return all promises. A pack without one for the next answer promises the same as for the first."""
    every = list(targets)
    if any(target.metric is Metric.NEXT_RESPONSE for target in every):
        return every
    first = (target for target in every if target.metric is Metric.FIRST_RESPONSE)
    return [*every, *(target.model_copy(update={"metric": Metric.NEXT_RESPONSE}) for target in first)]


def _origin(request: PastRequest, clock: Clock) -> int:
    """Find the decision whose promise a clock keeps; a clock nobody promised so belongs to the first."""
    for number, decision in enumerate(request.decisions):
        if any(_same(target, clock) for target in decision.verdict.targets):
            return number
    return 0


def _same(target: Plain, clock: Clock) -> bool:
    metrics = {clock.metric, Metric.FIRST_RESPONSE} if clock.metric is Metric.NEXT_RESPONSE else {clock.metric}
    return target["metric"] in metrics and target["row"] == clock.row and target["basis"] == clock.basis


def _followed(target: Target, model: Clock, pack: Pack, as_of: datetime) -> Clock:
    """Run a promise through what happened to the clock that was there."""
    calendar = pack.calendar(target.calendar)
    clock = start(target, calendar, model.started_at)
    for halt in model.pauses:
        if halt.hold is None:
            clock = pause(clock, halt.since)
        if halt.until is not None:
            go_on = resume if halt.hold is None else release
            clock = go_on(clock, calendar, halt.until)
    if model.met_at is not None:
        return meet(clock, model.met_at)
    if model.cancelled_at is not None:
        return cancel(clock, model.cancelled_at)
    return tick(clock, as_of)[0]


def _earliest(clocks: Sequence[Clock]) -> datetime | None:
    return min((clock.due_at for clock in clocks), default=None)


def _breached(clocks: Sequence[Clock]) -> bool:
    return any(clock.breached_at is not None for clock in clocks)
