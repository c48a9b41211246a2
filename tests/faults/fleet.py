"""A fleet of processes on one PostgreSQL over marketplaces on loopback, in real time: any process may be killed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic import SecretStr

from aftersail.core.contract import CaseAction, CaseDecision
from aftersail.core.remedies import RemedyKind, plan_case_decision
from aftersail.core.remedies.plan import remedy_key
from aftersail.core.runtime.edit import add_channel
from aftersail.core.runtime.settings import ChannelSettings
from aftersail.core.store import tables
from aftersail.core.store.engine import reading
from aftersail.core.store.unit import unit_of_work
from aftersail.sdk.testing.faults import Fault, Planned, duplicated, replaced, shuffled
from aftersail.sdk.testing.marketplace import Marketplace
from aftersail.sdk.testing.weather import Strike, Weather
from tests.faults.connector import KINDS
from tests.faults.skies import READS, WRITES
from tests.faults.worker import open_app
from tests.faults.world import COMPLAINT

ROLES = ("worker", "worker", "worker", "scheduler")
_LOST_AFTER = (Fault.RESET_AFTER, Fault.ERROR_AFTER, Fault.CUT, Fault.GARBAGE, replaced({}))
_CLAIMS = 4


class Fleet:
    """The processes, the platforms and what is known of them; `reckon` takes it for a world."""

    def __init__(self, folder: Path, database: str, seed: int) -> None:
        self.name = f"a fleet, seed {seed}"
        self.folder, self.chance = folder, random.Random(seed)
        self.config = folder / "aftersail.yaml"
        self.config.write_text(f"database: {database}\npack: starter\n")
        self.claims: dict[str, dict[str, str]] = {}
        self.markets: dict[str, Marketplace] = {}
        self._weather: dict[str, list[Weather]] = {}
        self._processes: list[subprocess.Popen[bytes]] = []

    @contextmanager
    def open(self) -> Iterator[Fleet]:
        """Serve the platforms, make the store, start the processes; kill them all in the end."""
        with ExitStack() as stack:
            for kind, connector in KINDS.items():
                market = self.markets[kind] = Marketplace(
                    idempotency=connector.capabilities.refund.idempotency,
                    lists_refunds="lookup_refund" in connector.operations(),
                )
                self._fill(kind, market)
                self._weather[kind] = market.weather = self._storm(kind)
                settings = {"address": stack.enter_context(market.serve())}
                add_channel(self.config, kind, ChannelSettings(connector=kind, poll_seconds=1, settings=settings))
            self.app = stack.enter_context(open_app(self.config))
            for kind in KINDS:
                self.app.secrets.put(kind, {"refresh_token": SecretStr("refresh-0")})
            self.app.migrate()
            self._processes = [self._start(role) for role in ROLES]
            stack.callback(lambda: [self._kill(process) for process in self._processes])
            yield self

    def _fill(self, kind: str, market: Marketplace) -> None:
        self.claims[kind] = {}
        for number in range(_CLAIMS):
            order, buyer, now = f"{kind}-{number}", f"buyer-{number}", market.now()
            market.add("orders", order, {"buyer": buyer, "total": "10.00"}, at=now - timedelta(days=3))
            self.claims[kind][order] = f"{order}-m0"
            said = {"buyer": buyer, "order": order, "thread": f"t-{number}", "text": COMPLAINT}
            at, late = now - timedelta(minutes=5), timedelta(minutes=5, seconds=4 * number)
            market.add("messages", f"{order}-m0", said, at=at, late=late)
        market.add("cases", f"R-{kind}", {**said, "order": f"{kind}-0", "text": "I want to return it"}, at=now)

    def _storm(self, kind: str) -> list[Weather]:
        """What can be lived through in real time: after a lost answer the effect is there, and waits are short."""
        chance = random.Random(f"{self.name} {kind}")
        return [
            *(Weather(chance, [self._strike(name, _LOST_AFTER)], rate=0.5, most=2) for name in WRITES),
            Weather(
                chance,
                [self._strike(name, (*_LOST_AFTER, Fault.RESET_BEFORE, Fault.PORTAL, 503)) for name in READS]
                + [self._strike(name, (duplicated("items"), shuffled("items"))) for name in READS if name != "refunds"],
                rate=0.1,
                most=20,
            ),
        ]

    @staticmethod
    def _strike(target: str, faults: Any) -> Strike:
        def strike(chance: random.Random) -> Planned:
            asked_to_wait = Planned(target, 429, 1, {"Retry-After": str(chance.randint(1, 4))})
            return chance.choice([asked_to_wait, *(Planned(target, fault, 1) for fault in faults)])

        return strike

    def _start(self, role: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.faults.worker", str(self.config), role]
        root = str(Path(__file__).resolve().parents[2])
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
        with (self.folder / "fleet.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=root)

    @staticmethod
    def _kill(process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()

    def kill_one(self) -> None:
        """Kill -9 one process, whichever chance takes, and start another in its place."""
        index = self.chance.randrange(len(ROLES))
        self._kill(self._processes[index])
        self._processes[index] = self._start(ROLES[index])

    def decide_cases(self) -> None:
        """A person approves each return request once it is seen."""
        for row in self.rows(tables.cases):
            decision = CaseDecision(
                key=remedy_key("decided", row.channel, row.external_id),
                case_id=row.external_id,
                action=CaseAction.APPROVE,
            )
            where = {"ticket": row.ticket, "channel": row.channel}
            with unit_of_work(self.app.engine, self.app.now()) as unit:
                plan_case_decision(unit, self.app.jobs, **where, decision=decision, why="yes", approved_by="ada")

    def until_quiet(self, seconds: float) -> None:
        """Wait until every claim is seen and no remedy is on its way; a dead worker's jobs come after its lease."""
        deadline = time.monotonic() + seconds
        while not self._quiet():
            assert time.monotonic() < deadline, [
                (row.kind, row.channel, row.state, row.next_at, row.detail) for row in self.rows(tables.remedy)
            ]
            self.decide_cases()
            time.sleep(0.25)

    def _quiet(self) -> bool:
        remedies = self.rows(tables.remedy)
        expected = sum(2 * len(claims) + 1 for claims in self.claims.values())
        on_its_way = [row for row in remedies if row.state in {"approved", "claimed", "sent"}]
        # Who was killed before the effect is waited for in vain for minutes; who was killed after it is found at once.
        paid = {effect.key for market in self.markets.values() for effect in market.ledger}
        doubtful = [row for row in remedies if row.state == "unknown" and row.next_at and row.key in paid]
        held = [row for row in remedies if row.state == "unknown" and not row.next_at and not self._asked(row.key)]
        refunds = sum(row.kind == RemedyKind.REFUND for row in remedies)
        everything = len(remedies) >= expected and refunds == sum(map(len, self.claims.values()))
        return everything and not (on_its_way or doubtful or held)

    def _asked(self, key: str) -> bool:
        return any(row.remedy == key for row in self.rows(tables.task))

    def struck(self, kind: str) -> int:
        """Count the calls that a fault has hit."""
        return sum(weather.struck for weather in self._weather[kind])

    def rows(self, table: sa.Table) -> list[Any]:
        """Read a table."""
        with reading(self.app.engine).connect() as conn:
            return list(conn.execute(sa.select(table).order_by(*table.primary_key.columns)))

    def log(self) -> str:
        """What the processes said."""
        return (self.folder / "fleet.log").read_text(errors="replace")
