"""A refund is not late while the law lets the seller wait for the goods or the proof of their return."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from aftersail.core.desk.agent import close_ticket
from aftersail.core.desk.clockwork import tick_clocks
from aftersail.core.desk.judge import judge
from aftersail.core.desk.returned import ReturnNews
from aftersail.core.desk.returns import note_return, open_return
from aftersail.core.desk.settled import on_settled
from aftersail.core.desk.tickets import TicketError
from aftersail.core.policy import PackLibrary
from aftersail.core.store import tables
from tests.builders import NOON, Desk, Script, at, letter, matter, page, purchase

PACK = """\
id: mine
version: 1
title: Mine
effective_from: 2020-01-01
currency: USD
refund_due:
"""
HELD = (
    "  - {id: fourteen, right: withdrawal, duration: 14d, basis: elapsed, start: notice, hold_until: %s, warn: 24h}\n"
)
SOON = "  - {id: soon, right: withdrawal, duration: 48h, basis: elapsed, start: goods_back}\n"
PROOF, BACK = ReturnNews.RETURN_PROOF, ReturnNews.GOODS_BACK
DAY = 24 * 60
COUNTED = NOON + timedelta(days=14)


@pytest.fixture
def using(desk: Desk, shop: Script, tmp_path: Path):
    """Let a return be asked for on Monday noon, under a pack."""

    def build(row: str = HELD % "goods_or_proof") -> Desk:
        (tmp_path / "mine.yaml").write_text(PACK + row, encoding="utf-8")
        desk.services = replace(desk.services, packs=PackLibrary([tmp_path]), pack_id="mine")
        desk.intake._services = desk.services
        shop.orders.pages = [page(purchase())]
        shop.cases.pages = [page(matter("R1", 0, reason_code="changed_mind"))]
        shop.messages.pages = [page(letter("m1", 0, "I changed my mind and want to return it", order_id="id-1001"))]
        desk.sync()
        desk.sync()
        return desk

    return build


def clocks(desk: Desk) -> list[Any]:
    return desk.rows(tables.clock, tables.clock.c.metric == "refund_paid")


def stands(desk: Desk) -> list[tuple[str, datetime, datetime | None]]:
    return [(row.state, row.due_at, row.breached_at) for row in clocks(desk)]


def tick(desk: Desk, minutes: float) -> None:
    desk.now = at(minutes)
    desk.do(tick_clocks)


def seen(desk: Desk, news: ReturnNews, when: datetime | None = None, rma: str | None = None) -> Any:
    return desk.do(lambda unit: note_return(unit, desk.services, 1, news, actor="ann", at=when, rma=rma))


def told(desk: Desk) -> list[str]:
    return [row.kind for row in desk.rows(tables.event) if row.kind in {"clock_warned", "clock_breached"}]


def shown_due(desk: Desk) -> Any:
    row = desk.rows(tables.ticket)[0]
    return row.due_metric, row.due_at


def test_a_held_refund_is_neither_due_nor_late(using) -> None:
    desk = using()
    assert stands(desk) == [("paused", COUNTED, None)]
    tick(desk, 40 * DAY)
    assert stands(desk) == [("paused", COUNTED, None)]
    assert shown_due(desk)[0] != "refund_paid"
    assert clocks(desk)[0].next_at is None
    assert "refund_paid" not in {row.data["metric"] for row in desk.rows(tables.event) if row.kind == "clock_breached"}


@pytest.mark.parametrize("news", [PROOF, BACK])
def test_what_comes_in_time_leaves_the_due_instant_as_it_was_counted(using, news: ReturnNews) -> None:
    desk = using()
    desk.now = at(3 * DAY)
    seen(desk, news)
    assert stands(desk) == [("running", COUNTED, None)]
    (change,) = next(
        row.data["clocks"] for row in desk.rows(tables.event) if row.data.get("clocks", [{}])[0].get("waited_for")
    )
    assert change["waited_for"] == "the goods or the proof of their return"
    assert shown_due(desk) == ("refund_paid", COUNTED)
    tick(desk, 13 * DAY)
    assert told(desk) == ["clock_warned"]
    tick(desk, 15 * DAY)
    assert stands(desk) == [("running", COUNTED, COUNTED)]


def test_what_comes_later_makes_it_due_when_it_came(using) -> None:
    desk = using()
    came = at(20 * DAY + 7)
    desk.now = at(21 * DAY)
    decision = seen(desk, PROOF, came)
    assert decision.entitlement.refund_due.due_at == came
    assert stands(desk) == [("running", came, None)]
    desk.do(tick_clocks)
    assert stands(desk) == [("running", came, came)]


def test_goods_alone_release_what_waits_for_goods(using) -> None:
    desk = using(HELD % "goods")
    desk.now = at(20 * DAY)
    seen(desk, PROOF)
    assert stands(desk) == [("paused", COUNTED, None)]
    desk.now = at(22 * DAY)
    seen(desk, BACK)
    assert stands(desk) == [("running", at(22 * DAY), None)]


def test_without_a_hold_it_runs_from_the_notice(using) -> None:
    desk = using(HELD % "none")
    assert stands(desk) == [("running", COUNTED, None)]


def test_a_refund_paid_while_it_is_held_is_in_time(using) -> None:
    desk = using()
    desk.now = at(30 * DAY)
    paid = {"key": "k", "kind": "refund", "ticket": 1, "channel": "shop", "state": "settled", "order_id": "id-1001"}
    paid |= {
        "amount": Decimal(15),
        "currency": "USD",
        "why": "",
        "body": {},
        "planned_at": desk.now,
        "settled_at": desk.now,
    }

    def settle(unit) -> None:
        unit.conn.execute(sa.insert(tables.remedy).values(**paid))
        on_settled(unit, unit.conn.execute(sa.select(tables.remedy)).one())

    desk.do(settle)
    assert [(row.state, row.met_at, row.breached_at) for row in clocks(desk)] == [("met", desk.now, None)]
    seen(desk, BACK)
    assert [row.state for row in clocks(desk)] == ["met"]


def test_a_promise_that_counts_from_the_goods_begins_with_them_once(using) -> None:
    desk = using(SOON)
    assert clocks(desk) == []
    desk.now = at(3 * DAY)
    came = at(2 * DAY)
    seen(desk, BACK, came)
    due = came + timedelta(hours=48)
    assert stands(desk) == [("running", due, None)]
    assert shown_due(desk) == ("refund_paid", due)
    for _ in range(2):
        desk.do(lambda unit: judge(unit, desk.services, 1, first=False))
    assert len(clocks(desk)) == 1
    assert [row.kind for row in desk.rows(tables.event)].count("refund_clocks") == 1


def test_of_two_returns_the_last_one_counts(using) -> None:
    desk = using()
    lines = [
        {"external_id": name, "title": name, "quantity": 1, "unit_price": {"amount": "1", "currency": "USD"}}
        for name in ("l1", "l2")
    ]
    with desk.engine.begin() as conn:
        conn.execute(sa.update(tables.orders).values(lines=lines))
    for line in ("l1", "l2"):
        desk.do(lambda unit, line=line: open_return(unit, desk.services, 1, lines=[line], actor="ann"))
    with pytest.raises(TicketError, match="RMA-1-1, RMA-1-2; name one"):
        seen(desk, BACK)
    desk.now = at(16 * DAY)
    seen(desk, BACK, rma="RMA-1-1")
    assert stands(desk) == [("paused", COUNTED, None)]
    desk.now = at(17 * DAY)
    seen(desk, BACK, rma="RMA-1-2")
    assert stands(desk) == [("running", at(17 * DAY), None)]


def test_nothing_is_written_down_twice_nor_ahead_of_time(using) -> None:
    desk = using()
    with pytest.raises(TicketError, match="still to come"):
        seen(desk, BACK, at(1))
    seen(desk, BACK)
    with pytest.raises(TicketError, match="known already"):
        seen(desk, BACK)
    with pytest.raises(TicketError, match="has the returns none"):
        seen(desk, PROOF, rma="RMA-9-9")


def test_a_closed_ticket_starts_no_clock(using) -> None:
    desk = using(SOON)
    desk.do(lambda unit: close_ticket(unit, 1, "ann"))
    seen(desk, BACK)
    assert clocks(desk) == []
