"""Storing pages of messages: dedupe and thread, then triage and decide, in the transaction of their page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core.contract import Direction, Message, MessageKind, MessageStored, Party
from aftersail.core.contract.markup import html_to_text
from aftersail.core.desk.facts import is_buyer
from aftersail.core.desk.services import Services
from aftersail.core.desk.tickets import OVER, get_ticket, open_ticket, update_ticket
from aftersail.core.desk.turns import message_identity
from aftersail.core.intake.consider import News, consider
from aftersail.core.intake.fitting import fitted, shortened, storable
from aftersail.core.intake.linking import link_order
from aftersail.core.intake.text import clean_html, own_words, readable
from aftersail.core.intake.threading import (
    find_order,
    find_ticket,
    keys_of,
    order_key,
    order_words,
    remember,
    remember_mentions,
)
from aftersail.core.store import tables
from aftersail.core.store.tombstone import tombstone
from aftersail.core.store.unit import Unit

_LONGEST_ID: Final = 512


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A message and where it belongs: the channel that owns it and the mailbox it came through, if any."""

    channel: str
    message: Message
    via: str | None = None


def store_messages(unit: Unit, services: Services, arrivals: Sequence[Arrival]) -> tuple[int, int]:
    """Store what is new or newer, then judge each ticket once with its news; tell how many were new and revised."""
    arrivals = [replace(arrival, message=_storable(arrival.message, unit.now)) for arrival in arrivals]
    known = _known(unit.conn, arrivals)
    news: dict[int, News] = {}
    new = revised = 0
    for arrival in sorted(
        arrivals, key=lambda each: (each.message.sent_at, each.message.external_id, each.message.revision)
    ):
        identity = (arrival.channel, arrival.message.external_id)
        revision = known.get(identity)
        if revision is None:
            _store_new(unit, arrival, news)
            new += 1
        elif arrival.message.revision > revision:
            _revise(unit, arrival, news)
            revised += 1
        else:
            continue
        known[identity] = arrival.message.revision
    for ticket, brought in news.items():
        consider(unit, services, ticket, brought)
    return new, revised


def _storable(message: Message, now: datetime) -> Message:
    fixed = storable(message, now)
    external_id = shortened(fixed.external_id, _LONGEST_ID)
    text, html = readable(fixed.text, fixed.html)
    return fixed.model_copy(update={"external_id": external_id, "text": text, "html": html})


def _known(conn: sa.Connection, arrivals: Sequence[Arrival]) -> dict[tuple[str, str], int]:
    table = tables.message
    known: dict[tuple[str, str], int] = {}
    for channel in {arrival.channel for arrival in arrivals}:
        ids = {arrival.message.external_id for arrival in arrivals if arrival.channel == channel}
        ids_of = {name: each for each in ids for name in (each, tombstone(channel, each))}
        wanted = sa.select(table.c.external_id, table.c.revision).where(
            table.c.channel == channel, table.c.external_id.in_(ids_of)
        )
        known |= {(channel, ids_of[row.external_id]): row.revision for row in conn.execute(wanted)}
    return known


def _store_new(unit: Unit, arrival: Arrival, news: dict[int, News]) -> None:
    message = arrival.message
    order = find_order(unit.conn, arrival.channel, message)
    keys = list(keys_of(arrival.channel, message))
    ticket = find_ticket(unit.conn, keys) or _by_order(unit.conn, arrival, order)
    opened = ticket is None
    if ticket is None:
        ticket = _open(unit, arrival, order)
    elif message.direction is Direction.INBOUND:
        _complete(unit, arrival, ticket)
    keys += _order_keys(arrival, order)
    if order is None and get_ticket(unit.conn, ticket).orders_id is None:
        remember_mentions(unit.conn, order_words(message), ticket)
    remember(unit.conn, keys, ticket)
    if order is not None and not opened:
        link_order(unit, ticket, order)
    _insert(unit, arrival, ticket)
    stored = {"at": unit.now, "channel": arrival.channel, "ticket": ticket}
    unit.tell(
        "aftersail_message_stored",
        MessageStored(**stored, message_external_id=message.external_id, revision=message.revision),
    )
    if message.kind is MessageKind.BOUNCE and not opened:
        unit.record("bounced", arrival.channel, ticket, subject=message.subject)
    _note(news.setdefault(ticket, News(opened=opened)), arrival)


def _note(news: News, arrival: Arrival) -> None:
    message = arrival.message
    if message.kind is MessageKind.NOTICE:
        news.notices.append(message)
    elif message.kind is MessageKind.MESSAGE and message.direction is Direction.OUTBOUND:
        news.moved = True
    elif message.kind is MessageKind.MESSAGE:
        news.heard[message_identity(arrival.channel, message.external_id)] = message


def _open(unit: Unit, arrival: Arrival, order: Any | None) -> int:
    message = arrival.message
    inbound = message.direction is Direction.INBOUND
    return open_ticket(
        unit,
        channel=arrival.channel,
        via=arrival.via,
        subject=message.subject or "(no subject)",
        buyer=message.author if inbound else Party(),
        filed_at=message.sent_at,
        order=order,
        reply_to=message.reply_to or (message.author.email if inbound else None),
        thread_id=message.thread_id,
    )


def _complete(unit: Unit, arrival: Arrival, ticket: int) -> None:
    """Learn from a buyer's message what the case or the seller's message that opened the ticket did not say."""
    message, row = arrival.message, get_ticket(unit.conn, ticket)
    if arrival.channel != row.channel:
        return
    email = message.author.email.lower() if message.author.email else None
    told = {
        "via": arrival.via,
        "buyer_key": message.author.external_id or email,
        "buyer_name": message.author.name,
        "buyer_email": email,
        "reply_to": message.reply_to or message.author.email,
        "thread_id": message.thread_id,
    }
    missing = {name: value for name, value in told.items() if value and getattr(row, name) is None}
    if missing:
        update_ticket(unit, ticket, **missing)


def _order_keys(arrival: Arrival, order: Any | None) -> list[str]:
    """Under which order the ticket is found; also of an order that is not here yet, where the platform names it."""
    if order is not None:
        return [order_key(order.channel, order.external_id)] if surely_buyer(arrival, order) else []
    return [order_key(arrival.channel, arrival.message.order_id)] if arrival.message.order_id else []


def _by_order(conn: sa.Connection, arrival: Arrival, order: Any | None) -> int | None:
    """Join the open ticket about the same order, where the writer is surely the order's buyer."""
    for key in _order_keys(arrival, order):
        ticket = find_ticket(conn, [key])
        if ticket is not None and get_ticket(conn, ticket).state not in OVER:
            return ticket
    return None


def surely_buyer(arrival: Arrival, order: Any) -> bool:
    """The platform itself links the message to the order, or it comes from the address the order was placed with."""
    return is_buyer(arrival.channel, arrival.message.author.email, order)


def _columns(message: Message) -> dict[str, Any]:
    html = clean_html(message.html) if message.html else None
    row = {
        "revision": message.revision,
        "direction": message.direction,
        "kind": message.kind,
        "sent_at": message.sent_at,
        "author": message.author.name or message.author.email or message.author.external_id,
        "subject": message.subject,
        "text": own_words(message.text, message.html),
        "full_text": message.text or (html_to_text(message.html) if message.html else ""),
        "html": html,
        "authenticity": message.authenticity,
        "reason_code": message.reason_code,
        "language": message.language,
        "link": message.link,
        "mail": message.mail.model_dump(mode="json") if message.mail else None,
    }
    return fitted(tables.message, row)


def _insert(unit: Unit, arrival: Arrival, ticket: int) -> None:
    message = arrival.message
    row = _columns(message) | {"channel": arrival.channel, "external_id": message.external_id, "ticket": ticket}
    row["stored_at"] = unit.now
    inserted = unit.conn.execute(sa.insert(tables.message).values(**row).returning(tables.message.c.id)).scalar_one()
    if message.attachments:
        files = [
            fitted(tables.attachment, {"message": inserted} | attachment.model_dump())
            for attachment in message.attachments
        ]
        unit.conn.execute(sa.insert(tables.attachment), files)


def _revise(unit: Unit, arrival: Arrival, news: dict[int, News]) -> None:
    """Take a platform's change of a message. It was sent when it was sent first: an edit moves no clock and no pack."""
    message, table = arrival.message, tables.message
    where = (table.c.channel == arrival.channel, table.c.external_id == message.external_id)
    columns = {name: value for name, value in _columns(message).items() if name != "sent_at"}
    changed = sa.update(table).where(*where).values(**columns).returning(table.c.ticket)
    ticket = int(unit.conn.execute(changed).scalar_one())
    unit.record("message_revised", arrival.channel, ticket, revision=message.revision)
    told = {"at": unit.now, "channel": arrival.channel, "ticket": ticket}
    revised = MessageStored(**told, message_external_id=message.external_id, revision=message.revision)
    unit.tell("aftersail_message_stored", revised)
    brought = news.setdefault(ticket, News())
    if message.kind is MessageKind.MESSAGE and message.direction is Direction.INBOUND:
        brought.revised[message_identity(arrival.channel, message.external_id)] = message
    else:
        brought.moved = True
