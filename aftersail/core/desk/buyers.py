"""One buyer: who it is on all channels, and everything the desk holds about them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core.store import tables
from aftersail.core.store.audit import told

_SHORTEST_WORD: Final = 4
"""A shorter name is found in too many other words to be looked for in free text."""

_OF_TICKETS: Final = (
    ("messages", tables.message),
    ("cases", tables.cases),
    ("clocks", tables.clock),
    ("decisions", tables.decision),
    ("remedies", tables.remedy),
    ("returns", tables.rma),
    ("surveys", tables.survey),
    ("appeals", tables.appeal),
    ("extensions", tables.extension),
    ("tasks", tables.task),
    ("corrections", tables.correction),
    ("conversations", tables.thread_key),
    ("mentions", tables.order_mention),
)


class BuyerError(Exception):
    """There is no such buyer, or it is not clear which; the text says what to give."""


@dataclass(frozen=True, kw_only=True)
class Buyer:
    """One buyer's orders and tickets, by number, and the words by which they are known: names, addresses, keys."""

    orders: frozenset[int]
    tickets: frozenset[int]
    words: frozenset[str]


def find_buyer(conn: sa.Connection, who: str, channel: str | None = None) -> Buyer:
    """Find everything of one buyer.

    A key belongs to one channel, an address to a person on every channel: whoever has written from it, or ordered
    with it, is the same, and so are the keys found with it.

    Args:
        conn: the connection.
        who: address, or the platform's key of the buyer.
        channel: where the key is one, if it is one on several.

    Raises:
        BuyerError: nobody is known by it, or it is a key on more than one channel.
    """
    keys = _keyed(conn, who, channel)
    emails = {who.lower()} if "@" in who else set()
    if not emails and len(keys) > 1:
        channels = ", ".join(sorted(name for name, _ in keys))
        raise BuyerError(f"{who!r} is a buyer on several channels ({channels}), not surely the same; add --channel")
    orders, tickets = tables.orders, tables.ticket
    found: dict[str, dict[int, Any]] = {orders.name: {}, tickets.name: {}}
    while True:
        before = (len(keys), len(emails), sum(map(len, found.values())))
        for table in (orders, tickets):
            for row in conn.execute(sa.select(table).where(_is(table, keys, emails))):
                found[table.name][row.id] = row
                keys |= {(row.channel, row.buyer_key)} if row.buyer_key else set()
                emails |= {row.buyer_email} if row.buyer_email else set()
        if (len(keys), len(emails), sum(map(len, found.values()))) == before:
            break
    for row in conn.execute(_nobodys(found[orders.name])):
        found[tickets.name][row.id] = row
    if not any(found.values()):
        raise BuyerError(f"nothing is known of a buyer {who!r}; give the address, or the key that the platform uses")
    rows = [*found[orders.name].values(), *found[tickets.name].values()]
    words = {word for row in rows for word in (row.buyer_key, row.buyer_name, row.buyer_email) if word}
    words |= {row.reply_to for row in found[tickets.name].values() if row.reply_to}
    words |= _parcels(conn, found[orders.name])
    return Buyer(
        orders=frozenset(found[orders.name]),
        tickets=frozenset(found[tickets.name]),
        words=frozenset(word for word in words if len(word) >= _SHORTEST_WORD),
    )


def _keyed(conn: sa.Connection, who: str, channel: str | None) -> set[tuple[str, str]]:
    found = set()
    for table in (tables.orders, tables.ticket):
        same = sa.select(table.c.channel, table.c.buyer_key).where(table.c.buyer_key == who)
        found |= {(row.channel, row.buyer_key) for row in conn.execute(same.distinct())}
    return {each for each in found if channel is None or each[0] == channel}


def _is(table: sa.Table, keys: Iterable[tuple[str, str]], emails: Iterable[str]) -> sa.ColumnElement[bool]:
    same = [sa.and_(table.c.channel == channel, table.c.buyer_key == key) for channel, key in sorted(keys)]
    return sa.or_(sa.false(), *same, table.c.buyer_email.in_(sorted(emails)), table.c.buyer_key.in_(sorted(emails)))


def _nobodys(orders: Iterable[int]) -> sa.Select[Any]:
    """Tickets about these orders that name nobody themselves, as one a case has opened."""
    table = tables.ticket
    unnamed = (table.c.buyer_key.is_(None), table.c.buyer_email.is_(None))
    return sa.select(table).where(table.c.orders_id.in_(sorted(orders)), *unnamed)


def _parcels(conn: sa.Connection, orders: Iterable[int]) -> set[str]:
    table = tables.shipment
    return set(conn.scalars(sa.select(table.c.tracking_number).where(table.c.orders_id.in_(sorted(orders)))))


def export_buyer(conn: sa.Connection, buyer: Buyer) -> dict[str, Any]:
    """Collect everything the desk holds about a buyer; of attachments what is known of them, not their content."""
    orders, tickets = sorted(buyer.orders), sorted(buyer.tickets)
    found = {
        "orders": _rows(conn, tables.orders, tables.orders.c.id.in_(orders)),
        "shipments": _rows(conn, tables.shipment, tables.shipment.c.orders_id.in_(orders)),
        "tickets": _rows(conn, tables.ticket, tables.ticket.c.id.in_(tickets), without={"token"}),
    }
    for name, table in _OF_TICKETS:
        found[name] = _rows(conn, table, table.c.ticket.in_(tickets))
    messages = sa.select(tables.message.c.id).where(tables.message.c.ticket.in_(tickets))
    of_them = tables.attachment.c.message.in_(messages)
    found["attachments"] = _rows(conn, tables.attachment, of_them, without={"content"})
    history = sa.select(*told()).where(tables.event.c.ticket.in_(tickets)).order_by(tables.event.c.id)
    found["events"] = _plain(conn.execute(history).all())
    return found


def _rows(
    conn: sa.Connection, table: sa.Table, which: sa.ColumnElement[bool], *, without: Iterable[str] = ()
) -> list[dict[str, Any]]:
    columns = [column for column in table.columns if column.name not in set(without)]
    return _plain(conn.execute(sa.select(*columns).where(which).order_by(*table.primary_key.columns)).all())


def _plain(rows: Sequence[Any]) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name for it
