"""Tickets put aside, merged, and counted again: what is refused, and what others do at the same time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from aftersail.core.clocks import Metric
from aftersail.core.desk import running
from aftersail.core.desk.agent import close_ticket, put_ticket
from aftersail.core.desk.clockwork import meet_clocks
from aftersail.core.desk.merging import merge_tickets
from aftersail.core.desk.recompute import recompute_clocks
from aftersail.core.desk.tickets import TicketError, TicketState
from aftersail.core.desk.views import inbox_rows
from aftersail.core.policy import PackError, PackLibrary
from aftersail.core.remedies.tasks import open_task
from aftersail.core.store import tables
from aftersail.core.store.engine import settle
from tests.builders import NOON, Desk, Script, matter, page, purchase
from tests.desk.test_clockwork import SELLER
from tests.desk.test_vectors import HOUR, MONDAY, PACK, Using, events, only, put, solution, using, writes

__all__ = ["using"]  # a fixture


def merged(desk: Desk, loser: int, survivor: int) -> None:
    desk.do(lambda unit: merge_tickets(unit, desk.services, loser, survivor, "ann"))


def test_the_waiting_state_pauses_after_our_answer_and_the_buyer_ends_it(
    desk: Desk, shop: Script, using: Using
) -> None:
    using(more="pause: {states: [waiting], metrics: [resolution, first_response]}")
    writes(desk, shop, "m1", MONDAY)
    desk.now = MONDAY + 3 * HOUR
    writes(desk, shop, "a1", MONDAY + 2 * HOUR, **SELLER)  # read an hour late
    halted = solution(desk)
    assert (halted.state, halted.pauses[0].since) == ("paused", MONDAY + 2 * HOUR)
    writes(desk, shop, "m2", MONDAY + 4 * HOUR, "Still nothing")
    assert solution(desk).due_at == MONDAY + timedelta(days=1) + 2 * HOUR


def test_only_the_buyer_ends_the_wait_for_what_was_asked(desk: Desk, shop: Script, using: Using) -> None:
    using(more="pause: {states: [need_info]}")
    writes(desk, shop, "m1", MONDAY)
    put(desk, TicketState.NEED_INFO, MONDAY + HOUR)
    writes(desk, shop, "a1", MONDAY + 2 * HOUR, "Which colour?", **SELLER)
    assert desk.rows(tables.ticket)[0].state == "need_info"
    writes(desk, shop, "m2", MONDAY + 3 * HOUR, "The blue one")
    assert desk.rows(tables.ticket)[0].state == "open"
    assert solution(desk).pauses[0].until == MONDAY + 3 * HOUR


def test_a_case_the_platform_revises_ends_no_wait_for_the_buyer(desk: Desk, shop: Script, using: Using) -> None:
    desk.now = MONDAY
    opened = (MONDAY - NOON) / timedelta(minutes=1)
    shop.cases.pages = [page(matter("R1", opened))]
    desk.sync()
    put(desk, TicketState.NEED_INFO, MONDAY + HOUR)
    shop.cases.pages = [page(matter("R1", opened, revision=1, status="seen"))]
    desk.sync()
    assert desk.rows(tables.ticket)[0].state == "need_info"


def test_a_law_or_a_marketplace_is_not_paused(desk: Desk, shop: Script, using: Using) -> None:
    law = """
  - id: law
    source: {kind: law, name: somewhere}
    clocks: [{metric: resolution, duration: 3d, basis: elapsed}]
pause: {states: [need_info]}
"""
    using(more=law)
    writes(desk, shop, "m1", MONDAY)
    put(desk, TicketState.NEED_INFO, MONDAY + HOUR)
    states = {row.source: row.state for row in desk.rows(tables.clock, tables.clock.c.metric == "resolution")}
    assert states == {"own: vectors": "paused", "law: somewhere": "running"}


def test_what_a_person_may_put_a_ticket_into(desk: Desk, shop: Script, using: Using) -> None:
    writes(desk, shop, "m1", MONDAY)
    assert desk.do(lambda unit: put_ticket(unit, desk.services, 1, TicketState.OPEN, "ann")) is False
    with pytest.raises(TicketError, match="a ticket is merged into another one"), desk.unit() as unit:
        put_ticket(unit, desk.services, 1, TicketState.MERGED, "ann")
    writes(desk, shop, "m2", MONDAY, thread_id="other")
    merged(desk, 1, 2)
    with pytest.raises(TicketError, match="merged into another"), desk.unit() as unit:
        put_ticket(unit, desk.services, 1, TicketState.OPEN, "ann")


def test_a_person_opens_a_closed_ticket_again(desk: Desk, shop: Script, using: Using) -> None:
    writes(desk, shop, "m1", MONDAY)
    desk.now = MONDAY + HOUR
    desk.do(lambda unit: close_ticket(unit, 1, "ann"))
    put(desk, TicketState.OPEN, MONDAY + 3 * HOUR)
    assert solution(desk).due_at == MONDAY + timedelta(days=1) + 2 * HOUR
    (ticket,) = desk.rows(tables.ticket)
    assert (ticket.closed_at, ticket.due_metric) == (None, "resolution")


# -- merging ---------------------------------------------------------------------------------------------------------


def test_what_cannot_be_merged_is_refused(desk: Desk, shop: Script, using: Using) -> None:
    desk.add("other")
    shop.orders.pages = [page(purchase("1001"), purchase("1002"))]
    writes(desk, shop, "m1", MONDAY, order_id="id-1001")
    writes(desk, shop, "m2", MONDAY, thread_id="two", order_id="id-1002")
    writes(desk, shop, "m3", MONDAY, thread_id="three")
    desk.do(lambda unit: close_ticket(unit, 3, "ann"))
    desk.do(
        lambda unit: unit.conn.execute(sa.update(tables.ticket).where(tables.ticket.c.id == 3).values(channel="other"))
    )
    for loser, survivor, words in (
        (1, 1, "into itself"),
        (1, 3, "ticket 3 is closed"),
        (1, 2, "two orders"),
        (1, 9, "no ticket 9"),
    ):
        with pytest.raises(TicketError, match=words):
            merged(desk, loser, survivor)
    desk.do(
        lambda unit: unit.conn.execute(sa.update(tables.ticket).where(tables.ticket.c.id == 3).values(state="open"))
    )
    with pytest.raises(TicketError, match="one channel"):
        merged(desk, 1, 3)


def test_a_merged_ticket_is_gone_from_the_inbox_and_what_waits_goes_over(
    desk: Desk, shop: Script, using: Using
) -> None:
    writes(desk, shop, "m1", MONDAY + HOUR, thread_id="one")
    writes(desk, shop, "m2", MONDAY, thread_id="two")
    for ticket, why in ((1, "both"), (2, "both"), (1, "first")):
        desk.do(lambda unit, ticket=ticket, why=why: open_task(unit, ticket, "decide", why))
    merged(desk, 1, 2)
    with desk.engine.connect() as conn:
        assert [row["id"] for row in inbox_rows(conn, closed=False, channel=None, limit=9)] == [2]
    opened = [(row.ticket, row.why) for row in desk.rows(tables.task, tables.task.c.closed_at.is_(None))]
    assert sorted(opened) == [(2, "both"), (2, "first")]
    assert only(desk, Metric.FIRST_RESPONSE, ticket=2).started_at == MONDAY
    writes(desk, shop, "m3", MONDAY + 2 * HOUR, thread_id="one")
    assert {row.ticket for row in desk.rows(tables.message)} == {2}
    assert [row.data["into"] for row in events(desk, "ticket_merged")] == [2]


# -- counted again ---------------------------------------------------------------------------------------------------


@pytest.fixture
def later_hours(using: Using) -> Callable[[], None]:
    using()
    return lambda: using(2, begins=(MONDAY + HOUR).isoformat(), closed="2026-11-24")


def test_a_ticket_that_changes_meanwhile_is_counted_from_what_it_is_then(
    desk: Desk, shop: Script, later_hours: Callable[[], None]
) -> None:
    for number in range(3):
        writes(desk, shop, f"m{number}", MONDAY + 2 * HOUR, thread_id=f"t{number}")
    later_hours()
    desk.now = MONDAY + 3 * HOUR
    given_back: list[Any] = []

    def answer_once(*_: object) -> None:
        """Once the batch was read, and before it is written."""
        given_back.append(1)
        if len(given_back) == 2:
            desk.do(lambda unit: meet_clocks(unit, 2, [Metric.FIRST_RESPONSE], desk.now))

    sa.event.listen(desk.engine, "checkin", answer_once)
    report = recompute_clocks(desk.engine, desk.services, lambda: desk.now)
    sa.event.remove(desk.engine, "checkin", answer_once)
    assert (report.tickets, report.done, report.moved, report.busy) == (3, 3, 5, 0)
    answered = only(desk, Metric.FIRST_RESPONSE, ticket=2)
    assert (answered.state, answered.met_at) == ("met", MONDAY + 3 * HOUR)
    due = MONDAY + timedelta(days=2) + 2 * HOUR
    assert {only(desk, Metric.RESOLUTION, ticket=number).due_at for number in (1, 2, 3)} == {due}
    assert [row.due_at for row in desk.rows(tables.ticket)] == [due] * 3


def test_what_keeps_changing_is_told_and_left_as_it_is(
    desk: Desk, shop: Script, later_hours: Callable[[], None]
) -> None:
    writes(desk, shop, "m1", MONDAY + 2 * HOUR)
    before = solution(desk)
    later_hours()
    desk.now = MONDAY + 3 * HOUR
    busy = [False]

    def change(*_: object) -> None:
        if not busy[0]:
            busy[0] = True
            table = tables.clock
            row = desk.rows(table)[0]
            body = row.body | {"row": row.body["row"] + "x"}
            desk.do(lambda unit: unit.conn.execute(sa.update(table).where(table.c.id == row.id).values(body=body)))
            busy[0] = False

    sa.event.listen(desk.engine, "checkin", change)
    report = recompute_clocks(desk.engine, desk.services, lambda: desk.now)
    sa.event.remove(desk.engine, "checkin", change)
    assert (report.busy, report.moved, report.done) == (1, 0, 0)
    assert solution(desk) == before
    assert events(desk, "clocks_recomputed") == []


def test_batches_tell_how_far_they_are_and_leave_paused_and_overdue_clocks(
    desk: Desk, shop: Script, using: Using
) -> None:
    pausing = {"more": "pause: {states: [need_info]}", "first": "1h"}
    using(**pausing)
    for number in range(5):
        writes(desk, shop, f"m{number}", MONDAY, thread_id=f"t{number}")
    put(desk, TicketState.NEED_INFO, MONDAY + HOUR, ticket=1)
    using(2, begins=(MONDAY + HOUR).isoformat(), closed="2026-11-23", **pausing)
    desk.now = MONDAY + 2 * HOUR
    seen: list[tuple[int, int]] = []
    report = recompute_clocks(
        desk.engine,
        desk.services,
        lambda: desk.now,
        most=2,
        progress=lambda so_far: seen.append((so_far.done, so_far.tickets)),
    )
    assert seen == [(2, 5), (4, 5), (5, 5)]
    assert report.moved == 4
    first = [row.due_at for row in desk.rows(tables.clock, tables.clock.c.metric == "first_response")]
    assert set(first) == {MONDAY + HOUR}
    put(desk, TicketState.OPEN, MONDAY + 3 * HOUR, ticket=1)
    assert only(desk, Metric.RESOLUTION, ticket=1).due_at == MONDAY + timedelta(days=1) + 8 * HOUR


def test_a_disk_that_fails_beside_the_work_ends_it(
    desk: Desk, shop: Script, later_hours: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written by then is found as it should be by the next run."""
    for number in range(5):
        writes(desk, shop, f"m{number}", MONDAY + 2 * HOUR, thread_id=f"t{number}")
    later_hours()
    desk.now = MONDAY + 3 * HOUR
    calls: list[sa.Engine] = []

    def full_once(engine: sa.Engine) -> None:
        calls.append(engine)
        if len(calls) == 1:
            raise OSError("no space left on device")
        settle(engine)

    monkeypatch.setattr(running, "settle", full_once)
    with pytest.raises(OSError, match="no space"):
        recompute_clocks(desk.engine, desk.services, lambda: desk.now, most=1)
    moved = len(events(desk, "clocks_recomputed"))
    assert 0 < moved < 5
    report = recompute_clocks(desk.engine, desk.services, lambda: desk.now)
    assert (report.done, report.busy) == (5, 0)
    assert len(events(desk, "clocks_recomputed")) == 5


# -- packs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("pause: {states: [asleep]}", "need_info"),
        ("pause: {states: []}", "states"),
        ("pause: {states: [waiting], metrics: [naps]}", "metrics"),
        ("reopen: sometimes", "resume"),
        ("team_move: drop", "keep"),
        ("pauses: {}", "pause"),
    ],
)
def test_a_pack_says_what_pauses_reopens_and_moves_in_known_words(tmp_path: Path, more: str, words: str) -> None:
    values = {"version": 1, "begins": "2020-01-01", "zone": "UTC", "hours": "24/7", "closed": "", "first": "8h"}
    (tmp_path / "1.yaml").write_text(PACK.format(more=more, **values))
    with pytest.raises(PackError, match=words):
        PackLibrary([tmp_path])


def test_a_pack_has_these_words_of_its_parents(tmp_path: Path) -> None:
    values = {"version": 1, "begins": "2020-01-01", "zone": "UTC", "hours": "24/7", "closed": "", "first": "8h"}
    (tmp_path / "1.yaml").write_text(PACK.format(more="reopen: none\nteam_move: restart", **values))
    child = "id: child\nversion: 1\ntitle: c\neffective_from: 2021-01-01\ncurrency: USD\nextends: [vectors]\n"
    (tmp_path / "2.yaml").write_text(child + "reopen: restart\n")
    content = PackLibrary([tmp_path]).latest("child").content
    assert (content.reopen, content.team_move, content.pause) == ("restart", "restart", None)
