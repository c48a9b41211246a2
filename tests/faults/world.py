"""A whole desk in one process over marketplaces in boxes: one seed is one world, and time only moves when it is told.

    with World(databases, "hang after", seed=7) as world:
        world.live()
        assert world.findings() == []

Everything is the project's own but the job engine, which is a table of jobs run one after another (`RecordedJobs`).
With `deaths` the process dies at commits and around calls, as often as chance wants, and is started again.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

import httpx
import sqlalchemy as sa
from pydantic import SecretStr

from aftersail.core.contract import CaseAction, CaseDecision
from aftersail.core.host import Host
from aftersail.core.host.plugins import Candidate
from aftersail.core.jobs import JobState
from aftersail.core.remedies import RemedyKind, plan_case_decision
from aftersail.core.remedies.plan import remedy_key
from aftersail.core.runtime import recounting, syncing
from aftersail.core.runtime.app import App
from aftersail.core.runtime.channels import ChannelDirectory
from aftersail.core.runtime.daemon import Daemon
from aftersail.core.runtime.keeping import StoredHolds
from aftersail.core.runtime.settings import ChannelSettings, Settings
from aftersail.core.store import tables
from aftersail.core.store.engine import open_engine, reading
from aftersail.core.store.unit import unit_of_work
from aftersail.sdk.testing.context import FixedClock, make_context
from aftersail.sdk.testing.marketplace import Change, Marketplace
from aftersail.sdk.testing.weather import Weather
from tests.builders import _COMPILED, PACKS
from tests.databases import Databases
from tests.faults.connector import KINDS, Plugin
from tests.faults.skies import SKIES
from tests.remedies.world import RecordedJobs, job

POLL: Final = timedelta(minutes=10)
STORMY: Final = timedelta(minutes=40)
"""So long things go wrong; what then is still open must come to its end."""
_SOON: Final = timedelta(minutes=40)
COMPLAINT: Final = "There is a small scratch on the handle of the mug."
_NEUTRAL: Final = "Is there any news?"


class CrashError(BaseException):
    """The process dies here; nothing that catches errors catches it."""


class Deaths:
    """Lets the process die right before commits, and right before and after calls."""

    def __init__(self, chance: random.Random, most: int) -> None:
        self.chance, self.left, self.happened = chance, most, 0

    def maybe(self, *_: object) -> None:
        if self.left > 0 and self.chance.random() < 0.04:
            self.left -= 1
            self.happened += 1
            raise CrashError

    def around(self, transport: httpx.BaseTransport) -> httpx.BaseTransport:
        def handle(request: httpx.Request) -> httpx.Response:
            self.maybe()
            response = transport.handle_request(request)
            if response.status_code != httpx.codes.TOO_MANY_REQUESTS:  # see `_Holds`
                self.maybe()
            return response

        return httpx.MockTransport(handle)


class _Holds(StoredHolds):
    """Who dies before it has written down that it should wait cannot know it, so nobody dies there."""

    world: World

    def hold(self, operation: str, until: datetime) -> None:
        left, self.world.deaths.left = self.world.deaths.left, 0
        super().hold(operation, until)
        self.world.deaths.left = left


class _Directory(ChannelDirectory):
    """Channels over the simulators instead of the network."""

    world: World

    def build_from(self, channel: str, kind: str, values: Any) -> Any:
        kept = self._context(channel)
        transport = self.world.deaths.around(self.world.markets[channel].transport())
        context = make_context(channel, transport=transport, clock=self.world.clock)
        holds = _Holds(self._engine, channel)
        holds.world = self.world
        return self._host.build_channel(kind, values, replace(context, holds=holds, keeper=kept.keeper))


def build_store(url: str) -> None:
    """Build the template `faults`."""
    with App(Settings(database=url), Path(), plugins=False) as app:
        app.migrate()
        job.metadata.create_all(app.engine)


class World:
    """One world: a marketplace for each kind of idempotency, all under one sky.

    Attributes:
        renewed: how often a person had to connect a channel anew, by channel.
        markets: the platforms, by channel; a channel is called as its kind.
    """

    def __init__(
        self,
        databases: Databases,
        folder: Path,
        sky: str,
        seed: int,
        *,
        kinds: tuple[str, ...] = tuple(KINDS),
        deaths: int = 0,
    ) -> None:
        self.name = f"{sky!r} seed {seed} deaths {deaths}"
        self.sky, self.seed = SKIES[sky], seed
        self.chance = random.Random(f"world {sky} {seed}")
        self.deaths = Deaths(random.Random(f"deaths {sky} {seed}"), deaths)
        self.clock = FixedClock()
        self.started = self.clock()
        self._told: dict[str, str | None] = {}
        self.renewed = dict.fromkeys(kinds, 0)
        self.url = databases.fresh("faults", build_store)
        self.folder = folder
        self.markets = {kind: self._market(kind) for kind in kinds}
        self._weather: dict[str, list[Weather]] = {}
        self.claims: dict[str, dict[str, str]] = {kind: {} for kind in kinds}
        for kind, market in self.markets.items():
            self._fill(kind, market)
            self._weather[kind] = self.sky.over(market, f"{sky} {seed} {kind}")
            market.weather += self._weather[kind]
        self.app = self._open(first=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.app.close()

    def struck(self, kind: str) -> int:
        """Count the calls that a fault has hit."""
        return sum(weather.struck for weather in self._weather[kind])

    def needless_renewals(self) -> int:
        """Count how often a person had to connect a channel, beyond what was lost with an answer or a process."""
        lost = (
            sum(
                call.operation == "token" and call.status is None
                for market in self.markets.values()
                for call in market.calls
            )
            + self.deaths.happened
        )
        return max(0, sum(self.renewed.values()) - lost)

    # -- what there is -------------------------------------------------------------------------------------------------

    def _market(self, kind: str) -> Marketplace:
        connector = KINDS[kind]
        return Marketplace(
            idempotency=connector.capabilities.refund.idempotency,
            lists_refunds="lookup_refund" in connector.operations(),
            lag=self.sky.lag,
            clock=lambda: self.clock() + self.sky.skew,
        )

    def _fill(self, kind: str, market: Marketplace) -> None:
        """Buyers order, complain, write again and open a return; much of it while the world goes on."""
        for number in range(3):
            order, buyer, thread = f"{kind}-{number}", f"buyer-{number}", f"t-{number}"
            now = market.now()
            market.add("orders", order, {"buyer": buyer, "total": "10.00"}, at=now - timedelta(days=3))
            wrote = now + timedelta(minutes=self.chance.randint(-50, 20))
            said = {"buyer": buyer, "order": order, "thread": thread}
            if number == 0:
                market.add("cases", f"R-{order}", {**said, "text": "I want to return it"}, at=wrote)
                continue
            self.claims[kind][order] = f"{order}-m0"
            market.add("messages", f"{order}-m0", {**said, "text": COMPLAINT}, at=wrote, late=self.sky.late)
            if number == 1:
                continue
            again = wrote + timedelta(minutes=self.chance.randint(1, 9))
            market.add("messages", f"{order}-m1", {**said, "text": _NEUTRAL}, at=again, late=self.sky.late)
            if self.sky.edits:
                edited = max(again, now) + timedelta(minutes=self.chance.randint(1, 15))
                market.will_change(
                    Change(at=edited, stream="messages", id=f"{order}-m1", body={"text": f"{_NEUTRAL} Now?"})
                )

    def _open(self, *, first: bool = False) -> App:
        channels = {
            kind: ChannelSettings(
                connector=kind, poll_seconds=int(POLL.total_seconds()), settings={"address": "https://market.test"}
            )
            for kind in self.markets
        }
        settings = Settings(database=self.url, channels=channels)
        app = App(settings, self.folder, plugins=False, now=self.clock)
        app.engine.dispose()
        app.engine = open_engine(self.url, durable=False).execution_options(compiled_cache=_COMPILED)
        app.host = Host([Candidate(name="market", distribution="market 1", load=Plugin)])
        app.channels = _Directory(app.host, settings, app.secrets, self.clock, app.engine)
        app.channels.world = self
        app.__dict__["packs"], app.__dict__["jobs"] = PACKS, RecordedJobs(app.engine)
        if first:
            for kind in self.markets:
                app.secrets.put(kind, {"refresh_token": SecretStr("refresh-0")})
            app.register_channels()
        sa.event.listen(app.engine, "commit", self.deaths.maybe)
        self.daemon = Daemon(app)
        return app

    # -- how it lives --------------------------------------------------------------------------------------------------

    def live(self) -> None:
        """Let time pass until nothing is left to do."""
        stormy = self.started + STORMY
        while self.clock() < stormy:
            self._step()
            self._wait()
        self.deaths.left = 0
        for market in self.markets.values():
            market.heal()
        self.rest()

    def rest(self) -> None:
        """Let time pass until nothing is due soon."""
        for _ in range(200):
            self._step()
            if self._quiet():
                return
            self._wait()
        raise AssertionError(f"{self.name}: it never comes to rest: {[tuple(row) for row in self.rows(tables.remedy)]}")

    def _step(self) -> None:
        if self.sky.tokens_die and self.clock() < self.started + STORMY and self.chance.random() < 0.3:
            self.chance.choice(list(self.markets.values())).kill_tokens()
        with self._may_die():
            self._decide_cases()
            self.daemon._tick(self.clock())
        while waiting := self._jobs().waiting():
            for row in waiting:
                with self._may_die():
                    self._run(row)
        self._renew()

    def _jobs(self) -> RecordedJobs:
        return RecordedJobs(self.app.engine)

    def _run(self, row: Any) -> None:
        if row.name == syncing.JOB:
            syncing.run_sync(self.app, row.args["channel"])
        elif row.name == recounting.JOB:
            recounting.Recounting(self.app, lambda: False).run()
        else:
            self.app.outbox.work(row.key)
        self._jobs().set(row.id, JobState.DONE)

    @contextmanager
    def _may_die(self) -> Iterator[None]:
        try:
            yield
        except CrashError:
            left, self.deaths.left = self.deaths.left, 0
            self.app.close()
            self.app = self._open()
            self.deaths.left = left

    def _decide_cases(self) -> None:
        """A person approves each return request once it is seen."""
        for row in self.rows(tables.cases):
            key = remedy_key("decided", row.channel, row.external_id)
            decision = CaseDecision(key=key, case_id=row.external_id, action=CaseAction.APPROVE)
            with unit_of_work(self.app.engine, self.clock()) as unit:
                where = {"ticket": row.ticket, "channel": row.channel}
                plan_case_decision(unit, self.app.jobs, **where, decision=decision, why="yes", approved_by="ada")

    def _renew(self) -> None:
        """A person connects anew what has come to need it: the command that the desk names, and nothing else."""
        for row in self.rows(tables.channel):
            if row.attention and row.attention != self._told.get(row.id):
                self.renewed[row.id] += 1
                self.app.secrets.put(row.id, {"refresh_token": SecretStr(self.markets[row.id].consent())})
            self._told[row.id] = row.attention

    def _wait(self) -> None:
        """Let time pass until something is due."""
        remedy, channel = tables.remedy, tables.channel
        with reading(self.app.engine).connect() as conn:
            due: list[datetime | None] = [
                conn.scalar(sa.select(sa.func.min(remedy.c.next_at))),
                conn.scalar(sa.select(sa.func.min(channel.c.due_at))),
            ]
        now = self.clock()
        soonest = min((at for at in due if at is not None), default=now + POLL)
        self.clock.advance(max(soonest - now, timedelta(seconds=1)))

    def _quiet(self) -> bool:
        """Every platform has been read since its last event, and no remedy comes up soon."""
        now = self.clock()
        if any(market.next_event() for market in self.markets.values()):
            return False
        if any(
            row.failures or not row.synced_at or row.synced_at < self.started + STORMY + POLL
            for row in self.rows(tables.channel)
        ):
            return False
        remedies = self.rows(tables.remedy)
        if len(self.rows(tables.cases)) > sum(row.kind == RemedyKind.CASE for row in remedies):
            return False
        return not any(row.next_at and row.next_at <= now + _SOON for row in remedies)

    def rows(self, table: sa.Table) -> list[Any]:
        """Read a table."""
        with reading(self.app.engine).connect() as conn:
            return list(conn.execute(sa.select(table).order_by(*table.primary_key.columns)))
