"""The first schema.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "alarm",
        sa.Column("id", KEY, nullable=False),
        sa.Column("metric", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False, comment="what it is about, such as a reason"),
        sa.Column("episode", sa.String(length=128), nullable=True, comment="metric and subject; null once it is over"),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("recipients", JSON, nullable=False),
        sa.Column("raised_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False, comment="when it was last abnormal"),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm")),
        sa.UniqueConstraint("episode", name=op.f("uq_alarm_episode")),
    )
    op.create_index(op.f("ix_alarm_raised_at"), "alarm", ["raised_at"], unique=False)
    op.create_table(
        "channel",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("poll_seconds", sa.Integer(), nullable=False),
        sa.Column(
            "due_at",
            sa.BigInteger(),
            nullable=True,
            comment="next sync; null while one is under way or the channel is off",
        ),
        sa.Column("armed_at", sa.BigInteger(), nullable=True, comment="when the sync under way was handed over"),
        sa.Column(
            "hinted_at",
            sa.BigInteger(),
            nullable=True,
            comment="when a webhook came while a sync was under way: sync once more",
        ),
        sa.Column("synced_at", sa.BigInteger(), nullable=True, comment="last sync that reached its end"),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("attention", sa.Text(), nullable=True, comment="why a person is needed; null when all is well"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel")),
    )
    op.create_index(
        "ix_channel_due_at_due",
        "channel",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_table(
        "event",
        sa.Column("id", KEY, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=48), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("ticket", KEY, nullable=True),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("data", JSON, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=True, comment="place in the chain; null until it is sealed"),
        sa.Column("hidden", JSON, nullable=True, comment="keys of `data` that may hold personal data"),
        sa.Column(
            "salt",
            sa.String(length=32),
            nullable=True,
            comment="of the digest of the hidden values; null where they were erased",
        ),
        sa.Column(
            "digest",
            sa.String(length=64),
            nullable=True,
            comment="what they were, salted; written when they are erased",
        ),
        sa.Column(
            "hash",
            sa.String(length=64),
            nullable=True,
            comment="SHA-256 over the row before and this one; see store/audit.py",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        sa.UniqueConstraint("seq", name=op.f("uq_event_seq")),
    )
    op.create_index(op.f("ix_event_ticket"), "event", ["ticket"], unique=False)
    op.create_index(
        "ix_event_unsealed",
        "event",
        ["id"],
        unique=False,
        sqlite_where=sa.text("seq IS NULL"),
        postgresql_where=sa.text("seq IS NULL"),
    )
    op.create_table(
        "hold",
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("operation", sa.String(length=128), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False, comment="the platform asked for no call before"),
        sa.PrimaryKeyConstraint("channel", "operation", name=op.f("pk_hold")),
    )
    op.create_table(
        "pack_activation",
        sa.Column("id", KEY, nullable=False),
        sa.Column("pack_id", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False, comment="SHA-256 of what the file says"),
        sa.Column("effective_from", sa.BigInteger(), nullable=False),
        sa.Column("activated_at", sa.BigInteger(), nullable=False),
        sa.Column("activated_by", sa.String(length=64), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False, comment="what differs from the version before, in words"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pack_activation")),
        sa.UniqueConstraint("pack_id", "version", name=op.f("uq_pack_activation_pack_id_version")),
    )
    op.create_table(
        "cursor",
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("stream", sa.String(length=16), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("saved_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["channel"], ["channel.id"], name=op.f("fk_cursor_channel")),
        sa.PrimaryKeyConstraint("channel", "stream", name=op.f("pk_cursor")),
    )
    op.create_table(
        "orders",
        sa.Column("id", KEY, nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("external_id", sa.String(length=255), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.String(length=64), nullable=False),
        sa.Column("placed_at", sa.BigInteger(), nullable=False),
        sa.Column("delivered_at", sa.BigInteger(), nullable=True),
        sa.Column(
            "buyer_key",
            sa.String(length=320),
            nullable=True,
            comment="who bought: platform id, else address in lower case",
        ),
        sa.Column("buyer_name", sa.Text(), nullable=True),
        sa.Column("buyer_email", sa.String(length=320), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("refunded", sa.BigInteger(), nullable=True),
        sa.Column("refundable", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("shipping_paid", sa.BigInteger(), nullable=True, comment="for delivery, before refunds"),
        sa.Column("ship_country", sa.String(length=2), nullable=True),
        sa.Column("ship_region", sa.String(length=6), nullable=True),
        sa.Column("locale", sa.String(length=35), nullable=True),
        sa.Column("link", sa.Text(), nullable=True),
        sa.Column("lines", JSON, nullable=False),
        sa.Column("erased_at", sa.BigInteger(), nullable=True, comment="when it was made to forget its buyer"),
        sa.ForeignKeyConstraint(["channel"], ["channel.id"], name=op.f("fk_orders_channel")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint("channel", "external_id", name=op.f("uq_orders_channel_external_id")),
    )
    op.create_index(op.f("ix_orders_buyer_key"), "orders", ["buyer_key"], unique=False)
    op.create_index(op.f("ix_orders_number"), "orders", ["number"], unique=False)
    op.create_table(
        "shipment",
        sa.Column("id", KEY, nullable=False),
        sa.Column("orders_id", KEY, nullable=False),
        sa.Column("tracking_number", sa.String(length=64), nullable=False),
        sa.Column("carrier", sa.String(length=64), nullable=True),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("moved_at", sa.BigInteger(), nullable=True, comment="newest tracking event"),
        sa.Column("events", JSON, nullable=False),
        sa.Column("link", sa.Text(), nullable=True),
        sa.Column(
            "due_at",
            sa.BigInteger(),
            nullable=True,
            comment="next look; null when the parcel has arrived or nobody tracks it",
        ),
        sa.ForeignKeyConstraint(["orders_id"], ["orders.id"], name=op.f("fk_shipment_orders_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shipment")),
        sa.UniqueConstraint("orders_id", "tracking_number", name=op.f("uq_shipment_orders_id_tracking_number")),
    )
    op.create_index(
        "ix_shipment_due_at_due",
        "shipment",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index(op.f("ix_shipment_orders_id"), "shipment", ["orders_id"], unique=False)
    op.create_index(op.f("ix_shipment_tracking_number"), "shipment", ["tracking_number"], unique=False)
    op.create_table(
        "ticket",
        sa.Column("id", KEY, nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("via", sa.String(length=64), nullable=True, comment="mailbox the messages come through"),
        sa.Column("orders_id", KEY, nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("reason_because", sa.Text(), nullable=False),
        sa.Column("escalation", sa.Boolean(), nullable=False),
        sa.Column("severity", sa.String(length=8), nullable=False),
        sa.Column("tier", sa.String(length=32), nullable=True),
        sa.Column(
            "graded",
            JSON,
            nullable=True,
            comment="what an agent has set for good: tier, reason, language; null where nobody has",
        ),
        sa.Column("owner", sa.String(length=64), nullable=True, comment="who follows it through"),
        sa.Column("buyer_key", sa.String(length=320), nullable=True),
        sa.Column("buyer_name", sa.Text(), nullable=True),
        sa.Column("buyer_email", sa.String(length=320), nullable=True),
        sa.Column("reply_to", sa.Text(), nullable=True),
        sa.Column("thread_id", sa.Text(), nullable=True, comment="the platform's conversation"),
        sa.Column(
            "token", sa.String(length=64), nullable=False, comment="keeps the keys of its answers from being guessed"
        ),
        sa.Column(
            "filed_at", sa.BigInteger(), nullable=False, comment="when the buyer sent the first message: pins the pack"
        ),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column(
            "erased_at",
            sa.BigInteger(),
            nullable=True,
            comment="when it was made to forget its buyer; nothing joins it any more",
        ),
        sa.Column("merged_into", KEY, nullable=True, comment="the ticket that took its place"),
        sa.Column("pack_id", sa.String(length=64), nullable=True),
        sa.Column("pack_version", sa.Integer(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True, comment="earliest running clock"),
        sa.Column("due_metric", sa.String(length=32), nullable=True),
        sa.Column("due_source", sa.String(length=128), nullable=True),
        sa.ForeignKeyConstraint(["channel"], ["channel.id"], name=op.f("fk_ticket_channel")),
        sa.ForeignKeyConstraint(["merged_into"], ["ticket.id"], name=op.f("fk_ticket_merged_into")),
        sa.ForeignKeyConstraint(["orders_id"], ["orders.id"], name=op.f("fk_ticket_orders_id")),
        sa.ForeignKeyConstraint(["via"], ["channel.id"], name=op.f("fk_ticket_via")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket")),
    )
    op.create_index(op.f("ix_ticket_buyer_key"), "ticket", ["buyer_key"], unique=False)
    op.create_index("ix_ticket_closed_at", "ticket", ["closed_at"], unique=False)
    op.create_index("ix_ticket_filed_at", "ticket", ["filed_at"], unique=False)
    op.create_index("ix_ticket_inbox", "ticket", ["state", "due_at"], unique=False)
    op.create_index(op.f("ix_ticket_orders_id"), "ticket", ["orders_id"], unique=False)
    op.create_table(
        "cases",
        sa.Column("id", KEY, nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("external_id", sa.String(length=255), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("ticket", KEY, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("order_id", sa.String(length=255), nullable=True),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("reason_code", sa.String(length=64), nullable=True),
        sa.Column("reason_text", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("respond_by", sa.BigInteger(), nullable=True),
        sa.Column("available_actions", JSON, nullable=False),
        sa.Column("line_ids", JSON, nullable=False),
        sa.Column("link", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["channel"], ["channel.id"], name=op.f("fk_cases_channel")),
        sa.ForeignKeyConstraint(["ticket"], ["ticket.id"], name=op.f("fk_cases_ticket")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
        sa.UniqueConstraint("channel", "external_id", name=op.f("uq_cases_channel_external_id")),
    )
    op.create_index(op.f("ix_cases_ticket"), "cases", ["ticket"], unique=False)
    op.create_table(
        "clock",
        sa.Column("id", KEY, nullable=False),
        sa.Column("ticket", KEY, nullable=False),
        sa.Column("metric", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("met_at", sa.BigInteger(), nullable=True),
        sa.Column("breached_at", sa.BigInteger(), nullable=True),
        sa.Column("detected_at", sa.BigInteger(), nullable=True),
        sa.Column("warned_at", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.String(length=128), nullable=False),
        sa.Column("body", JSON, nullable=False, comment="the whole clock record"),
        sa.Column(
            "next_at", sa.BigInteger(), nullable=True, comment="when a tick has something to do; null when never again"
        ),
        sa.ForeignKeyConstraint(["ticket"], ["ticket.id"], name=op.f("fk_clock_ticket")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clock")),
    )
    op.create_index(
        "ix_clock_next_at_due",
        "clock",
        ["next_at"],
        unique=False,
        sqlite_where=sa.text("next_at IS NOT NULL"),
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )
    op.create_index(op.f("ix_clock_ticket"), "clock", ["ticket"], unique=False)
    op.create_table(
        "correction",
        sa.Column("id", KEY, nullable=False),
        sa.Column("ticket", KEY, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("reason_before", sa.String(length=32), nullable=False),
        sa.Column("reason_after", sa.String(length=32), nullable=False),
        sa.Column("language_before", sa.String(length=8), nullable=False),
        sa.Column("language_after", sa.String(length=8), nullable=False),
        sa.Column("tier_before", sa.String(length=32), nullable=True),
        sa.Column("tier_after", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["ticket"], ["ticket.id"], name=op.f("fk_correction_ticket")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_correction")),
    )
    op.create_index(op.f("ix_correction_at"), "correction", ["at"], unique=False)
    op.create_index(op.f("ix_correction_ticket"), "correction", ["ticket"], unique=False)
    op.create_table(
        "decision",
        sa.Column("id", KEY, nullable=False),
        sa.Column("ticket", KEY, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("pack_id", sa.String(length=64), nullable=False),
        sa.Column("pack_version", sa.Integer(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column(
            "facts", JSON, nullable=False, comment="what was known, each fact by name, so that it can be replayed"
        ),
        sa.Column("body", JSON, nullable=False, comment="the whole decision with its trace"),
        sa.ForeignKeyConstraint(["ticket"], ["ticket.id"], name=op.f("fk_decision_ticket")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
    )
    op.create_index(op.f("ix_decision_ticket"), "decision", ["ticket"], unique=False)
    op.create_table(
        "message",
        sa.Column("id", KEY, nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("external_id", sa.String(length=512), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("ticket", KEY, nullable=False),
        sa.Column("direction", sa.String(length=8), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=False),
        sa.Column("stored_at", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False, comment="what the author wrote now, quoted text cut"),
        sa.Column("full_text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=True, comment="cleaned, remote images removed"),
        sa.Column("authenticity", sa.String(length=8), nullable=False),
        sa.Column("reason_code", sa.String(length=64), nullable=True),
        sa.Column("language", sa.String(length=35), nullable=True, comment="as the platform says"),
        sa.Column("link", sa.Text(), nullable=True),
        sa.Column("mail", JSON, nullable=True, comment="threading headers"),
        sa.ForeignKeyConstraint(["channel"], ["channel.id"], name=op.f("fk_message_channel")),
        sa.ForeignKeyConstraint(["ticket"], ["ticket.id"], name=op.f("fk_message_ticket")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint("channel", "external_id", name=op.f("uq_message_channel_external_id")),
    )
    op.create_index("ix_message_sent_at", "message", ["sent_at"], unique=False)
    op.create_index(op.f("ix_message_ticket"), "message", ["ticket"], unique=False)
    op.create_table(
        "order_mention",
        sa.Column(
            "word",
            sa.String(length=64),
            nullable=False,
            comment="may be an order's number, whose order is not here yet",
        ),
        sa.Column("ticket", KEY, nullable=False),
        sa.ForeignKeyConstraint(["ticket"], ["ticket.id"], name=op.f("fk_order_mention_ticket")),
        sa.PrimaryKeyConstraint("word", "ticket", name=op.f("pk_order_mention")),
    )
    op.create_index(op.f("ix_order_mention_ticket"), "order_mention", ["ticket"], unique=False)
    op.create_table(
        "remedy",
        sa.Column(
            "key", sa.String(length=64), nullable=False, comment="idempotency key, fixed when the row is written"
        ),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("ticket", KEY, nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False, comment="where it goes out"),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("order_id", sa.String(length=255), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("rule", sa.String(length=64), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column(
            "after",
            sa.String(length=64),
            nullable=True,
            comment="the refund this answer speaks of: it leaves once that is settled",
        ),
        sa.Column("stops_clocks", sa.Boolean(), nullable=False),
        sa.Column("body", JSON, nullable=False, comment="the command, never changed after it was written"),
        sa.Column("planned_at", sa.BigInteger(), nullable=False),
        sa.Column("approved_by", sa.String(length=64), nullable=True),
        sa.Column("approved_at", sa.BigInteger(), nullable=True),
        sa.Column("claimed_at", sa.BigInteger(), nullable=True),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("external_id", sa.String(length=512), nullable=True),
        sa.Column("booked", sa.BigInteger(), nullable=True, comment="what the platform says it paid"),
        sa.Column("result", JSON, nullable=True, comment="what the platform handed over, such as a label"),
        sa.Column(
            "refunded_before",
            sa.BigInteger(),
            nullable=True,
            comment="what the order had paid back when this was first claimed",
        ),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("looks", sa.Integer(), nullable=False, comment="look-ups since it became unknown"),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column(
            "next_at",
            sa.BigInteger(),
            nullable=True,
            comment="next try or look-up; null when a job has it or nothing is left to do",
        ),
        sa.ForeignKeyConstraint(["channel"], ["channel.id"], name=op.f("fk_remedy_channel")),
        sa.ForeignKeyConstraint(["ticket"], ["ticket.id"], name=op.f("fk_remedy_ticket")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_remedy")),
    )
    op.create_index(op.f("ix_remedy_after"), "remedy", ["after"], unique=False)
    op.create_index(
        "ix_remedy_next_at_due",
        "remedy",
        ["next_at"],
        unique=False,
        sqlite_where=sa.text("next_at IS NOT NULL"),
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )
    op.create_index(op.f("ix_remedy_order_id"), "remedy", ["order_id"], unique=False)
    op.create_index(op.f("ix_remedy_state"), "remedy", ["state"], unique=False)
    op.create_index(op.f("ix_remedy_ticket"), "remedy", ["ticket"], unique=False)
    op.create_table(
        "survey",
        sa.Column("id", KEY, nullable=False),
        sa.Column("ticket", KEY, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False, comment="csat or nps"),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("score", sa.Integer(), nullable=True, comment="1 to 5 for csat, 0 to 10 for nps"),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["ticket"], ["ticket.id"], name=op.f("fk_survey_ticket")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_survey")),
        sa.UniqueConstraint("ticket", "kind", name=op.f("uq_survey_ticket_kind")),
    )
    op.create_index(op.f("ix_survey_answered_at"), "survey", ["answered_at"], unique=False)
    op.create_table(
        "thread_key",
        sa.Column(
            "key",
            sa.String(length=512),
            nullable=False,
            comment="what a later message of the same conversation would carry",
        ),
        sa.Column("ticket", KEY, nullable=False),
        sa.ForeignKeyConstraint(["ticket"], ["ticket.id"], name=op.f("fk_thread_key_ticket")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_thread_key")),
    )
    op.create_index(op.f("ix_thread_key_ticket"), "thread_key", ["ticket"], unique=False)
    op.create_table(
        "appeal",
        sa.Column("id", KEY, nullable=False),
        sa.Column("ticket", KEY, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False, comment="appeal, objection or mediation"),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("lodged_by", sa.String(length=16), nullable=False, comment="desk, mail or hotline"),
        sa.Column("why", sa.Text(), nullable=False, comment="what the buyer says"),
        sa.Column("filed_at", sa.BigInteger(), nullable=False),
        sa.Column("opened_by", sa.String(length=64), nullable=False),
        sa.Column("reviewer", sa.String(length=64), nullable=True, comment="who is to decide; null while nobody may"),
        sa.Column("mediator", sa.Text(), nullable=True, comment="a third party outside the desk"),
        sa.Column("clock", KEY, nullable=False),
        sa.Column("taken_at", sa.BigInteger(), nullable=True, comment="when the review began"),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("decided_by", sa.String(length=64), nullable=True),
        sa.Column("note", sa.Text(), nullable=True, comment="why it was decided so"),
        sa.Column(
            "extended_until",
            sa.BigInteger(),
            nullable=True,
            comment="the end of the service period that an approval extended",
        ),
        sa.ForeignKeyConstraint(["clock"], ["clock.id"], name=op.f("fk_appeal_clock")),
        sa.ForeignKeyConstraint(["ticket"], ["ticket.id"], name=op.f("fk_appeal_ticket")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appeal")),
    )
    op.create_index(op.f("ix_appeal_state"), "appeal", ["state"], unique=False)
    op.create_index(op.f("ix_appeal_ticket"), "appeal", ["ticket"], unique=False)
    op.create_table(
        "attachment",
        sa.Column("id", KEY, nullable=False),
        sa.Column("message", KEY, nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("content_type", sa.String(length=255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True, comment="null where the file was too large to keep"),
        sa.Column("url", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["message"], ["message.id"], name=op.f("fk_attachment_message")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachment")),
    )
    op.create_index(op.f("ix_attachment_message"), "attachment", ["message"], unique=False)
    op.create_table(
        "extension",
        sa.Column("id", KEY, nullable=False),
        sa.Column("ticket", KEY, nullable=False),
        sa.Column("clock", KEY, nullable=False),
        sa.Column("seconds", sa.BigInteger(), nullable=False, comment="how much more, in the measure of the clock"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("report", sa.Text(), nullable=False, comment="what the marketplace or the manager was told"),
        sa.Column("told", sa.Text(), nullable=False, comment="what the buyer was told"),
        sa.Column("notice", sa.String(length=64), nullable=True, comment="the answer that tells it; null by hand"),
        sa.Column("state", sa.String(length=16), nullable=False, comment="asked, extended or void"),
        sa.Column("asked_by", sa.String(length=64), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["clock"], ["clock.id"], name=op.f("fk_extension_clock")),
        sa.ForeignKeyConstraint(["notice"], ["remedy.key"], name=op.f("fk_extension_notice")),
        sa.ForeignKeyConstraint(["ticket"], ["ticket.id"], name=op.f("fk_extension_ticket")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_extension")),
    )
    op.create_index("ix_extension_notice", "extension", ["notice"], unique=False)
    op.create_index(op.f("ix_extension_ticket"), "extension", ["ticket"], unique=False)
    op.create_table(
        "rma",
        sa.Column(
            "key", sa.String(length=64), nullable=False, comment="made from the ticket and the lines, so that it is one"
        ),
        sa.Column("number", sa.String(length=32), nullable=False, comment="what buyer and warehouse write"),
        sa.Column("ticket", KEY, nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False, comment="of the order"),
        sa.Column("order_id", sa.String(length=255), nullable=False),
        sa.Column("case_id", sa.String(length=255), nullable=True),
        sa.Column("lines", JSON, nullable=False, comment="the order lines that come back, by their external id"),
        sa.Column("approval", sa.String(length=64), nullable=True, comment="the platform's own return, approved"),
        sa.Column("label", sa.String(length=64), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("opened_by", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["approval"], ["remedy.key"], name=op.f("fk_rma_approval")),
        sa.ForeignKeyConstraint(["channel"], ["channel.id"], name=op.f("fk_rma_channel")),
        sa.ForeignKeyConstraint(["label"], ["remedy.key"], name=op.f("fk_rma_label")),
        sa.ForeignKeyConstraint(["ticket"], ["ticket.id"], name=op.f("fk_rma_ticket")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_rma")),
        sa.UniqueConstraint("number", name=op.f("uq_rma_number")),
    )
    op.create_index(op.f("ix_rma_ticket"), "rma", ["ticket"], unique=False)
    op.create_table(
        "task",
        sa.Column("id", KEY, nullable=False),
        sa.Column("ticket", KEY, nullable=False),
        sa.Column("remedy", sa.String(length=64), nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=True, comment="the platform's page where a person can do it"),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_by", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["remedy"], ["remedy.key"], name=op.f("fk_task_remedy")),
        sa.ForeignKeyConstraint(["ticket"], ["ticket.id"], name=op.f("fk_task_ticket")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
        sa.UniqueConstraint("ticket", "kind", "why", name=op.f("uq_task_ticket_kind_why")),
    )
    op.create_index(op.f("ix_task_ticket"), "task", ["ticket"], unique=False)

    op.create_table(
        "job",
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("queue", sa.String(length=64), nullable=False),
        sa.Column("partition", sa.String(length=255), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("args", JSON, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False, comment="counts hand-overs to the engine; an older one is void"),
        sa.Column(
            "attempts", sa.Integer(), nullable=False, comment="attempts begun, crashed ones too; retry sets it to 0"
        ),
        sa.Column("cancelling", sa.Boolean(), nullable=False, comment="cancelled while running: no further attempt"),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("worker", sa.String(length=128), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_job_finished_at", "job", ["finished_at"], unique=False)
    op.create_index("ix_job_state_created_at", "job", ["state", "created_at"], unique=False)
    op.create_table(
        "schedule",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("claimed_by", sa.String(length=128), nullable=True),
        sa.Column("claimed_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "worker",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=False, comment="dead when this has passed"),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    """Drop every table."""
    op.drop_table("worker")
    op.drop_table("schedule")
    op.drop_table("job")
    op.drop_table("task")
    op.drop_table("rma")
    op.drop_table("extension")
    op.drop_table("attachment")
    op.drop_table("appeal")
    op.drop_table("thread_key")
    op.drop_table("survey")
    op.drop_table("remedy")
    op.drop_table("order_mention")
    op.drop_table("message")
    op.drop_table("decision")
    op.drop_table("correction")
    op.drop_table("clock")
    op.drop_table("cases")
    op.drop_table("ticket")
    op.drop_table("shipment")
    op.drop_table("orders")
    op.drop_table("cursor")
    op.drop_table("pack_activation")
    op.drop_table("hold")
    op.drop_table("event")
    op.drop_table("channel")
    op.drop_table("alarm")
