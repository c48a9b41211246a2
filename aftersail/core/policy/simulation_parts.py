"""Parts of one simulation, made by several processes, put together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aftersail.core.policy.simulation import CHANGES, ChangeCount, DeadlineChange, MoneyChange, Simulation

_COUNTED = ("clocks", "earlier", "later", "breached_before", "breached_after", "newly", "spared", "dropped")


def joined(parts: Sequence[Simulation], examples: int) -> Simulation:
    """Add up the parts of one draft's simulation, of which there is at least one.

    Args:
        parts: each over other requests, in the order of their tickets, so that the first examples stay the first.
        examples: how many tickets to name for each kind of change.
    """
    first = parts[0]
    added: dict[str, int] = {}
    for part in parts:
        for metric, count in part.added.items():
            added[metric] = added.get(metric, 0) + count
    return first.model_copy(
        update={
            "requests": sum(part.requests for part in parts),
            "decisions": sum(part.decisions for part in parts),
            "changed": sum(part.changed for part in parts),
            "changes": tuple(_changes(parts, examples)),
            "money": tuple(_money(parts)),
            "deadlines": tuple(_deadlines(parts, examples)),
            "added": dict(sorted(added.items())),
            "unread": sum(part.unread for part in parts),
            "unread_examples": _first((part.unread_examples for part in parts), examples),
        }
    )


def _changes(parts: Sequence[Simulation], examples: int) -> Iterable[ChangeCount]:
    for kind in CHANGES:
        found = [change for part in parts for change in part.changes if change.kind == kind]
        if found:
            named = [example for change in found for example in change.examples]
            count = sum(change.count for change in found)
            yield ChangeCount(kind=kind, count=count, examples=tuple(named[:examples]))


def _money(parts: Sequence[Simulation]) -> Iterable[MoneyChange]:
    sums: dict[tuple[str, str], MoneyChange] = {}
    for change in (change for part in parts for change in part.money):
        known = sums.get((change.currency, change.by))
        if known is not None:
            more = {"before": known.before + change.before, "after": known.after + change.after}
            change = known.model_copy(update=more)  # noqa: PLW2901 - the sum takes its place
        sums[change.currency, change.by] = change
    return [sums[key] for key in sorted(sums)]


def _deadlines(parts: Sequence[Simulation], examples: int) -> Iterable[DeadlineChange]:
    for metric in sorted({change.metric for part in parts for change in part.deadlines}):
        found = [change for part in parts for change in part.deadlines if change.metric == metric]
        yield DeadlineChange(
            metric=metric,
            newly_examples=_first((change.newly_examples for change in found), examples),
            spared_examples=_first((change.spared_examples for change in found), examples),
            **{name: sum(getattr(change, name) for change in found) for name in _COUNTED},
        )


def _first(lists: Iterable[Sequence[int]], examples: int) -> tuple[int, ...]:
    return tuple(number for numbers in lists for number in numbers)[:examples]
