"""All tables of the desk, one schema for SQLite and PostgreSQL."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from aftersail.core.store.types import Amount, Instant, Json, Key

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _due_index(column: sa.Column[Any]) -> sa.Index:
    """Index only the rows that are waiting for their time, so that a scan touches nothing else."""
    return sa.Index(
        f"ix_{column.table.name}_{column.name}_due",
        column,
        sqlite_where=column.is_not(None),
        postgresql_where=column.is_not(None),
    )


channel = sa.Table(
    "channel",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(64), nullable=False),
    sa.Column("active", sa.Boolean, nullable=False, default=True),
    sa.Column("poll_seconds", sa.Integer, nullable=False),
    sa.Column("due_at", Instant, comment="next sync; null while one is under way or the channel is off"),
    sa.Column("armed_at", Instant, comment="when the sync under way was handed over"),
    sa.Column("hinted_at", Instant, comment="when a webhook came while a sync was under way: sync once more"),
    sa.Column("synced_at", Instant, comment="last sync that reached its end"),
    sa.Column("failures", sa.Integer, nullable=False, default=0),
    sa.Column("attention", sa.Text, comment="why a person is needed; null when all is well"),
)
_due_index(channel.c.due_at)

cursor = sa.Table(
    "cursor",
    metadata,
    sa.Column("channel", sa.String(64), sa.ForeignKey("channel.id"), primary_key=True),
    sa.Column("stream", sa.String(16), primary_key=True),
    sa.Column("value", sa.Text),
    sa.Column("saved_at", Instant, nullable=False),
)

hold = sa.Table(
    "hold",
    metadata,
    sa.Column("channel", sa.String(64), primary_key=True),
    sa.Column("operation", sa.String(128), primary_key=True),
    sa.Column("until", Instant, nullable=False, comment="the platform asked for no call before"),
)

orders = sa.Table(
    "orders",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("channel", sa.String(64), sa.ForeignKey("channel.id"), nullable=False),
    sa.Column("external_id", sa.String(255), nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("number", sa.String(64), nullable=False, index=True),
    sa.Column("placed_at", Instant, nullable=False),
    sa.Column("delivered_at", Instant),
    sa.Column("buyer_key", sa.String(320), index=True, comment="who bought: platform id, else address in lower case"),
    sa.Column("buyer_name", sa.Text),
    sa.Column("buyer_email", sa.String(320)),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("total", Amount, nullable=False),
    sa.Column("refunded", Amount),
    sa.Column("refundable", Amount),
    sa.Column("status", sa.String(64), nullable=False),
    sa.Column("shipping_paid", Amount, comment="for delivery, before refunds"),
    sa.Column("ship_country", sa.String(2)),
    sa.Column("ship_region", sa.String(6)),
    sa.Column("locale", sa.String(35)),
    sa.Column("link", sa.Text),
    sa.Column("lines", Json, nullable=False),
    sa.Column("erased_at", Instant, comment="when it was made to forget its buyer"),
    sa.UniqueConstraint("channel", "external_id"),
)

shipment = sa.Table(
    "shipment",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("orders_id", Key, sa.ForeignKey("orders.id"), nullable=False, index=True),
    sa.Column("tracking_number", sa.String(64), nullable=False, index=True),
    sa.Column("carrier", sa.String(64)),
    sa.Column("status", sa.String(32), nullable=False),
    sa.Column("moved_at", Instant, comment="newest tracking event"),
    sa.Column("events", Json, nullable=False),
    sa.Column("link", sa.Text),
    sa.Column("due_at", Instant, comment="next look; null when the parcel has arrived or nobody tracks it"),
    sa.UniqueConstraint("orders_id", "tracking_number"),
)
_due_index(shipment.c.due_at)

ticket = sa.Table(
    "ticket",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("channel", sa.String(64), sa.ForeignKey("channel.id"), nullable=False),
    sa.Column("via", sa.String(64), sa.ForeignKey("channel.id"), comment="mailbox the messages come through"),
    sa.Column("orders_id", Key, sa.ForeignKey("orders.id"), index=True),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("language", sa.String(8), nullable=False),
    sa.Column("reason", sa.String(32), nullable=False),
    sa.Column("reason_because", sa.Text, nullable=False),
    sa.Column("escalation", sa.Boolean, nullable=False),
    sa.Column("severity", sa.String(8), nullable=False, default="medium"),
    sa.Column("tier", sa.String(32)),
    sa.Column("graded", Json, comment="what an agent has set for good: tier, reason, language; null where nobody has"),
    sa.Column("owner", sa.String(64), comment="who follows it through"),
    sa.Column("buyer_key", sa.String(320), index=True),
    sa.Column("buyer_name", sa.Text),
    sa.Column("buyer_email", sa.String(320)),
    sa.Column("reply_to", sa.Text),
    sa.Column("thread_id", sa.Text, comment="the platform's conversation"),
    sa.Column("token", sa.String(64), nullable=False, comment="keeps the keys of its answers from being guessed"),
    sa.Column("filed_at", Instant, nullable=False, comment="when the buyer sent the first message: pins the pack"),
    sa.Column("opened_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("closed_at", Instant),
    sa.Column("erased_at", Instant, comment="when it was made to forget its buyer; nothing joins it any more"),
    sa.Column("merged_into", Key, sa.ForeignKey("ticket.id"), comment="the ticket that took its place"),
    sa.Column("pack_id", sa.String(64)),
    sa.Column("pack_version", sa.Integer),
    sa.Column("due_at", Instant, comment="earliest running clock"),
    sa.Column("due_metric", sa.String(32)),
    sa.Column("due_source", sa.String(128)),
    sa.Index("ix_ticket_inbox", "state", "due_at"),
    sa.Index("ix_ticket_filed_at", "filed_at"),
    sa.Index("ix_ticket_closed_at", "closed_at"),
)

thread_key = sa.Table(
    "thread_key",
    metadata,
    sa.Column(
        "key", sa.String(512), primary_key=True, comment="what a later message of the same conversation would carry"
    ),
    sa.Column("ticket", Key, sa.ForeignKey("ticket.id"), nullable=False, index=True),
)

order_mention = sa.Table(
    "order_mention",
    metadata,
    sa.Column("word", sa.String(64), primary_key=True, comment="may be an order's number, whose order is not here yet"),
    sa.Column("ticket", Key, sa.ForeignKey("ticket.id"), primary_key=True, index=True),
)

message = sa.Table(
    "message",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("channel", sa.String(64), sa.ForeignKey("channel.id"), nullable=False),
    sa.Column("external_id", sa.String(512), nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("ticket", Key, sa.ForeignKey("ticket.id"), nullable=False, index=True),
    sa.Column("direction", sa.String(8), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("sent_at", Instant, nullable=False),
    sa.Column("stored_at", Instant, nullable=False),
    sa.Column("author", sa.Text),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False, comment="what the author wrote now, quoted text cut"),
    sa.Column("full_text", sa.Text, nullable=False),
    sa.Column("html", sa.Text, comment="cleaned, remote images removed"),
    sa.Column("authenticity", sa.String(8), nullable=False),
    sa.Column("reason_code", sa.String(64)),
    sa.Column("language", sa.String(35), comment="as the platform says"),
    sa.Column("link", sa.Text),
    sa.Column("mail", Json, comment="threading headers"),
    sa.UniqueConstraint("channel", "external_id"),
    sa.Index("ix_message_sent_at", "sent_at"),
)

attachment = sa.Table(
    "attachment",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("message", Key, sa.ForeignKey("message.id"), nullable=False, index=True),
    sa.Column("filename", sa.Text, nullable=False),
    sa.Column("content_type", sa.String(255), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("content", sa.LargeBinary, comment="null where the file was too large to keep"),
    sa.Column("url", sa.Text),
)

correction = sa.Table(
    "correction",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("ticket", Key, sa.ForeignKey("ticket.id"), nullable=False, index=True),
    sa.Column("at", Instant, nullable=False, index=True),
    sa.Column("actor", sa.String(64), nullable=False),
    sa.Column("reason_before", sa.String(32), nullable=False),
    sa.Column("reason_after", sa.String(32), nullable=False),
    sa.Column("language_before", sa.String(8), nullable=False),
    sa.Column("language_after", sa.String(8), nullable=False),
    sa.Column("tier_before", sa.String(32)),
    sa.Column("tier_after", sa.String(32)),
)

cases = sa.Table(
    "cases",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("channel", sa.String(64), sa.ForeignKey("channel.id"), nullable=False),
    sa.Column("external_id", sa.String(255), nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("ticket", Key, sa.ForeignKey("ticket.id"), nullable=False, index=True),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("order_id", sa.String(255)),
    sa.Column("open", sa.Boolean, nullable=False),
    sa.Column("status", sa.String(64), nullable=False),
    sa.Column("opened_at", Instant, nullable=False),
    sa.Column("reason_code", sa.String(64)),
    sa.Column("reason_text", sa.Text, nullable=False),
    sa.Column("amount", Amount),
    sa.Column("currency", sa.String(3)),
    sa.Column("respond_by", Instant),
    sa.Column("available_actions", Json, nullable=False),
    sa.Column("line_ids", Json, nullable=False),
    sa.Column("link", sa.Text),
    sa.UniqueConstraint("channel", "external_id"),
)

clock = sa.Table(
    "clock",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("ticket", Key, sa.ForeignKey("ticket.id"), nullable=False, index=True),
    sa.Column("metric", sa.String(32), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("due_at", Instant),
    sa.Column("met_at", Instant),
    sa.Column("breached_at", Instant),
    sa.Column("detected_at", Instant),
    sa.Column("warned_at", Instant),
    sa.Column("source", sa.String(128), nullable=False),
    sa.Column("body", Json, nullable=False, comment="the whole clock record"),
    sa.Column("next_at", Instant, comment="when a tick has something to do; null when never again"),
)
_due_index(clock.c.next_at)

decision = sa.Table(
    "decision",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("ticket", Key, sa.ForeignKey("ticket.id"), nullable=False, index=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("pack_id", sa.String(64), nullable=False),
    sa.Column("pack_version", sa.Integer, nullable=False),
    sa.Column("summary", sa.Text, nullable=False),
    sa.Column("facts", Json, nullable=False, comment="what was known, each fact by name, so that it can be replayed"),
    sa.Column("body", Json, nullable=False, comment="the whole decision with its trace"),
)

pack_activation = sa.Table(
    "pack_activation",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("pack_id", sa.String(80), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False, comment="SHA-256 of what the file says"),
    sa.Column("effective_from", Instant, nullable=False),
    sa.Column("activated_at", Instant, nullable=False),
    sa.Column("activated_by", sa.String(64), nullable=False),
    sa.Column("summary", sa.Text, nullable=False, comment="what differs from the version before, in words"),
    sa.UniqueConstraint("pack_id", "version"),
)

remedy = sa.Table(
    "remedy",
    metadata,
    sa.Column("key", sa.String(64), primary_key=True, comment="idempotency key, fixed when the row is written"),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("ticket", Key, sa.ForeignKey("ticket.id"), nullable=False, index=True),
    sa.Column("channel", sa.String(64), sa.ForeignKey("channel.id"), nullable=False, comment="where it goes out"),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("order_id", sa.String(255), index=True),
    sa.Column("amount", Amount),
    sa.Column("currency", sa.String(3)),
    sa.Column("rule", sa.String(64)),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column(
        "after", sa.String(64), index=True, comment="the refund this answer speaks of: it leaves once that is settled"
    ),
    sa.Column("stops_clocks", sa.Boolean, nullable=False, default=True),
    sa.Column("body", Json, nullable=False, comment="the command, never changed after it was written"),
    sa.Column("planned_at", Instant, nullable=False),
    sa.Column("approved_by", sa.String(64)),
    sa.Column("approved_at", Instant),
    sa.Column("claimed_at", Instant),
    sa.Column("sent_at", Instant),
    sa.Column("settled_at", Instant),
    sa.Column("external_id", sa.String(512)),
    sa.Column("booked", Amount, comment="what the platform says it paid"),
    sa.Column("result", Json, comment="what the platform handed over, such as a label"),
    sa.Column("refunded_before", Amount, comment="what the order had paid back when this was first claimed"),
    sa.Column("tries", sa.Integer, nullable=False, default=0),
    sa.Column("looks", sa.Integer, nullable=False, default=0, comment="look-ups since it became unknown"),
    sa.Column("detail", sa.Text),
    sa.Column("next_at", Instant, comment="next try or look-up; null when a job has it or nothing is left to do"),
)
_due_index(remedy.c.next_at)

rma = sa.Table(
    "rma",
    metadata,
    sa.Column("key", sa.String(64), primary_key=True, comment="made from the ticket and the lines, so that it is one"),
    sa.Column("number", sa.String(32), nullable=False, unique=True, comment="what buyer and warehouse write"),
    sa.Column("ticket", Key, sa.ForeignKey("ticket.id"), nullable=False, index=True),
    sa.Column("channel", sa.String(64), sa.ForeignKey("channel.id"), nullable=False, comment="of the order"),
    sa.Column("order_id", sa.String(255), nullable=False),
    sa.Column("case_id", sa.String(255)),
    sa.Column("lines", Json, nullable=False, comment="the order lines that come back, by their external id"),
    sa.Column("approval", sa.String(64), sa.ForeignKey("remedy.key"), comment="the platform's own return, approved"),
    sa.Column("label", sa.String(64), sa.ForeignKey("remedy.key")),
    sa.Column("opened_at", Instant, nullable=False),
    sa.Column("opened_by", sa.String(64), nullable=False),
)

survey = sa.Table(
    "survey",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("ticket", Key, sa.ForeignKey("ticket.id"), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False, comment="csat or nps"),
    sa.Column("asked_at", Instant, nullable=False),
    sa.Column("answered_at", Instant, index=True),
    sa.Column("score", sa.Integer, comment="1 to 5 for csat, 0 to 10 for nps"),
    sa.Column("comment", sa.Text),
    sa.UniqueConstraint("ticket", "kind"),
)

alarm = sa.Table(
    "alarm",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("metric", sa.String(32), nullable=False),
    sa.Column("subject", sa.String(64), nullable=False, comment="what it is about, such as a reason"),
    sa.Column("episode", sa.String(128), unique=True, comment="metric and subject; null once it is over"),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("recipients", Json, nullable=False),
    sa.Column("raised_at", Instant, nullable=False, index=True),
    sa.Column("seen_at", Instant, nullable=False, comment="when it was last abnormal"),
    sa.Column("closed_at", Instant),
)

appeal = sa.Table(
    "appeal",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("ticket", Key, sa.ForeignKey("ticket.id"), nullable=False, index=True),
    sa.Column("kind", sa.String(16), nullable=False, comment="appeal, objection or mediation"),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("lodged_by", sa.String(16), nullable=False, comment="desk, mail or hotline"),
    sa.Column("why", sa.Text, nullable=False, comment="what the buyer says"),
    sa.Column("filed_at", Instant, nullable=False),
    sa.Column("opened_by", sa.String(64), nullable=False),
    sa.Column("reviewer", sa.String(64), comment="who is to decide; null while nobody may"),
    sa.Column("mediator", sa.Text, comment="a third party outside the desk"),
    sa.Column("clock", Key, sa.ForeignKey("clock.id"), nullable=False),
    sa.Column("taken_at", Instant, comment="when the review began"),
    sa.Column("decided_at", Instant),
    sa.Column("decided_by", sa.String(64)),
    sa.Column("note", sa.Text, comment="why it was decided so"),
    sa.Column("extended_until", Instant, comment="the end of the service period that an approval extended"),
)

extension = sa.Table(
    "extension",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("ticket", Key, sa.ForeignKey("ticket.id"), nullable=False, index=True),
    sa.Column("clock", Key, sa.ForeignKey("clock.id"), nullable=False),
    sa.Column("seconds", sa.BigInteger, nullable=False, comment="how much more, in the measure of the clock"),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("report", sa.Text, nullable=False, comment="what the marketplace or the manager was told"),
    sa.Column("told", sa.Text, nullable=False, comment="what the buyer was told"),
    sa.Column("notice", sa.String(64), sa.ForeignKey("remedy.key"), comment="the answer that tells it; null by hand"),
    sa.Column("state", sa.String(16), nullable=False, comment="asked, extended or void"),
    sa.Column("asked_by", sa.String(64), nullable=False),
    sa.Column("asked_at", Instant, nullable=False),
    sa.Column("ended_at", Instant),
    sa.Index("ix_extension_notice", "notice"),
)

task = sa.Table(
    "task",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("ticket", Key, sa.ForeignKey("ticket.id"), nullable=False, index=True),
    sa.Column("remedy", sa.String(64), sa.ForeignKey("remedy.key")),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("link", sa.Text, comment="the platform's page where a person can do it"),
    sa.Column("opened_at", Instant, nullable=False),
    sa.Column("closed_at", Instant),
    sa.Column("closed_by", sa.String(64)),
    sa.UniqueConstraint("ticket", "kind", "why"),
)

event = sa.Table(
    "event",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("kind", sa.String(48), nullable=False),
    sa.Column("channel", sa.String(64), nullable=False),
    sa.Column("ticket", Key, index=True),
    sa.Column("actor", sa.String(64), nullable=False),
    sa.Column("data", Json, nullable=False),
    sa.Column("seq", sa.BigInteger, unique=True, comment="place in the chain; null until it is sealed"),
    sa.Column("hidden", Json, comment="keys of `data` that may hold personal data"),
    sa.Column("salt", sa.String(32), comment="of the digest of the hidden values; null where they were erased"),
    sa.Column("digest", sa.String(64), comment="what they were, salted; written when they are erased"),
    sa.Column("hash", sa.String(64), comment="SHA-256 over the row before and this one; see store/audit.py"),
)
sa.Index("ix_event_unsealed", event.c.id, sqlite_where=event.c.seq.is_(None), postgresql_where=event.c.seq.is_(None))
