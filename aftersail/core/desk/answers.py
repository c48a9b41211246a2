"""Where an answer leaves, and how it is written: by the channel itself, through its mailbox, or by a person."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from aftersail.core.contract import MailRefs, Reply, ReplyMode
from aftersail.core.desk.services import ChannelInfo, Services
from aftersail.core.store import tables


def route(services: Services, ticket: Any) -> tuple[ChannelInfo | None, str | None]:
    """Say through which channel a ticket is answered and to which address.

    Returns:
        the channel, None where only a person can answer, on the platform's own page; and the address, None where the
        conversation itself says it.
    """
    channel = services.channels.get(ticket.channel)
    if channel is None:
        return None, None
    if channel.capabilities.reply.mode is ReplyMode.API:
        return channel, ticket.reply_to
    mailbox = services.channels.get(ticket.via or channel.mailbox or "")
    address = ticket.reply_to or ticket.buyer_email
    if channel.capabilities.reply.mode in {ReplyMode.EMAIL_RELAY, ReplyMode.NONE} and mailbox and address:
        return mailbox, address
    return None, None


def compose(
    conn: sa.Connection, ticket: Any, *, key: str, to: str | None, subject: str, text: str, language: str | None
) -> Reply:
    """Write a reply that lands in the buyer's own thread."""
    table = tables.message
    last = sa.select(table.c.mail, table.c.subject).where(table.c.ticket == ticket.id, table.c.direction == "inbound")
    row = conn.execute(last.order_by(table.c.sent_at.desc(), table.c.id.desc()).limit(1)).first()
    mail = None
    if row is not None and row.mail:
        refs = MailRefs.model_validate(row.mail)
        known = tuple(ref for ref in (*refs.references, refs.message_id) if ref)
        mail = MailRefs(in_reply_to=refs.message_id, references=tuple(dict.fromkeys(known)))
    order_id = None
    if ticket.orders_id is not None:
        order_id = conn.scalar(sa.select(tables.orders.c.external_id).where(tables.orders.c.id == ticket.orders_id))
    return Reply(
        key=key,
        to=to,
        thread_id=ticket.thread_id,
        order_id=order_id,
        subject=_answer_subject(row.subject) if row is not None and row.subject else subject,
        text=text,
        language=language,
        mail=mail,
    )


def _answer_subject(subject: str) -> str:
    return subject if subject.lower().startswith("re:") else f"Re: {subject}"
