"""A simulation as text for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aftersail.core.policy.simulation import CHANGES, DeadlineChange, MoneyChange, Simulation

_BY = {"automation": "paid by itself", "person": "waits for a person"}


def simulation_text(found: Simulation) -> str:
    """Write a simulation down: what changes, the money, the deadlines."""
    return "\n".join((*_changes(found), *_money(found.money), *_deadlines(found)))


def _changes(found: Simulation) -> Iterator[str]:
    name = f"{found.pack_id}@{found.pack_version}"
    yield f"{name} played over {found.requests} requests with {found.decisions} decisions; nothing is written"
    if found.unread:
        yield f"{found.unread} requests were left out: their facts are of another version of aftersail" + _tickets(
            found.unread_examples
        )
    yield f"{found.changed} of {found.requests} requests would have come out otherwise"
    for change in found.changes:
        yield f"  {change.count:>7}  {CHANGES[change.kind]}"
        for example in change.examples:
            yield f"             ticket {example.ticket}: {example.before} \N{RIGHTWARDS ARROW} {example.after}"


def _money(changes: Sequence[MoneyChange]) -> Iterator[str]:
    if changes:
        yield "Refunds"
    for change in changes:
        more = change.after.amount - change.before.amount
        yield (
            f"  {_BY[change.by]}: {change.before} \N{RIGHTWARDS ARROW} {change.after}"
            f" ({'+' if more >= 0 else ''}{more} {change.currency})"
        )


def _deadlines(found: Simulation) -> Iterator[str]:
    if found.deadlines or found.added:
        yield "Deadlines"
    for change in found.deadlines:
        yield from _deadline(change)
    for metric, count in found.added.items():
        yield f"  {metric}: new, promised on {count} requests; nobody knows when it would have been met"


def _deadline(change: DeadlineChange) -> Iterator[str]:
    moved = f"{change.earlier} due earlier, {change.later} later"
    dropped = f", {change.dropped} no longer promised" if change.dropped else ""
    yield (
        f"  {change.metric}: {moved}{dropped}; "
        f"missed {change.breached_before} \N{RIGHTWARDS ARROW} {change.breached_after}"
    )
    for count, words, examples in (
        (change.newly, "would have been missed", change.newly_examples),
        (change.spared, "would have been in time", change.spared_examples),
    ):
        if count:
            yield f"             {count} {words}{_tickets(examples)}"


def _tickets(numbers: Sequence[int]) -> str:
    return f", such as ticket {', '.join(str(number) for number in numbers)}" if numbers else ""
