"""What came of a world: the platforms' ledgers against the store, channel by channel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import sqlalchemy as sa

from aftersail.core.remedies import RemedyKind, RemedyState
from aftersail.core.store import tables
from aftersail.sdk.testing.marketplace import Effect, Marketplace


class Reckoned(Protocol):
    """What a world or a fleet must tell of itself."""

    name: str
    markets: dict[str, Marketplace]
    claims: dict[str, dict[str, str]]

    def rows(self, table: sa.Table) -> list[Any]:
        """Read a table."""

    def struck(self, kind: str) -> int:
        """Count the calls that a fault has hit."""


_EFFECT: Final = {RemedyKind.REFUND: "refund", RemedyKind.REPLY: "reply", RemedyKind.CASE: "decision"}
_NOT_HAPPENED: Final = {RemedyState.PLANNED, RemedyState.REFUSED, RemedyState.CANCELLED}


@dataclass
class Cell:
    """One kind of idempotency under one sky.

    Attributes:
        remedies: all that were planned.
        effects: what happened on the platform.
        settled: of the remedies.
        persons: those that wait for a person, with a task.
        doubtful: refunds that nobody knew about for a while.
        doubtful_persons: of those, how many a person has to look at.
        faults: calls that were struck.
        wrong: what must not be.
    """

    remedies: int = 0
    effects: int = 0
    settled: int = 0
    persons: int = 0
    doubtful: int = 0
    doubtful_persons: int = 0
    faults: int = 0
    wrong: list[str] = field(default_factory=list)

    def __add__(self, other: Cell) -> Cell:
        """Put two runs together."""
        return Cell(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


def reckon(world: Reckoned) -> dict[str, Cell]:
    """Reckon every channel of a world that has come to rest."""
    remedies, messages = world.rows(tables.remedy), world.rows(tables.message)
    asked = {row.remedy for row in world.rows(tables.task) if row.closed_at is None}
    unknown = {row.data["key"] for row in world.rows(tables.event) if row.kind == "refund_unknown"}
    cells = {}
    for kind, market in world.markets.items():
        mine = [row for row in remedies if row.channel == kind]
        ours = [effect for effect in market.ledger if effect.by_us]
        persons = {row.key for row in mine if row.state == RemedyState.UNKNOWN and row.key in asked}
        doubtful = {row.key for row in mine if row.key in unknown}
        wrong = [
            *_messages(world, kind, [row for row in messages if row.channel == kind]),
            *(f"{call.operation} was called inside Retry-After at {call.at:%H:%M:%S}" for call in market.hasty),
            *_remedies(mine, ours, persons),
            *_forgotten(world, kind, mine),
        ]
        cells[kind] = Cell(
            remedies=len(mine),
            effects=len(ours),
            settled=sum(row.state == RemedyState.SETTLED for row in mine),
            persons=len(persons),
            doubtful=len(doubtful),
            doubtful_persons=len(doubtful & persons),
            faults=world.struck(kind),
            wrong=[f"{world.name} {kind}: {each}" for each in wrong],
        )
    return cells


def _messages(world: Reckoned, kind: str, stored: list[Any]) -> Iterator[str]:
    there = Counter(row.external_id for row in stored if row.direction == "inbound")
    texts = {row.external_id: row.full_text for row in stored}
    for name, item in world.markets[kind].streams["messages"].items():
        if there[name] != 1:
            yield f"message {name} is stored {there[name]} times"
        elif texts[name] != item.body["text"]:
            yield f"message {name} is stale"


def _remedies(mine: list[Any], ours: list[Effect], persons: set[str]) -> Iterator[str]:
    happened = Counter((effect.kind, effect.key) for effect in ours)
    for row in mine:
        times = happened.pop((_EFFECT[row.kind], row.key), 0)
        what = f"{row.kind} {row.key[:8]} is {row.state} and happened {times} times"
        if times > 1 or (row.state == RemedyState.SETTLED and times != 1) or (row.state in _NOT_HAPPENED and times):
            yield what
        elif row.state == RemedyState.UNKNOWN and row.key not in persons and row.next_at is None:
            yield f"{what}, but nobody is asked"
        elif row.state in {RemedyState.CLAIMED, RemedyState.SENT} or (
            row.state == RemedyState.APPROVED and not (row.next_at and row.detail)
        ):
            yield f"{what}, and waits for nothing"
    for kind, key in happened:
        yield f"a {kind} {key} happened that nobody planned"


def _forgotten(world: Reckoned, kind: str, mine: list[Any]) -> Iterator[str]:
    refunds = Counter(row.order_id for row in mine if row.kind == RemedyKind.REFUND)
    for order in world.claims[kind]:
        if refunds[order] != 1:
            yield f"the claim on {order} has {refunds[order]} refunds"
        paid = sum(effect.amount or 0 for effect in world.markets[kind].done("refund", order))
        if paid > 5:
            yield f"{order} was paid {paid}"
    answered = sum(row.kind == RemedyKind.CASE for row in mine)
    if answered != len(world.markets[kind].streams["cases"]):
        yield f"{answered} cases were decided"
