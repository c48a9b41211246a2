"""A desk with nothing but its outbox: rows, recorded jobs, one channel per scripted platform."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa

from aftersail.core.contract import CaseAction, CaseDecision, Event, Money, RefundRequest, Reply
from aftersail.core.desk.settled import on_settled
from aftersail.core.jobs import JobState
from aftersail.core.remedies import Outbox, plan_case_decision, plan_refund, plan_reply
from aftersail.core.remedies.plan import AUTOMATION
from aftersail.core.store import tables
from aftersail.core.store.engine import open_engine
from aftersail.core.store.unit import Unit, unit_of_work
from tests.conftest import FakeClock
from tests.remedies.platforms import CURRENCY, KINDS, Platform, make_channel

job = sa.Table(
    "recorded_job",
    sa.MetaData(),
    sa.Column("id", sa.String(128), primary_key=True),
    sa.Column("name", sa.String(32)),
    sa.Column("args", sa.JSON),
    sa.Column("key", sa.String(64)),
    sa.Column("queue", sa.String(32)),
    sa.Column("channel", sa.String(64)),
    sa.Column("state", sa.String(16)),
)


def create_tables(url: str) -> None:
    engine = open_engine(url, durable=False)
    tables.metadata.create_all(engine)
    job.metadata.create_all(engine)
    engine.dispose()


_JOBS = job


class RecordedJobs:
    """Jobs as rows of the same transaction. One that fails stays waiting, as the engine would try it again."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def enqueue(self, tx, job_name, *, queue, job_id, args, partition=None, **_) -> bool:
        assert tx.scalar(sa.select(job.c.id).where(job.c.id == job_id)) is None, f"{job_id} is handed over twice"
        row = {"id": job_id, "name": job_name, "args": dict(args), "key": args.get("key"), "queue": str(queue)}
        tx.execute(sa.insert(job).values(**row, channel=partition, state="waiting"))
        return True

    def find(self, job_id: str) -> Any:
        with self._engine.connect() as conn:
            row = conn.execute(sa.select(job).where(job.c.id == job_id)).first()
        return row and SimpleNamespace(job_id=job_id, state=JobState(row.state), error="it broke")

    def list(self, *, job: str, limit: int, states=()) -> list[Any]:
        wanted = sa.select(_JOBS).where(_JOBS.c.name == job).limit(limit)
        if states:
            wanted = wanted.where(_JOBS.c.state.in_([str(state) for state in states]))
        with self._engine.connect() as conn:
            return conn.execute(wanted).all()

    def waiting(self) -> list[Any]:
        with self._engine.connect() as conn:
            return list(conn.execute(sa.select(job).where(job.c.state == "waiting").order_by(job.c.id)).all())

    def close(self) -> None:
        """Like the engine's: the application closes what it was given."""

    def set(self, job_id: str, state: JobState) -> None:
        with self._engine.begin() as conn:
            conn.execute(sa.update(job).where(job.c.id == job_id).values(state=str(state)))


@dataclass(frozen=True)
class Claim:
    """An order with a ticket about it."""

    channel: str
    order_id: str
    ticket: int


class World:
    """Everything a test needs, on one database."""

    def __init__(self, engine: sa.Engine, clock: FakeClock) -> None:
        self.engine = engine
        self.clock = clock
        self.jobs = RecordedJobs(engine)
        self.told: list[tuple[str, Event]] = []
        self.platforms = {name: Platform(clock.now) for name in KINDS}
        self.channels = {name: make_channel(name, platform) for name, platform in self.platforms.items()}
        self.settled = on_settled
        self._numbers = itertools.count(1)
        self._add_channels()
        self.outbox = self.make_outbox(engine)

    def make_outbox(self, engine: sa.Engine) -> Outbox:
        return Outbox(
            engine,
            channel=self.channels.__getitem__,
            jobs=self.jobs,
            now=self.clock.now,
            notify=lambda hook, event: self.told.append((hook, event)),
            settled=self._settle,
        )

    def _settle(self, unit: Unit, row: Any) -> None:
        self.settled(unit, row)

    def _add_channels(self) -> None:
        with self.engine.begin() as conn:
            rows = [{"id": name, "kind": name, "active": True, "poll_seconds": 60, "failures": 0} for name in KINDS]
            conn.execute(sa.insert(tables.channel), rows)

    # -- what the desk has ---------------------------------------------------------------------------------------------

    def unit(self) -> Any:
        return unit_of_work(self.engine, self.clock.now(), lambda hook, event: self.told.append((hook, event)))

    def claim(self, channel: str, order_id: str | None = None, **order: Any) -> Claim:
        """Write a ticket about a new order, or about one that is there."""
        filed = self.clock.now() - timedelta(hours=1)
        with self.engine.begin() as conn:
            table = tables.orders
            if order_id is None:
                order_id = order.get("external_id") or f"o{next(self._numbers)}"
                row = {"channel": channel, "external_id": order_id, "revision": 1, "number": f"#{order_id}"}
                row |= {"placed_at": filed, "currency": CURRENCY, "total": Decimal(100), "status": "paid", "lines": []}
                conn.execute(sa.insert(table).values(**(row | order)))
            known = sa.select(table.c.id).where(table.c.channel == channel, table.c.external_id == order_id)
            ticket = {"channel": channel, "orders_id": conn.scalar(known), "subject": "It broke", "state": "open"}
            ticket |= {"language": "en", "reason": "damaged", "reason_because": "", "escalation": False}
            ticket |= {"filed_at": filed, "opened_at": filed, "updated_at": filed, "token": "t"}
            added = conn.execute(sa.insert(tables.ticket).values(**ticket))
            return Claim(channel, order_id, added.inserted_primary_key[0])

    def refund(self, claim: Claim, amount: str = "10.00", *, approved_by: str | None = AUTOMATION) -> str:
        """Plan a refund and return its key."""
        key = f"{next(self._numbers):08d}-refund"
        body = RefundRequest(
            key=key, order_id=claim.order_id, amount=Money.of(amount, CURRENCY), planned_at=self.clock.now()
        )
        with self.unit() as unit:
            assert plan_refund(
                unit,
                self.jobs,
                ticket=claim.ticket,
                channel=claim.channel,
                refund=body,
                why="rule r",
                approved_by=approved_by,
            )
        return key

    def reply(self, claim: Claim, *, after: str | None = None, approved_by: str | None = AUTOMATION) -> str:
        key = f"{next(self._numbers):08d}-reply"
        body = Reply(key=key, order_id=claim.order_id, subject="Re: It broke", text="We are sorry.")
        where = {"ticket": claim.ticket, "channel": claim.channel}
        with self.unit() as unit:
            plan_reply(unit, self.jobs, **where, reply=body, why="rule r", after=after, approved_by=approved_by)
        return key

    def decide(self, claim: Claim, case_id: str) -> str:
        key = f"{next(self._numbers):08d}-case"
        body = CaseDecision(key=key, case_id=case_id, action=CaseAction.APPROVE)
        where = {"ticket": claim.ticket, "channel": claim.channel}
        with self.unit() as unit:
            assert plan_case_decision(unit, self.jobs, **where, decision=body, why="yes", approved_by="ada")
        return key

    # -- what happens --------------------------------------------------------------------------------------------------

    def run_job(self, row: Any) -> None:
        self.outbox.work(row.key)
        self.jobs.set(row.id, JobState.DONE)

    def run_jobs(self) -> None:
        """Run everything that waits now."""
        for row in self.jobs.waiting():
            self.run_job(row)

    def run_until_quiet(self, rounds: int = 60) -> None:
        """Run what is due and let time pass until nothing is due any more."""
        for _ in range(rounds):
            self.run_jobs()
            due = self.next_due()
            if due is None:
                return
            self.clock.advance(max(0.0, (due - self.clock.now()).total_seconds()))
            self.outbox.hand_over()
        raise AssertionError(f"still going: {self.rows()}")

    def next_due(self) -> datetime | None:
        with self.engine.connect() as conn:
            return conn.scalar(sa.select(sa.func.min(tables.remedy.c.next_at)))

    # -- what came of it -----------------------------------------------------------------------------------------------

    def rows(self) -> list[Any]:
        with self.engine.connect() as conn:
            return list(conn.execute(sa.select(tables.remedy).order_by(tables.remedy.c.key)).all())

    def row(self, key: str) -> Any:
        return next(row for row in self.rows() if row.key == key)

    def state(self, key: str) -> str:
        return self.row(key).state

    def paid(self, claim: Claim) -> int:
        return len(self.platforms[claim.channel].of_order(claim.order_id))

    def tasks(self, key: str, *, open_only: bool = True) -> list[Any]:
        table = tables.task
        wanted = sa.select(table).where(table.c.remedy == key).order_by(table.c.id)
        with self.engine.connect() as conn:
            return list(conn.execute(wanted.where(table.c.closed_at.is_(None)) if open_only else wanted).all())

    def task_kinds(self, key: str) -> list[str]:
        return [task.kind for task in self.tasks(key)]

    def events(self, ticket: int) -> list[str]:
        table = tables.event
        with self.engine.connect() as conn:
            return list(conn.scalars(sa.select(table.c.kind).where(table.c.ticket == ticket).order_by(table.c.id)))

    def hooks(self) -> list[str]:
        return [hook for hook, _ in self.told]

    def get(self, table: sa.Table, *where: sa.ColumnElement[bool]) -> Any:
        with self.engine.connect() as conn:
            return conn.execute(sa.select(table).where(*where)).first()
