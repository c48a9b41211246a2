"""More time for a promise: only with a reason and both notices."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from aftersail.core.clocks import Metric, Source, SourceKind
from aftersail.core.desk.agent import close_ticket
from aftersail.core.desk.clockwork import start_deadline, tick_clocks
from aftersail.core.desk.extension import extend, notice_settled
from aftersail.core.desk.settled import on_settled
from aftersail.core.desk.tickets import TicketError
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit
from tests.builders import NOON, Desk, Script, at, letter, page
from tests.desk.people import ADA, ANN, SUE, staff

WORDS: dict[str, Any] = {
    "more": timedelta(hours=24),
    "reason": "the spare part comes on Thursday",
    "report": "We need one day more for the spare part.",
    "tell": "Your spare part arrives on Thursday; we need one day more.",
}


@pytest.fixture
def asked(desk: Desk, shop: Script) -> Desk:
    """A question that is to be solved within 72 h."""
    staff(desk, ANN, SUE, ADA)
    shop.messages.pages = [page(letter("m1", 0, "Is the lamp also sold in green?", thread_id="t"))]
    desk.sync()
    return desk


def ask(desk: Desk, key: str = "k1", **values: Any) -> bool:
    said = WORDS | {"key": key, "actor": "ann"} | values
    return bool(desk.do(lambda unit: extend(unit, desk.services, 1, **said)))


def arrive(desk: Desk, key: str = "k1", state: str = "settled") -> None:
    """The platform takes the notice, or does not."""

    def work(unit: Unit) -> None:
        table = tables.remedy
        sent = {"state": state, "settled_at": unit.now, "external_id": f"sent-{key}"}
        unit.conn.execute(sa.update(table).where(table.c.key == key).values(**sent))
        if state == "settled":
            row = unit.conn.execute(sa.select(table).where(table.c.key == key)).one()
            on_settled(unit, row)
            notice_settled(unit, desk.services, row)

    desk.do(work)


def clock(desk: Desk, metric: str = "resolution") -> Any:
    return desk.rows(tables.clock, tables.clock.c.metric == metric)[-1]


def events(desk: Desk, kind: str) -> list[Any]:
    return desk.rows(tables.event, tables.event.c.kind == kind)


@pytest.mark.parametrize(
    ("left_out", "what"),
    [
        ({"reason": " "}, "a reason is missing"),
        ({"report": ""}, "a report to the marketplace or the manager is missing"),
        ({"tell": ""}, "a notice to the buyer is missing"),
        (
            {"reason": "", "report": "", "tell": ""},
            "a reason and a report to the marketplace or the manager and a notice to the buyer is missing",
        ),
    ],
)
@pytest.mark.parametrize("by_hand", [False, True])
def test_f10_without_reason_and_both_notices_the_due_time_stays(
    asked: Desk, left_out: dict[str, str], what: str, by_hand: bool
) -> None:
    before = clock(asked)
    with pytest.raises(TicketError, match=f"the due time of ticket 1 stays: {what}"):
        ask(asked, by_hand=by_hand, **left_out)
    assert clock(asked) == before
    assert asked.rows(tables.remedy) == asked.rows(tables.extension) == []


def test_f10_the_report_reaches_the_manager_once(asked: Desk) -> None:
    with asked.unit() as unit:
        extend(unit, asked.services, 1, key="k1", actor="ann", **(WORDS | {"more": timedelta(hours=24)}))
        ((hook, event),) = unit.told()
    assert (hook, event.ticket, event.recipients) == ("aftersail_extension_reported", 1, ("ada",))
    assert (event.metric, event.reason, event.report) == ("resolution", WORDS["reason"], WORDS["report"])
    (task,) = asked.rows(tables.task, tables.task.c.kind == "extension_report")
    assert task.why == (
        "For ada: ann asks for 1 day, 0:00:00 more for the resolution, due 2026-01-08 12:00 UTC. "
        f"Reason: {WORDS['reason']} Report: {WORDS['report']}"
    )
    asked.advance(5)
    arrive(asked)
    assert len(asked.rows(tables.task, tables.task.c.kind == "extension_report")) == 1


def test_f10_a_breach_is_a_task_for_the_manager_once(asked: Desk) -> None:
    asked.advance(80 * 60)
    for _ in range(2):
        asked.do(lambda unit: tick_clocks(unit, roster=asked.services.roster))
    whys = [task.why for task in asked.rows(tables.task, tables.task.c.kind == "breach_report")]
    owner = asked.rows(tables.ticket)[0].owner
    late = "For ada: the resolution ran out at 2026-01-08 12:00 UTC, own: starter"
    assert [why for why in whys if "resolution" in why] == [f"{late}; {owner} has the ticket"]


def test_f10_the_due_time_moves_once_the_buyer_has_been_told(asked: Desk) -> None:
    asked.advance(60)
    assert ask(asked) is False
    assert clock(asked).due_at == NOON + timedelta(hours=72)
    (report,) = events(asked, "extension_reported")
    assert (report.actor, report.data["to"], report.data["report"]) == ("ann", "ada", WORDS["report"])
    (notice,) = asked.rows(tables.remedy)
    assert (notice.body["text"], notice.stops_clocks) == (WORDS["tell"], False)
    asked.advance(5)
    arrive(asked)
    moved = clock(asked)
    assert moved.due_at == NOON + timedelta(hours=96)
    assert moved.body["warn_at"] == "2026-01-09T00:00:00Z"
    (event,) = events(asked, "clock_extended")
    assert (event.actor, event.data["before"], event.data["after"], event.data["reason"]) == (
        "ann",
        "2026-01-08T12:00:00+00:00",
        "2026-01-09T12:00:00+00:00",
        WORDS["reason"],
    )
    assert (event.data["report"], event.data["notice"]) == (WORDS["report"], "k1")
    # The first response is another promise, and a notice is no answer.
    first = clock(asked, "first_response")
    assert (first.state, first.due_at) == ("running", NOON + timedelta(hours=8))


def test_f10_open_time_is_extended_by_open_time(asked: Desk) -> None:
    """8 h from 13:00 in Berlin end at 21:00; two hours more reach an hour into the next morning, from 08:00 on."""
    ask(asked, metric=Metric.FIRST_RESPONSE, more=timedelta(hours=2))
    arrive(asked)
    assert clock(asked, "first_response").due_at == NOON + timedelta(hours=20)


def test_f10_told_by_hand_it_moves_at_once(asked: Desk) -> None:
    assert ask(asked, by_hand=True) is True
    assert clock(asked).due_at == NOON + timedelta(hours=96)
    assert asked.rows(tables.remedy) == []
    assert events(asked, "clock_extended")[0].data["notice"] == WORDS["tell"]


def test_f10_a_notice_that_never_arrives_moves_nothing(asked: Desk) -> None:
    ask(asked)
    with pytest.raises(TicketError, match="waits for an extension already: its notice k1 is approved"):
        ask(asked, "k2")
    arrive(asked, state="refused")
    assert clock(asked).due_at == NOON + timedelta(hours=72)
    ask(asked, "k3")
    arrive(asked, "k3")
    assert clock(asked).due_at == NOON + timedelta(hours=96)
    assert [row.state for row in asked.rows(tables.extension)] == ["void", "extended"]


def test_f10_a_second_extension_comes_on_top_of_the_first(asked: Desk) -> None:
    for number in (1, 2):
        ask(asked, f"k{number}")
        arrive(asked, f"k{number}")
    assert clock(asked).due_at == NOON + timedelta(hours=120)


def test_f10_what_ran_out_stays_late(asked: Desk) -> None:
    ask(asked)
    asked.advance(72 * 60 + 1)
    asked.do(tick_clocks)
    arrive(asked)
    late = clock(asked)
    assert (late.due_at, late.breached_at) == (NOON + timedelta(hours=72), NOON + timedelta(hours=72))
    assert events(asked, "extension_void")[0].data["why"] == "it ran out before the buyer was told"
    with pytest.raises(TicketError, match="ran out at 2026-01-08 12:00 UTC already"):
        ask(asked, "k2")


def test_f10_a_platforms_deadline_is_not_ours_to_move(asked: Desk) -> None:
    source = Source(kind=SourceKind.MARKETPLACE, name="scripted")
    asked.do(lambda unit: start_deadline(unit, 1, NOON, at(600), source))
    with pytest.raises(TicketError, match=r"is not ours to move \(marketplace: scripted\)"):
        ask(asked, metric=Metric.PLATFORM_DEADLINE)


def test_f10_what_is_over_cannot_be_extended(asked: Desk) -> None:
    ask(asked)
    asked.do(lambda unit: close_ticket(unit, 1, "ann"))
    arrive(asked)
    assert events(asked, "extension_void")[0].data["why"] == "its clock is met"
    with pytest.raises(TicketError, match="has no clock of resolution that still runs"):
        ask(asked, "k2")


def test_f10_a_buyer_who_cannot_be_told_from_here_is_told_on_the_platform(desk: Desk) -> None:
    mute = desk.add("mute", "mute")
    mute.messages.pages = [page(letter("m1", 0, "Is the lamp also sold in green?"))]
    desk.sync("mute")
    with pytest.raises(TicketError, match="--told-by-hand"):
        ask(desk)
    assert ask(desk, by_hand=True) is True
