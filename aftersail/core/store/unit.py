"""One unit of work: a transaction, its instant, and what plugins are told once it is committed."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from aftersail.core.contract import Event
from aftersail.core.store import tables

Notify = Callable[[str, Event], None]


class Unit:
    """What every writing function takes: the connection, the instant, and a place to say what happened.

    Attributes:
        conn: the open transaction.
        now: the instant of everything written in it (UTC).
        token: makes values that nobody can guess.
    """

    def __init__(self, conn: sa.Connection, now: datetime, token: Callable[[], str] = secrets.token_hex) -> None:
        self.conn = conn
        self.now = now
        self.token = token
        self._told: list[tuple[str, Event]] = []

    def record(
        self, kind: str, channel: str, ticket: int | None = None, *, actor: str = "aftersail", **data: Any
    ) -> None:
        """Write a line of history, in the same transaction as what it tells of."""
        row = {"at": self.now, "kind": kind, "channel": channel, "ticket": ticket, "actor": actor, "data": data}
        self.conn.execute(sa.insert(tables.event), row)

    def tell(self, hook: str, event: Event) -> None:
        """Have a notification hook called once the transaction is committed."""
        self._told.append((hook, event))

    def told(self) -> tuple[tuple[str, Event], ...]:
        """What is to be told."""
        return tuple(self._told)


@contextmanager
def unit_of_work(engine: sa.Engine, now: datetime, notify: Notify | None = None) -> Iterator[Unit]:
    """Open a transaction, commit it at the end, and only then tell the plugins."""
    with engine.begin() as conn:
        unit = Unit(conn, now)
        yield unit
    if notify:
        for hook, event in unit.told():
            notify(hook, event)
