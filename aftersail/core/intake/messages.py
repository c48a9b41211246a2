"""Storing pages of messages: dedupe, thread, triage, decide, in the transaction of their page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from aftersail.core.clocks import Source, SourceKind
from aftersail.core.contract import Direction, Message, MessageKind, MessageStored, TicketOpened
from aftersail.core.desk.clockwork import RESPONSES, cancel_clocks, meet_clocks, start_deadline
from aftersail.core.desk.judge import judge
from aftersail.core.desk.services import Services
from aftersail.core.desk.tickets import TicketState, get_ticket, open_ticket, set_state, update_ticket
from aftersail.core.intake.linking import link_order
from aftersail.core.intake.text import clean_html, html_to_text, own_words
from aftersail.core.intake.threading import find_order, find_ticket, keys_of, order_key, remember, remember_mentions
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A message and where it belongs: the channel that owns it and the mailbox it came through, if any."""

    channel: str
    message: Message
    via: str | None = None


def store_messages(unit: Unit, services: Services, arrivals: Sequence[Arrival]) -> tuple[int, int]:
    """Store what is new or newer, in the order it was sent; tell how many were new and how many revised."""
    known = _known(unit.conn, arrivals)
    new = revised = 0
    for arrival in sorted(
        arrivals, key=lambda each: (each.message.sent_at, each.message.external_id, each.message.revision)
    ):
        identity = (arrival.channel, arrival.message.external_id)
        revision = known.get(identity)
        if revision is None:
            _store_new(unit, services, arrival)
            new += 1
        elif arrival.message.revision > revision:
            _revise(unit, services, arrival)
            revised += 1
        else:
            continue
        known[identity] = arrival.message.revision
    return new, revised


def _known(conn: sa.Connection, arrivals: Sequence[Arrival]) -> dict[tuple[str, str], int]:
    table = tables.message
    known: dict[tuple[str, str], int] = {}
    for channel in {arrival.channel for arrival in arrivals}:
        ids = {arrival.message.external_id for arrival in arrivals if arrival.channel == channel}
        wanted = sa.select(table.c.external_id, table.c.revision).where(
            table.c.channel == channel, table.c.external_id.in_(ids)
        )
        known |= {(channel, row.external_id): row.revision for row in conn.execute(wanted)}
    return known


def _store_new(unit: Unit, services: Services, arrival: Arrival) -> None:
    message = arrival.message
    order = find_order(unit.conn, arrival.channel, message)
    keys = list(keys_of(arrival.channel, message))
    ticket = find_ticket(unit.conn, keys) or _by_order(unit.conn, arrival, order)
    speaks = message.kind is MessageKind.MESSAGE and message.direction is Direction.INBOUND
    opened = ticket is None
    if ticket is None:
        ticket = open_ticket(
            unit,
            channel=arrival.channel,
            via=arrival.via,
            subject=message.subject or "(no subject)",
            buyer=message.author,
            filed_at=message.sent_at,
            order=order,
            reply_to=message.reply_to or message.author.email,
            thread_id=message.thread_id,
        )
    if order is not None and surely_buyer(arrival, order):
        keys.append(order_key(order.channel, order.external_id))
    elif order is None and get_ticket(unit.conn, ticket).orders_id is None:
        remember_mentions(unit.conn, message, ticket)
    remember(unit.conn, keys, ticket)
    if order is not None and not opened:
        link_order(unit, ticket, order)
    _insert(unit, arrival, ticket)
    stored = {"at": unit.now, "channel": arrival.channel, "ticket": ticket}
    unit.tell(
        "aftersail_message_stored",
        MessageStored(**stored, message_external_id=message.external_id, revision=message.revision),
    )
    if message.direction is Direction.OUTBOUND:
        meet_clocks(unit, ticket, RESPONSES, message.sent_at)
        set_state(unit, ticket, TicketState.WAITING, "seller")
    elif opened or speaks:
        _consider(unit, services, arrival, ticket, opened=opened)
    elif message.kind is MessageKind.BOUNCE:
        unit.record("bounced", arrival.channel, ticket, subject=message.subject)


def _by_order(conn: sa.Connection, arrival: Arrival, order: Any | None) -> int | None:
    """Join the open ticket about the same order, where the writer is surely the order's buyer."""
    if order is None or not surely_buyer(arrival, order):
        return None
    ticket = find_ticket(conn, [order_key(order.channel, order.external_id)])
    if ticket is None or get_ticket(conn, ticket).state == TicketState.CLOSED:
        return None
    return ticket


def surely_buyer(arrival: Arrival, order: Any) -> bool:
    """The platform itself links the message to the order, or it comes from the address the order was placed with."""
    email = arrival.message.author.email
    same_channel = arrival.channel == order.channel
    return same_channel or bool(email and order.buyer_email and email.lower() == order.buyer_email.lower())


def _consider(unit: Unit, services: Services, arrival: Arrival, ticket: int, *, opened: bool) -> None:
    """Triage and judge: a new ticket as a whole, an old one again with what the buyer has added.

    A message that was sent before the one that opened the ticket, but read after it, opens it anew from its own time.
    """
    message = arrival.message
    row = get_ticket(unit.conn, ticket)
    first = opened or message.sent_at < row.filed_at
    if first and not opened:
        cancel_clocks(unit, ticket)
        update_ticket(unit, ticket, filed_at=message.sent_at, subject=message.subject or row.subject)
    order_locale = _locale(unit.conn, row.orders_id)
    found = services.triage.assess(
        subject=message.subject,
        text=own_words(message.text, message.html),
        language_hint=message.language or order_locale,
        reason_code=message.reason_code,
        connector=services.channels[arrival.channel].kind,
    )
    values: dict[str, Any] = {"escalation": bool(row.escalation) or found.escalation}
    if first or row.language == "und":
        values["language"] = found.language
    if first or row.reason == "other":
        values |= {"reason": found.reason, "reason_because": found.because}
    update_ticket(unit, ticket, **values)
    if not opened:
        set_state(unit, ticket, TicketState.OPEN, "buyer")
    if opened and message.kind in {MessageKind.AUTO_REPLY, MessageKind.BOUNCE}:
        unit.record(
            "ticket_opened",
            arrival.channel,
            ticket,
            subject=message.subject,
            reason="other",
            message_message_kind=message.kind,
        )
        return
    decision = judge(unit, services, ticket, first=first, message_at=message.sent_at)
    if message.respond_by:
        source = Source(kind=SourceKind.MARKETPLACE, name=services.channels[arrival.channel].kind)
        start_deadline(unit, ticket, message.sent_at, message.respond_by, source)
    _answered_already(unit, ticket, message)
    if opened:
        announce(unit, arrival.channel, ticket, decision.tier)


def _answered_already(unit: Unit, ticket: int, message: Message) -> None:
    """Pages may bring an answer before its question: then the clocks stop when the answer was sent."""
    table = tables.message
    answers = sa.select(sa.func.min(table.c.sent_at)).where(
        table.c.ticket == ticket, table.c.direction == Direction.OUTBOUND, table.c.sent_at >= message.sent_at
    )
    answered_at = unit.conn.scalar(answers)
    if answered_at is not None:
        meet_clocks(unit, ticket, RESPONSES, answered_at)
        set_state(unit, ticket, TicketState.WAITING, "seller")


def announce(unit: Unit, channel: str, ticket: int, tier: str | None) -> None:
    """Write and tell that a ticket was opened."""
    row = get_ticket(unit.conn, ticket)
    data = {
        "subject": row.subject,
        "language": row.language,
        "reason": row.reason,
        "because": row.reason_because,
        "tier": tier,
    }
    due = row.due_at.isoformat() if row.due_at else None
    unit.record(
        "ticket_opened", channel, ticket, **data, due_at=due, due_source=row.due_source, due_metric=row.due_metric
    )
    opened = TicketOpened(at=unit.now, channel=channel, ticket=ticket, reason=row.reason, tier=tier or "")
    unit.tell("aftersail_ticket_opened", opened)


def _locale(conn: sa.Connection, orders_id: int | None) -> str | None:
    if orders_id is None:
        return None
    return conn.scalar(sa.select(tables.orders.c.locale).where(tables.orders.c.id == orders_id))


def _columns(unit: Unit, message: Message) -> dict[str, Any]:
    html = clean_html(message.html) if message.html else None
    return {
        "revision": message.revision,
        "direction": message.direction,
        "kind": message.kind,
        "sent_at": message.sent_at,
        "stored_at": unit.now,
        "author": message.author.name or message.author.email or message.author.external_id,
        "subject": message.subject,
        "text": own_words(message.text, message.html),
        "full_text": message.text or (html_to_text(message.html, keep_quotes=True) if message.html else ""),
        "html": html,
        "authenticity": message.authenticity,
        "reason_code": message.reason_code,
        "link": message.link,
        "mail": message.mail.model_dump(mode="json") if message.mail else None,
    }


def _insert(unit: Unit, arrival: Arrival, ticket: int) -> None:
    message = arrival.message
    row = _columns(unit, message) | {"channel": arrival.channel, "external_id": message.external_id, "ticket": ticket}
    inserted = unit.conn.execute(sa.insert(tables.message).values(**row).returning(tables.message.c.id)).scalar_one()
    if message.attachments:
        files = [{"message": inserted} | attachment.model_dump() for attachment in message.attachments]
        unit.conn.execute(sa.insert(tables.attachment), files)


def _revise(unit: Unit, services: Services, arrival: Arrival) -> None:
    """Take a platform's change of a message, and judge again what may depend on it."""
    table = tables.message
    where = (table.c.channel == arrival.channel, table.c.external_id == arrival.message.external_id)
    changed = sa.update(table).where(*where).values(**_columns(unit, arrival.message)).returning(table.c.ticket)
    ticket = int(unit.conn.execute(changed).scalar_one())
    unit.record("message_revised", arrival.channel, ticket, revision=arrival.message.revision)
    told = {"at": unit.now, "channel": arrival.channel, "ticket": ticket}
    revised = MessageStored(**told, message_external_id=arrival.message.external_id, revision=arrival.message.revision)
    unit.tell("aftersail_message_stored", revised)
    if get_ticket(unit.conn, ticket).state == TicketState.OPEN:
        judge(unit, services, ticket, first=False)
