"""Finding the ticket a message belongs to.

In order: our own token (a Message-ID that we made carries the remedy's key), In-Reply-To and References, the platform's
conversation, a relay address with an order, and last the order itself where the buyer is surely the order's buyer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core.contract import Message
from aftersail.core.contract.markup import html_to_text
from aftersail.core.intake.fitting import shortened
from aftersail.core.store import tables
from aftersail.core.store.write import insert_once

# It begins where a run of letters begins, so that a long one is walked once.
_ORDER_WORD: Final = re.compile(r"#?(?<![A-Z])[A-Z]*\d[A-Z0-9-]{2,}", re.IGNORECASE)
_MAX_CANDIDATES = 50
_LONGEST_WORD = 63
_LONGEST_KEY = 512
_OWN_ID: Final = re.compile(r"<([^@>]+)@")


def keys_of(channel: str, message: Message) -> Iterator[str]:
    """Yield what a later message of the same conversation would carry, the strongest first."""
    return (shortened(key, _LONGEST_KEY) for key in _keys_of(channel, message))


def _keys_of(channel: str, message: Message) -> Iterator[str]:
    if message.mail:
        for reference in (message.mail.in_reply_to, *reversed(message.mail.references)):
            if reference:
                yield f"mail:{reference}"
        if message.mail.message_id:
            yield f"mail:{message.mail.message_id}"
    if message.thread_id:
        yield f"conversation:{channel}:{message.thread_id}"
    if message.reply_to and message.order_id:
        yield f"relay:{channel}:{message.reply_to.lower()}:{message.order_id}"


def order_key(channel: str, external_id: str) -> str:
    """The key under which everything about one order finds together while its ticket is open."""
    return shortened(f"order:{channel}:{external_id}", _LONGEST_KEY)


def find_ticket(conn: sa.Connection, keys: Sequence[str]) -> int | None:
    """Return the ticket of the strongest key that is known."""
    if not keys:
        return None
    for key in keys:
        ours = _OWN_ID.search(key) if key.startswith("mail:") else None
        if ours:
            sent = sa.select(tables.ticket.c.id).join(tables.remedy, tables.remedy.c.ticket == tables.ticket.c.id)
            found = conn.scalar(sent.where(tables.remedy.c.key == ours.group(1), tables.ticket.c.erased_at.is_(None)))
            if found is not None:
                return int(found)
    rows = conn.execute(
        sa.select(tables.thread_key.c.key, tables.thread_key.c.ticket).where(tables.thread_key.c.key.in_(keys))
    )
    known = {row.key: int(row.ticket) for row in rows}
    return next((known[key] for key in keys if key in known), None)


def remember(conn: sa.Connection, keys: Sequence[str], ticket: int) -> None:
    """Let later messages that carry one of these keys find the ticket; a key that is taken stays where it is."""
    for key in dict.fromkeys(keys):
        insert_once(conn, tables.thread_key, {"key": key, "ticket": ticket}, key=["key"])


def find_order(conn: sa.Connection, channel: str, message: Message) -> Any | None:
    """Find the order a message is about: named by the platform, or in the text and known on one channel only."""
    orders = tables.orders
    if message.order_id:
        on_channel = sa.select(orders).where(orders.c.channel == channel, orders.c.external_id == message.order_id)
        found = conn.execute(on_channel).first()
        if found:
            return found
    numbers = [variant for word in order_words(message) for variant in (word, f"#{word}")]
    if not numbers:
        return None
    rows = conn.execute(sa.select(orders).where(orders.c.number.in_(numbers)).limit(2)).all()
    return rows[0] if len(rows) == 1 else None


def order_words(message: Message) -> list[str]:
    """The words of a message that may be an order's number, without a leading `#`."""
    found = [message.order_id] if message.order_id else []
    found += _ORDER_WORD.findall(f"{message.subject}\n{message.text or html_to_text(message.html or '')}")
    words = dict.fromkeys(word.lstrip("#") for word in found)
    return [word for word in words if len(word) <= _LONGEST_WORD][:_MAX_CANDIDATES]


def remember_mentions(conn: sa.Connection, words: Iterable[str], ticket: int) -> None:
    """Keep what may be an order's number or the platform's id of it until the order comes."""
    for word in words:
        insert_once(conn, tables.order_mention, {"word": word, "ticket": ticket}, key=["word", "ticket"])


def mentioned_by(conn: sa.Connection, word: str) -> list[int]:
    """Name the tickets that wait for an order of this number or id, the oldest first."""
    table = tables.order_mention
    return list(
        conn.scalars(sa.select(table.c.ticket).where(table.c.word == word.lstrip("#")).order_by(table.c.ticket))
    )


def forget_mentions(conn: sa.Connection, ticket: int) -> None:
    """The ticket has its order now."""
    conn.execute(sa.delete(tables.order_mention).where(tables.order_mention.c.ticket == ticket))
