"""kill -9 at any moment of `aftersail run`, on real servers: nothing lost, nothing twice, nothing forgotten."""

from __future__ import annotations

import random
import subprocess
from collections import Counter

import pytest
import sqlalchemy as sa

from aftersail.core.store import tables
from tests.faults.shop import kill, open_shop

KILLS = 20


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_killed_twenty_times_nothing_is_lost_or_doubled(tmp_path):
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

        message, remedy = tables.message, tables.remedy
        stored = shop.rows(sa.select(message.c.external_id).where(message.c.direction == "inbound"))
        assert Counter(row.external_id for row in stored) == Counter(shop.delivered)

        booked = Counter(refund.order_id for refund in shop.shop.ledger)
        assert booked == Counter(orders)
        assert {str(refund.amount) for refund in shop.shop.ledger} == {"5.00"}

        remedies = shop.rows(sa.select(remedy))
        refunds = [row for row in remedies if row.kind == "refund"]
        assert {row.state for row in refunds} == {"settled"}
        assert len(refunds) == len(orders)

        answered = Counter(mail.recipients for mail in shop.mail.sent)
        assert not [who for who, times in answered.items() if times > 1]
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
