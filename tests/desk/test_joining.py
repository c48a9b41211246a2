"""Two tickets about one matter become one: nothing is lost, the buyer is paid once, the history stays."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from aftersail.core.contract import Authenticity
from aftersail.core.desk.appeals import AppealKind, LodgedBy, open_appeal
from aftersail.core.desk.joining import join_tickets
from aftersail.core.desk.tickets import TicketError, update_ticket
from aftersail.core.store import tables
from tests.builders import Desk, Script, at, letter, mail, matter, page, purchase
from tests.desk.people import ANN, SUE, staff

BROKEN = "The lamp has a small scratch on its side"


def join(desk: Desk, loser: int, survivor: int) -> None:
    desk.do(lambda unit: join_tickets(unit, desk.services, loser, survivor, actor="ann"))


def tickets(desk: Desk) -> list[tuple[Any, ...]]:
    return [(row.id, row.state, row.merged_into) for row in desk.rows(tables.ticket)]


def read(desk: Desk, shop: Script, *items: Any) -> None:
    shop.messages.pages = [page(*items)]
    desk.sync()


@pytest.fixture
def two(desk: Desk, shop: Script) -> Desk:
    """Two threads of one buyer, the second with an order, a task and a case."""
    staff(desk, ANN, SUE)
    read(desk, shop, letter("m1", -30, "Hello, is anybody there?", thread_id="t1"))
    shop.orders.pages = [page(purchase("1001", "80.00"))]
    shop.cases.pages = [page(matter("R1", -10, respond_by=at(600)))]
    read(desk, shop, letter("m2", -20, "It arrived broken", thread_id="t2", order_id="id-1001"))
    assert [row.id for row in desk.rows(tables.ticket)] == [1, 2]
    return desk


def test_everything_moves_and_the_history_stays(two: Desk, shop: Script) -> None:
    history, first = two.rows(tables.event), two.rows(tables.ticket)[0]
    decisions = two.rows(tables.decision)
    join(two, 2, 1)
    assert tickets(two) == [(1, "open", None), (2, "merged", 1)]
    for table in (tables.message, tables.cases, tables.remedy, tables.thread_key, tables.task):
        rows = two.rows(table)
        assert rows
        assert {row.ticket for row in rows} == {1}, table.name
    assert two.rows(tables.event)[: len(history)] == history
    assert two.rows(tables.decision)[: len(decisions)] == decisions
    survivor = two.rows(tables.ticket)[0]
    assert (first.orders_id, survivor.orders_id, survivor.reason) == (None, 1, first.reason)
    assert two.rows(tables.decision)[-1].ticket == 1  # judged again, with the order it has now
    # What comes in for either lands in the survivor.
    two.advance(5)
    read(two, shop, letter("m3", 4, "And?", thread_id="t2"))
    assert two.rows(tables.message)[-1].ticket == 1


def test_vector_29_the_losers_clocks_end_as_merged_and_the_earliest_wait_counts(two: Desk) -> None:
    running = {row.metric: row.due_at for row in two.rows(tables.clock, tables.clock.c.ticket == 1)}
    join(two, 2, 1)
    gone = {row.metric: row.state for row in two.rows(tables.clock, tables.clock.c.ticket == 2)}
    assert set(gone.values()) == {"merged"}
    now = [row for row in two.rows(tables.clock, tables.clock.c.ticket == 1) if row.state == "running"]
    assert {row.metric: row.started_at for row in now}["first_response"] == at(-30)
    assert {row.metric: row.due_at for row in now}["first_response"] == running["first_response"]
    assert {row.metric: row.due_at for row in now}["return_answered"] == at(600)


def test_the_buyer_is_paid_once(desk: Desk, shop: Script) -> None:
    """Both threads have a refund of half the price by the same rule, before anybody saw that they are one matter."""
    shop.orders.pages = [page(purchase("1001", "15.00"))]
    read(desk, shop, letter("m1", -30, BROKEN, thread_id="t1", order_id="id-1001"))
    with desk.engine.begin() as conn:  # as if the second had come before the order was known
        conn.execute(sa.delete(tables.thread_key).where(tables.thread_key.c.key.startswith("order:")))
    read(desk, shop, letter("m2", -20, BROKEN, thread_id="t2", order_id="id-1001"))
    refund, reply = tables.remedy.c.kind == "refund", tables.remedy.c.kind == "reply"
    assert [row.state for row in desk.rows(tables.remedy, refund)] == ["approved", "approved"]
    table = tables.remedy
    desk.do(
        lambda unit: unit.conn.execute(
            sa.update(table).where(refund, table.c.ticket == 2).values(state="sent", sent_at=unit.now)
        )
    )
    join(desk, 2, 1)
    assert sorted(row.state for row in desk.rows(tables.remedy, refund)) == ["cancelled", "sent"]
    assert sorted(row.state for row in desk.rows(tables.remedy, reply)) == ["cancelled", "planned"]
    # Judging it again plans neither anew.
    read(desk, shop, letter("m3", -1, "Did you see the scratch?", thread_id="t1"))
    assert len(desk.rows(tables.remedy, refund)) == 2
    assert sum(
        (row.amount for row in desk.rows(tables.remedy, refund, table.c.state != "cancelled")), Decimal(0)
    ) == Decimal("7.50")


def test_a_chain_of_merges_ends_in_one_ticket(two: Desk, shop: Script) -> None:
    read(two, shop, letter("m9", -5, "Me again", thread_id="t9"))
    join(two, 2, 1)
    join(two, 1, 3)
    assert tickets(two) == [(1, "merged", 3), (2, "merged", 3), (3, "open", None)]
    with pytest.raises(TicketError, match="ticket 2 is merged"):
        join(two, 2, 3)


def test_what_the_survivor_does_not_know_it_learns(two: Desk) -> None:
    two.do(lambda unit: update_ticket(unit, 1, buyer_name=None, buyer_key=None, owner=None))
    gone = two.rows(tables.ticket)[1]
    join(two, 2, 1)
    kept = two.rows(tables.ticket)[0]
    assert (kept.buyer_name, kept.buyer_key, kept.owner) == (gone.buyer_name, gone.buyer_key, gone.owner)
    assert kept.owner is not None
    assert kept.thread_id == "t1"


def test_an_appeal_goes_on_with_its_clock(two: Desk) -> None:
    said = {"kind": AppealKind.APPEAL, "by": LodgedBy.MAIL, "why": "No", "actor": "ann"}
    two.do(lambda unit: open_appeal(unit, two.services, 2, **said))
    (before,) = two.rows(tables.clock, tables.clock.c.metric == "appeal_answered")
    join(two, 2, 1)
    (clock,) = two.rows(tables.clock, tables.clock.c.metric == "appeal_answered")
    assert (clock.ticket, clock.state, clock.due_at) == (1, "running", before.due_at)
    assert two.rows(tables.appeal)[0].ticket == 1


@pytest.mark.parametrize(("loser", "survivor"), [(1, 1), (1, 99), (99, 1)])
def test_what_cannot_be_one_is_refused_and_nothing_has_moved(two: Desk, loser: int, survivor: int) -> None:
    before = two.rows(tables.message)
    with pytest.raises(TicketError):
        join(two, loser, survivor)
    assert two.rows(tables.message) == before


# -- by itself, where it is sure ---------------------------------------------------------------------------------------


def test_two_tickets_older_than_the_order_that_joins_them(desk: Desk, shop: Script) -> None:
    read(desk, shop, letter("m1", -30, "Where is my order 1001?", thread_id="t1"))
    read(desk, shop, letter("m2", -20, "It arrived broken, order 1001", thread_id="t2"))
    assert len(desk.rows(tables.ticket)) == 2
    shop.orders.pages = [page(purchase("1001"))]
    desk.sync()
    assert tickets(desk) == [(1, "open", None), (2, "merged", 1)]
    assert desk.rows(tables.ticket)[0].orders_id == 1
    (event,) = desk.rows(tables.event, tables.event.c.kind == "ticket_merged")
    assert event.actor == "aftersail"


@pytest.mark.parametrize(
    "second",
    [
        letter("m2", -20, "It arrived broken, order 1001", thread_id="t2", author={"email": "eve@other.example"}),
        letter("m2", -20, "It arrived broken, order 1001", thread_id="t2", authenticity=Authenticity.UNKNOWN),
        letter("m2", -20, "It arrived broken, order 1001", thread_id="t2", author={"name": "Ada Example"}),
    ],
    ids=["another buyer", "not proven", "no address"],
)
def test_what_is_not_sure_stays_apart(desk: Desk, shop: Script, second: Any) -> None:
    read(desk, shop, letter("m1", -30, "Where is my order 1001?", thread_id="t1"))
    read(desk, shop, second)
    shop.orders.pages = [page(purchase("1001"))]
    desk.sync()
    assert [row[1] for row in tickets(desk)] == ["open", "open"]


def test_a_stranger_who_names_an_order_by_mail_is_not_joined(desk: Desk, shop: Script) -> None:
    box = desk.add("box")
    box.messages.pages = [page(mail("a", -30, "Where is my order 1001?"))]
    desk.sync("box")
    read(desk, shop, letter("m1", -20, "It arrived broken, order 1001", thread_id="t1"))
    shop.orders.pages = [page(purchase("1001"))]
    desk.sync()
    assert [row[1] for row in tickets(desk)] == ["open", "open"]
