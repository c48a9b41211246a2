"""Forgetting by schedule: so many days after delivery, or after a ticket was closed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field

from aftersail.core.desk.erasure import FORGETTABLE, Erased, Eraser, blockers
from aftersail.core.store import tables
from aftersail.core.store.engine import reading

_BATCH: Final = 200

Progress = Callable[[int, int], None]


class RetentionRule(BaseModel):
    """When the desk forgets who somebody was.

    Attributes:
        connector: only what came over channels of this kind; None for all.
        after: `delivered` and `placed` count from the order, and forget it with its tickets; `closed` counts from when
            a ticket was closed (or last changed, where it was resolved or spam).
        days: how long it is remembered after that, in days of 24 hours.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    connector: str | None = None
    after: Literal["delivered", "placed", "closed"]
    days: int = Field(ge=1)

    @property
    def name(self) -> str:
        """The rule in words, as the audit log has it."""
        return f"{self.days} days after {self.after}" + (f" on {self.connector}" if self.connector else "")


class PrivacySettings(BaseModel):
    """What is forgotten by itself, once a day, by the daemon.

    Attributes:
        retention: the rules; whatever one of them says is forgotten.
        compact: rewrite the database after each such run, so that no trace is left in its free space; on SQLite nobody
            can write meanwhile.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    retention: tuple[RetentionRule, ...] = ()
    compact: bool = False


@dataclass(kw_only=True)
class Purge:
    """What a run has forgotten, or would have.

    Attributes:
        waiting: what is due and cannot be forgotten yet, with the reason; looked at again in the next run.
    """

    tickets: int = 0
    orders: int = 0
    messages: int = 0
    attachments: int = 0
    waiting: list[str] = field(default_factory=list)
    counted: set[tuple[str, int]] = field(default_factory=set, repr=False)
    """What a dry run has counted: two rules may say the same."""

    def add(self, erased: Erased) -> None:
        """Count what was done."""
        for name, count in asdict(erased).items():
            if name != "kept":
                setattr(self, name, getattr(self, name) + count)


def purge(
    engine: sa.Engine,
    rules: Sequence[RetentionRule],
    *,
    now: Callable[[], datetime],
    actor: str = "aftersail",
    dry_run: bool = False,
    progress: Progress = lambda _done, _all: None,
    stop: Callable[[], bool] = lambda: False,
) -> Purge:
    """Forget what is due. It can be broken off at any time and goes on where it was.

    Args:
        engine: the store.
        rules: the schedule.
        now: the clock (UTC).
        actor: who has it done.
        dry_run: only count.
        progress: told after each ticket or order.
        stop: asked between two of them.
    """
    result = Purge()
    for rule in rules:
        _Run(engine, rule, now, actor, dry_run, result).work(progress, stop)
    return result


class _Run:
    def __init__(
        self,
        engine: sa.Engine,
        rule: RetentionRule,
        now: Callable[[], datetime],
        actor: str,
        dry_run: bool,
        result: Purge,
    ) -> None:
        self._engine, self._rule, self._now, self._actor = engine, rule, now, actor
        self._dry_run, self._result = dry_run, result
        self._table = tables.ticket if rule.after == "closed" else tables.orders
        self._due = self._condition(now() - timedelta(days=rule.days))

    def _condition(self, until: datetime) -> sa.ColumnElement[bool]:
        table = self._table
        of_kind: sa.ColumnElement[bool] = sa.true()
        if self._rule.connector is not None:
            channels = sa.select(tables.channel.c.id).where(tables.channel.c.kind == self._rule.connector)
            of_kind = table.c.channel.in_(channels)
        if self._rule.after == "closed":
            since = sa.func.coalesce(table.c.closed_at, table.c.updated_at)
            over = sa.and_(table.c.state.in_(sorted(FORGETTABLE)), since <= until)
        else:
            column = table.c.delivered_at if self._rule.after == "delivered" else table.c.placed_at
            over = column <= until
        return sa.and_(table.c.erased_at.is_(None), of_kind, over)

    def work(self, progress: Progress, stop: Callable[[], bool]) -> None:
        with reading(self._engine).connect() as conn:
            whole = int(conn.scalar(sa.select(sa.func.count()).select_from(self._table).where(self._due)) or 0)
        done = last = 0
        progress(done, whole)
        while numbers := self._next(last):
            last = numbers[-1]
            for number in numbers:
                if stop():
                    return
                self._one(number)
                done += 1
                progress(done, whole)

    def _next(self, last: int) -> Sequence[int]:
        table = self._table
        some = sa.select(table.c.id).where(table.c.id > last, self._due).order_by(table.c.id).limit(_BATCH)
        with reading(self._engine).connect() as conn:
            return conn.scalars(some).all()

    def _one(self, number: int) -> None:
        ticket = tables.ticket
        with reading(self._engine).connect() as conn:
            if self._rule.after == "closed":
                tickets, orders = [number], self._left_alone(conn, number)
            else:
                own = sa.select(ticket.c.id).where(ticket.c.orders_id == number, ticket.c.erased_at.is_(None))
                tickets, orders = list(conn.scalars(own)), [number]
            still = blockers(conn, tickets)
        if still:
            self._result.waiting.append("; ".join(still))
        elif self._dry_run:
            counted = self._result.counted
            tickets = [each for each in tickets if ("ticket", each) not in counted]
            orders = [each for each in orders if ("order", each) not in counted]
            counted |= {("ticket", each) for each in tickets} | {("order", each) for each in orders}
            self._result.add(self._would(tickets, orders))
        else:
            eraser = Eraser(self._engine, now=self._now, actor=self._actor, rule=self._rule.name)
            for each in tickets:
                eraser.ticket(each)
            for each in orders:
                eraser.order(each)
            self._result.add(eraser.done)

    def _left_alone(self, conn: sa.Connection, number: int) -> list[int]:
        """The order of a ticket, where no other ticket needs to know whose it is."""
        ticket, orders = tables.ticket, tables.orders
        order = conn.scalar(
            sa.select(orders.c.id)
            .join(ticket, ticket.c.orders_id == orders.c.id)
            .where(ticket.c.id == number, orders.c.erased_at.is_(None))
        )
        if order is None:
            return []
        others = sa.select(ticket.c.id).where(
            ticket.c.orders_id == order, ticket.c.id != number, ticket.c.erased_at.is_(None)
        )
        return [] if conn.scalar(others.limit(1)) else [order]

    def _would(self, tickets: Sequence[int], orders: Sequence[Any]) -> Erased:
        message, attachment = tables.message, tables.attachment
        own = sa.select(message.c.id).where(message.c.ticket.in_(tickets))
        files = sa.select(sa.func.count()).where(attachment.c.message.in_(own))
        with reading(self._engine).connect() as conn:
            messages = int(conn.scalar(sa.select(sa.func.count()).select_from(own.subquery())) or 0)
            attachments = int(conn.scalar(files) or 0)
        return Erased(tickets=len(tickets), orders=len(orders), messages=messages, attachments=attachments)
