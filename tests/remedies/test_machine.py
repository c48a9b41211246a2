"""Any order of events (plans, workers, crashes, time, refunds of others): money leaves once, nothing is forgotten."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from datetime import timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from aftersail.core.jobs import JobState
from aftersail.core.remedies import approve, reject, resolve
from aftersail.core.remedies.people import RemedyError
from aftersail.core.store import tables
from tests.conftest import FakeClock
from tests.remedies.errors import LATER, NEVER, WHO_KNOWS, raising
from tests.remedies.platforms import KINDS, Crash
from tests.remedies.test_crashes import Plug
from tests.remedies.world import World, job

HARMLESS = LATER | NEVER
KIND_NAMES = sorted(KINDS)
EFFECTLESS = {"planned", "refused", "cancelled"}


class Outboxes(RuleBasedStateMachine):
    """One world; what is scripted to fail is scripted before it is called."""

    claims = Bundle("claims")
    keys = Bundle("keys")
    engine: sa.Engine
    plug: Plug

    @initialize()
    def begin(self):
        self.plug.before = None
        with self.engine.begin() as conn:
            for table in [job, *reversed(tables.metadata.sorted_tables)]:
                conn.execute(sa.delete(table))
        self.world = World(self.engine, FakeClock())
        self.planned = {}
        self.crash_before = None

    @contextmanager
    def may_crash(self):
        """The daemon dies here if it is to die, and is started again."""
        self.plug.before, self.crash_before = self.crash_before, None
        with suppress(Crash):
            yield
        self.plug.before = None

    def platform(self, claim):
        return self.world.platforms[claim.channel]

    # -- what the desk does --------------------------------------------------------------------------------------------

    @rule(target=claims, kind=st.sampled_from(KIND_NAMES))
    def file(self, kind):
        return self.world.claim(kind)

    @rule(target=claims, claim=claims)
    def file_again(self, claim):
        return self.world.claim(claim.channel, claim.order_id)

    @rule(target=keys, claim=claims, amount=st.sampled_from(["10.00", "30.00", "60.00"]), by_person=st.booleans())
    def plan(self, claim, amount, by_person):
        key = self.world.refund(claim, amount, approved_by=None if by_person else "automation")
        self.planned[key] = claim
        return key

    @rule(key=keys)
    def answer(self, key):
        self.world.reply(self.planned[key], after=key)

    @rule(key=keys, yes=st.booleans())
    def decide(self, key, yes):
        try:
            with self.world.unit() as unit:
                approve(unit, self.world.jobs, key, "ada") if yes else reject(unit, key, "ada", "no")
        except RemedyError:
            return

    @rule(key=keys)
    def look(self, key):
        """A person looks at the platform's page, once they are asked to."""
        claim = self.planned[key]
        if self.world.state(key) == "unknown" and self.world.task_kinds(key):
            happened = bool(self.platform(claim).of_key(key))
            with self.world.unit() as unit:
                resolve(unit, self.world.jobs, key, "ada", happened=happened)

    @rule()
    def work(self):
        for row in self.world.jobs.waiting():
            with self.may_crash():
                self.world.run_job(row)

    @rule(key=keys)
    def work_again(self, key):
        """The engine runs a job whose end it did not see, or two of one remedy."""
        with self.may_crash():
            self.world.outbox.work(key)

    @rule()
    def tick(self):
        with self.may_crash():
            self.world.outbox.hand_over()
            self.world.outbox.rescue()

    @rule(seconds=st.sampled_from([1, 10, 70, 300, 4000]))
    def wait(self, seconds):
        self.world.clock.advance(seconds)

    # -- what goes wrong -----------------------------------------------------------------------------------------------

    @rule(claim=claims, name=st.sampled_from(sorted(HARMLESS)))
    def harmless_error(self, claim, name):
        self.platform(claim).fail(claim.order_id, HARMLESS[name])

    @rule(claim=claims, name=st.sampled_from([*sorted(WHO_KNOWS), "crash"]), after_effect=st.booleans())
    def lost_answer(self, claim, name, after_effect):
        fail = raising(Crash()) if name == "crash" else WHO_KNOWS[name]
        self.platform(claim).fail(claim.order_id, fail, after_effect=after_effect)

    @rule(claim=claims, name=st.sampled_from(sorted(LATER | WHO_KNOWS)))
    def failing_look_up(self, claim, name):
        if name != "wrong type":
            self.platform(claim).asking.setdefault(claim.order_id, []).append((LATER | WHO_KNOWS)[name])

    @rule(commits=st.integers(1, 4))
    def crash_at_a_commit(self, commits):
        self.crash_before = commits

    @rule()
    def lose_jobs(self):
        for row in self.world.jobs.waiting():
            self.world.jobs.set(row.id, JobState.CANCELLED)

    @rule(kind=st.sampled_from(KIND_NAMES), seconds=st.sampled_from([0, 5, 240]))
    def lag(self, kind, seconds):
        self.world.platforms[kind].lag = timedelta(seconds=seconds)

    @rule(claim=claims)
    def somebody_else_refunds(self, claim):
        self.platform(claim).book(claim.order_id, Decimal(3))

    # -- what always holds ---------------------------------------------------------------------------------------------

    @invariant()
    def money_leaves_once(self):
        if not hasattr(self, "world"):
            return
        rows = {row.key: row for row in self.world.rows()}
        for key, claim in self.planned.items():
            booked, row = self.platform(claim).of_key(key), rows[key]
            assert len(booked) <= 1, f"{key} was paid {len(booked)} times"
            if row.state == "settled":
                assert [line.amount for line in booked] == [row.amount]
                assert row.booked in {row.amount, None}
            elif row.state in EFFECTLESS:
                assert booked == [], f"{key} is {row.state}, but was paid"
        for row in rows.values():
            if row.kind == "reply" and row.state not in {"planned", "cancelled"}:
                assert rows[row.after].state == "settled"

    def teardown(self):
        """Nothing goes wrong any more: everything comes to its end, or a person is asked."""
        if not hasattr(self, "world"):
            return
        self.crash_before = None
        for platform in self.world.platforms.values():
            platform.faults.clear()
            platform.asking.clear()
        for _ in range(30):
            self.work()
            self.world.clock.advance(301)
            self.world.outbox.hand_over()
            self.world.outbox.rescue()
        self.money_leaves_once()
        rows = self.world.rows()
        asked = {row.order_id for row in rows if row.state == "unknown" and self.world.task_kinds(row.key)}
        for row in rows:
            assert row.state not in {"claimed", "sent"}, row
            if row.state == "unknown":
                assert self.world.task_kinds(row.key), f"{row.key} is forgotten"
            elif row.state == "approved":
                assert row.order_id in asked, f"{row.key} waits for nothing"


@pytest.mark.parametrize(
    ("examples", "steps"), [(12, 30), pytest.param(40, 50, marks=[pytest.mark.slow, pytest.mark.timeout(300)])]
)
def test_in_any_order_of_events_money_leaves_once(engine, examples, steps):
    machine = type("Machine", (Outboxes,), {"engine": engine, "plug": Plug(engine)})
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, suppress_health_check=checks, deadline=None
        ),
    )
