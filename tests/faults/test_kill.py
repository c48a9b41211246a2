"""kill -9 at any moment of `aftersail run`, on real servers: nothing lost, nothing twice, nothing forgotten.

On SQLite one process over a shop and a mailbox; on PostgreSQL three workers and a scheduler, any of which may be
killed, over marketplaces of every kind of idempotency that fail in many ways meanwhile.
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa

from aftersail.core.jobs.tables import job
from aftersail.core.store import tables
from tests.databases import Databases
from tests.faults import reckoning
from tests.faults.connector import PATIENT
from tests.faults.fleet import Fleet
from tests.faults.shop import Shop, kill, open_shop

KILLS = int(os.environ.get("FAULT_KILLS", "4"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_one_process_killed_again_and_again_loses_and_doubles_nothing(tmp_path: Path) -> None:
    chance = random.Random(20261122)
    with open_shop(tmp_path) as shop:
        shop.run_until_idle()
        orders = []
        for _ in range(KILLS):
            orders.append(shop.buy_and_complain())
            daemon = shop.start()
            # The moment is chance itself: the daemon's start alone takes about a second, its work the seconds after.
            with pytest.raises(subprocess.TimeoutExpired):
                daemon.wait(chance.uniform(0.5, 5.0))
            kill(daemon)
        shop.run_until_idle(seconds=180)
        reckon(shop, orders)


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.timeout(900)
def test_workers_of_a_fleet_killed_again_and_again_lose_and_double_nothing(
    postgres_databases: Databases, tmp_path: Path
) -> None:
    with Fleet(tmp_path, postgres_databases.fresh(), seed=KILLS).open() as fleet:
        for _ in range(KILLS):
            time.sleep(fleet.chance.uniform(2.0, 5.0))
            fleet.kill_one()
            fleet.decide_cases()
        fleet.until_quiet(120)
        cells = reckoning.reckon(fleet)
        assert [each for cell in cells.values() for each in cell.wrong] == []
        assert {kind: cells[kind].doubtful_persons for kind in PATIENT} == dict.fromkeys(PATIENT, 0)
        assert all(cell.faults for cell in cells.values())
        at_work = {row.worker for row in fleet.rows(job)}
        assert len(at_work) > 1, "one worker did all the work"


def reckon(shop: Shop, orders: list[str]) -> None:
    """Hold the ledgers of shop and mailbox against the store."""
    message, remedy = tables.message, tables.remedy
    stored = shop.rows(sa.select(message.c.external_id).where(message.c.direction == "inbound"))
    assert Counter(row.external_id for row in stored) == Counter(shop.delivered)

    assert Counter(refund.order_id for refund in shop.shop.ledger) == Counter(orders)
    assert {str(refund.amount) for refund in shop.shop.ledger} == {"5.00"}

    remedies = shop.rows(sa.select(remedy))
    refunds = [row for row in remedies if row.kind == "refund"]
    assert {row.state for row in refunds} == {"settled"}
    assert len(refunds) == len(orders)

    answers = Counter(mail.recipients for mail in shop.mail.sent)
    assert not [who for who, times in answers.items() if times > 1]
    replies = [row for row in remedies if row.kind == "reply"]
    assert len(replies) == len(orders)
    sent = {mail.message_id for mail in shop.mail.sent}
    settled = {row.external_id for row in replies if row.state == "settled"}
    unknown = [row for row in replies if row.state == "unknown"]
    assert settled <= sent
    assert len(sent) <= len(settled) + len(unknown)
    assert {row.state for row in replies} <= {"settled", "unknown"}
    tasks = shop.rows(sa.select(tables.task.c.remedy).where(tables.task.c.closed_at.is_(None)))
    assert {row.key for row in unknown} <= {row.remedy for row in tasks}
