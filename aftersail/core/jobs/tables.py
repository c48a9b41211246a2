"""Our own tables beside the engine's: what became of each job, which workers live, when schedules are due."""

from __future__ import annotations

import sqlalchemy as sa

from aftersail.core.store.types import Instant, Json

metadata = sa.MetaData()

job = sa.Table(
    "job",
    metadata,
    sa.Column("id", sa.String(255), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("queue", sa.String(64), nullable=False),
    sa.Column("partition", sa.String(255), nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("args", Json, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("run", sa.Integer, nullable=False, comment="counts hand-overs to the engine; an older one is void"),
    sa.Column("attempts", sa.Integer, nullable=False, comment="attempts begun, crashed ones too; retry sets it to 0"),
    sa.Column("cancelling", sa.Boolean, nullable=False, comment="cancelled while running: no further attempt"),
    sa.Column("error", sa.Text),
    sa.Column("worker", sa.String(128)),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("due_at", Instant),
    sa.Column("started_at", Instant),
    sa.Column("finished_at", Instant),
    sa.Index("ix_job_state_created_at", "state", "created_at"),
    sa.Index("ix_job_finished_at", "finished_at"),
)

worker = sa.Table(
    "worker",
    metadata,
    sa.Column("id", sa.String(128), primary_key=True),
    sa.Column("lease_until", Instant, nullable=False, comment="dead when this has passed"),
)

schedule = sa.Table(
    "schedule",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("claimed_by", sa.String(128)),
    sa.Column("claimed_until", Instant),
)


def create_all(engine: sa.Engine) -> None:
    """Create these tables where migrations do not, as in tests."""
    with engine.begin() as tx:
        metadata.create_all(tx)
