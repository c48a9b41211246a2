"""A second look: its own clock, never by who decided, in time, and the service extended once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aftersail.core.desk.agent import answer, close_ticket
from aftersail.core.desk.appeals import AppealKind, LodgedBy, appeal_rows, decide_appeal, open_appeal, take_appeal
from aftersail.core.desk.authority import AuthorityError
from aftersail.core.desk.clockwork import tick_clocks
from aftersail.core.desk.regrade import regrade
from aftersail.core.desk.tickets import TicketError
from aftersail.core.store import tables
from tests.builders import NOON, Desk, Script, at, letter, page
from tests.desk.people import ADA, ANN, EVE, SAM, SUE, staff

HOUR = timedelta(hours=1)


@pytest.fixture
def asked(desk: Desk, shop: Script) -> Desk:
    """A question of Monday noon, to be solved within 72 h."""
    staff(desk, ANN, SUE, SAM, ADA, EVE)
    shop.messages.pages = [page(letter("m1", 0, "Is the lamp also sold in green?", thread_id="t"))]
    desk.sync()
    return desk


def close(desk: Desk, actor: str = "ann", minutes: float = 60) -> None:
    desk.advance(minutes)
    desk.do(lambda unit: close_ticket(unit, 1, actor))


def lodge(desk: Desk, kind: AppealKind = AppealKind.APPEAL, by: LodgedBy = LodgedBy.DESK, **values: Any) -> int:
    said = {"why": "I was told something else", "actor": "ann"} | values
    return int(desk.do(lambda unit: open_appeal(unit, desk.services, 1, kind=kind, by=by, **said)))


def decide(desk: Desk, appeal: int, actor: str, *, granted: bool = True) -> Any:
    return desk.do(
        lambda unit: decide_appeal(unit, desk.services, appeal, granted=granted, note="we were wrong", actor=actor)
    )


def clocks(desk: Desk, metric: str) -> list[Any]:
    return desk.rows(tables.clock, tables.clock.c.metric == metric)


def others(desk: Desk) -> list[Any]:
    return desk.rows(tables.clock, tables.clock.c.metric != "appeal_answered")


def appeals(desk: Desk) -> list[Any]:
    return desk.rows(tables.appeal)


# -- appeals -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", list(LodgedBy))
def test_f32_an_appeal_opens_its_own_24_hours_and_the_original_stays_frozen(asked: Desk, by: LodgedBy) -> None:
    close(asked)
    before, ticket = others(asked), asked.rows(tables.ticket)[0]
    asked.advance(30)
    lodge(asked, by=by)
    (clock,) = clocks(asked, "appeal_answered")
    assert (clock.state, clock.started_at, clock.due_at) == ("running", asked.now, asked.now + 24 * HOUR)
    assert others(asked) == before
    after = asked.rows(tables.ticket)[0]
    assert (after.state, after.closed_at, after.due_at) == (ticket.state, ticket.closed_at, asked.now + 24 * HOUR)
    (appeal,) = appeals(asked)
    assert (appeal.lodged_by, appeal.state, appeal.opened_by) == (by, "open", "ann")
    (task,) = asked.rows(tables.task, tables.task.c.kind == "decide_appeal")
    assert task.closed_at is None


def test_f32_the_clock_runs_from_when_it_reached_us(asked: Desk) -> None:
    close(asked)
    asked.advance(60)
    lodge(asked, by=LodgedBy.MAIL, filed_at=at(70))
    assert clocks(asked, "appeal_answered")[0].due_at == at(70) + 24 * HOUR
    with pytest.raises(TicketError, match="still to come"):
        lodge(asked, filed_at=at(999))


def test_f32_what_still_runs_stands_still_until_it_is_decided(asked: Desk) -> None:
    asked.advance(60)
    appeal = lodge(asked)
    (solution,) = clocks(asked, "resolution")
    assert solution.state == "paused"
    asked.advance(120)
    decide(asked, appeal, "sue", granted=False)
    (solution,) = clocks(asked, "resolution")
    assert (solution.state, solution.due_at) == ("running", NOON + 74 * HOUR)


def test_f32_a_message_meanwhile_does_not_wake_the_original(asked: Desk, shop: Script) -> None:
    asked.advance(60)
    appeal = lodge(asked)
    asked.advance(60)
    asked.do(lambda unit: answer(unit, asked.services, 1, "We look into it.", key="k1", actor="ann"))
    shop.messages.pages = [page(letter("m2", 100, "And?", thread_id="t"))]
    asked.sync()
    assert clocks(asked, "resolution")[0].state == "paused"
    close(asked, minutes=10)
    shop.messages.pages = [page(letter("m3", 140, "I will not have that!", thread_id="t"))]
    asked.advance(30)
    asked.sync()
    assert asked.rows(tables.ticket)[0].state == "open"
    assert {row.state for row in clocks(asked, "resolution")} <= {"paused", "met"}
    asked.advance(60)
    decide(asked, appeal, "sue", granted=False)
    assert clocks(asked, "resolution")[-1].state == "running"


def test_f32_the_review_answers_it_in_time_and_a_late_one_is_late(asked: Desk) -> None:
    close(asked)
    appeal = lodge(asked)
    asked.advance(23 * 60)
    asked.do(lambda unit: take_appeal(unit, asked.services, appeal, "sue"))
    (clock,) = clocks(asked, "appeal_answered")
    assert (clock.state, clock.met_at, clock.breached_at) == ("met", asked.now, None)
    with pytest.raises(TicketError, match="is under review already, by sue"):
        asked.do(lambda unit: take_appeal(unit, asked.services, appeal, "sam"))
    asked.advance(60 * 48)
    decide(asked, appeal, "sue", granted=False)
    assert clocks(asked, "appeal_answered") == [clock]
    second = lodge(asked)
    asked.advance(24 * 60 + 1)
    asked.do(tick_clocks)
    decide(asked, second, "sam", granted=False)
    late = clocks(asked, "appeal_answered")[-1]
    assert (late.state, late.breached_at) == ("met", late.due_at)


def test_f32_grading_and_closing_leave_its_clock_alone(asked: Desk) -> None:
    asked.advance(60)
    lodge(asked)
    before = clocks(asked, "appeal_answered")
    asked.do(lambda unit: regrade(unit, asked.services, 1, tier="urgent", actor="ann"))
    close(asked, minutes=5)
    assert clocks(asked, "appeal_answered") == before


def test_f32_one_at_a_time(asked: Desk) -> None:
    close(asked)
    first = lodge(asked)
    with pytest.raises(TicketError, match=f"appeal {first} is still open on ticket 1"):
        lodge(asked)
    decide(asked, first, "sue", granted=False)
    with pytest.raises(TicketError, match=f"appeal {first} was denied by sue before"):
        decide(asked, first, "sam")
    assert lodge(asked) != first


def test_f32_what_is_granted_is_done_by_somebody(asked: Desk) -> None:
    close(asked)
    decide(asked, lodge(asked), "sue")
    assert asked.rows(tables.ticket)[0].state == "open"
    todo = [(row.kind, row.why) for row in asked.rows(tables.task) if row.closed_at is None]
    assert todo == [("follow_appeal", "appeal 1 was granted by sue: we were wrong")]
    (event,) = asked.rows(tables.event, tables.event.c.kind == "appeal_granted")
    assert (event.actor, event.data["note"]) == ("sue", "we were wrong")


def test_f32_the_list_begins_with_what_is_due_first(asked: Desk, shop: Script) -> None:
    shop.messages.pages = [page(letter("m9", 0, "Something else", thread_id="t9"))]
    asked.sync()
    asked.advance(60)
    first = lodge(asked)
    second = asked.do(
        lambda unit: open_appeal(
            unit,
            asked.services,
            2,
            kind=AppealKind.APPEAL,
            by=LodgedBy.MAIL,
            why="No",
            actor="ann",
            filed_at=at(30),
        )
    )
    with asked.engine.connect() as conn:
        assert [row["id"] for row in appeal_rows(conn, decided=False)] == [second, first]
    decide(asked, second, "sue", granted=False)
    with asked.engine.connect() as conn:
        assert [row["id"] for row in appeal_rows(conn, decided=False)] == [first]
        assert [row["id"] for row in appeal_rows(conn, decided=True)] == [second, first]


# -- four eyes ---------------------------------------------------------------------------------------------------------


def test_f31_who_decided_takes_no_second_look(asked: Desk) -> None:
    close(asked, "sue")
    appeal = lodge(asked)
    assert appeals(asked)[0].reviewer in {"sam", "ada"}
    for work in (decide, lambda desk, number, who: desk.do(lambda unit: take_appeal(unit, desk.services, number, who))):
        with pytest.raises(AuthorityError, match="sue has decided on ticket 1 before"):
            work(asked, appeal, "sue")
    decide(asked, appeal, "sam")


def test_f31_who_answered_for_us_takes_no_second_look_either(asked: Desk) -> None:
    asked.do(lambda unit: answer(unit, asked.services, 1, "No.", key="k1", actor="sam"))
    close(asked, "ann")
    appeal = lodge(asked)
    with pytest.raises(AuthorityError, match="sam has decided"):
        decide(asked, appeal, "sam")


def test_f31_an_agent_or_a_stranger_decides_nothing(asked: Desk) -> None:
    close(asked, "sue")
    appeal = lodge(asked)
    for actor in ("ann", "eve", "zoe"):
        with pytest.raises(AuthorityError, match=f"{actor} may not decide appeal 1; ask one of: sam, ada"):
            decide(asked, appeal, actor)


def test_f31_a_mediation_follows_a_denied_appeal_and_its_mediator_has_not_decided(asked: Desk) -> None:
    close(asked, "ann")
    with pytest.raises(TicketError, match="a mediation follows an appeal that was denied"):
        lodge(asked, AppealKind.MEDIATION)
    decide(asked, lodge(asked), "sue", granted=False)
    for decided in ("ann", "Sue", " sue "):
        with pytest.raises(TicketError, match="has decided on ticket 1 before and cannot mediate"):
            lodge(asked, AppealKind.MEDIATION, mediator=decided)
    mediation = lodge(asked, AppealKind.MEDIATION, mediator="Board of Example Trade")
    assert appeals(asked)[-1].reviewer is None
    for decided in ("ann", "sue"):
        with pytest.raises(AuthorityError, match=f"{decided} has decided"):
            decide(asked, mediation, decided)
    decide(asked, mediation, "sam")
    last = appeals(asked)[-1]
    assert (last.state, last.decided_by) == ("granted", "Board of Example Trade")
    (event,) = asked.rows(tables.event, tables.event.c.kind == "mediation_granted")
    assert event.actor == "sam"


def test_f31_a_mediation_inside_the_desk_goes_to_somebody_new(asked: Desk) -> None:
    close(asked, "ann")
    decide(asked, lodge(asked), "sue", granted=False)
    lodge(asked, AppealKind.MEDIATION)
    assert appeals(asked)[-1].reviewer in {"sam", "ada"}


def test_f31_where_everybody_has_decided_that_is_said(desk: Desk, shop: Script) -> None:
    staff(desk, ANN, SUE, manager=None)
    shop.messages.pages = [page(letter("m1", 0))]
    desk.sync()
    close(desk, "sue")
    lodge(desk)
    assert appeals(desk)[0].reviewer is None
    (task,) = desk.rows(tables.task, tables.task.c.kind == "decide_appeal")
    assert "nobody at the desk may decide it" in task.why


def test_f31_a_desk_that_names_nobody_keeps_four_eyes(desk: Desk, shop: Script) -> None:
    shop.messages.pages = [page(letter("m1", 0))]
    desk.sync()
    close(desk, "zoe")
    appeal = lodge(desk, actor="zoe")
    with pytest.raises(AuthorityError, match="zoe has decided"):
        decide(desk, appeal, "zoe")
    decide(desk, appeal, "her partner")


# -- objections --------------------------------------------------------------------------------------------------------

FRIDAY = datetime(2026, 1, 9, 15, 0, tzinfo=UTC)


def closed_on(desk: Desk, instant: datetime, actor: str = "ann") -> None:
    desk.now = instant
    desk.do(lambda unit: close_ticket(unit, 1, actor))


@pytest.mark.parametrize(
    ("closed", "filed", "allowed"),
    [
        (FRIDAY, FRIDAY, True),
        (FRIDAY, datetime(2026, 1, 14, 12, 0, tzinfo=UTC), True),
        (
            FRIDAY,
            datetime(2026, 1, 14, 22, 59, 59, 999999, tzinfo=UTC),
            True,
        ),  # a microsecond before midnight in Berlin
        (FRIDAY, datetime(2026, 1, 14, 23, 0, tzinfo=UTC), False),
        (FRIDAY, datetime(2026, 1, 15, 9, 0, tzinfo=UTC), False),
        (FRIDAY + timedelta(days=1), datetime(2026, 1, 14, 12, 0, tzinfo=UTC), True),
        (FRIDAY + timedelta(days=1), datetime(2026, 1, 15, 12, 0, tzinfo=UTC), False),
    ],
    ids=str,
)
@pytest.mark.parametrize("calendar", [None, "office"])
def test_f33_closed_on_friday_the_last_day_is_wednesday(
    asked: Desk, closed: datetime, filed: datetime, allowed: bool, calendar: str | None
) -> None:
    staff(asked, ANN, SUE, SAM, ADA, working_days=calendar)
    closed_on(asked, closed)
    asked.now = max(filed, closed)
    if allowed:
        lodge(asked, AppealKind.OBJECTION)
        assert clocks(asked, "appeal_answered")[0].due_at == asked.now + 24 * HOUR
    else:
        with pytest.raises(TicketError, match="the last day for an objection to ticket 1 was Wednesday 2026-01-14"):
            lodge(asked, AppealKind.OBJECTION)
        assert appeals(asked) == []


def test_f33_holidays_of_the_packs_calendar_do_not_count(asked: Desk) -> None:
    """Closed on Thursday 2 April 2026: Friday and Monday are Easter holidays in Germany."""
    staff(asked, ANN, SUE, SAM, working_days="office")
    closed_on(asked, datetime(2026, 4, 2, 12, 0, tzinfo=UTC))
    asked.now = datetime(2026, 4, 9, 20, 0, tzinfo=UTC)
    lodge(asked, AppealKind.OBJECTION)


def test_f33_the_supervisor_decides_and_approval_extends_the_service_once(asked: Desk) -> None:
    closed_on(asked, FRIDAY)
    met = clocks(asked, "resolution")
    asked.advance(60)
    objection = lodge(asked, AppealKind.OBJECTION)
    with pytest.raises(AuthorityError, match="ann"):
        decide(asked, objection, "ann")
    asked.do(lambda unit: take_appeal(unit, asked.services, objection, "sue"))
    assert clocks(asked, "appeal_answered")[0].state == "running"  # only the decision answers an objection
    asked.advance(23 * 60)
    until = decide(asked, objection, "sue")
    assert until == asked.now + 72 * HOUR
    (answered,) = clocks(asked, "appeal_answered")
    assert (answered.state, answered.breached_at) == ("met", None)
    assert clocks(asked, "resolution")[:1] == met
    again = clocks(asked, "resolution")[1]
    assert (again.state, again.started_at, again.due_at) == ("running", asked.now, until)
    assert asked.rows(tables.ticket)[0].state == "open"
    assert len(asked.rows(tables.event, tables.event.c.kind == "service_extended")) == 1
    # A second objection may be granted as well, and extends nothing.
    asked.advance(60)
    asked.do(lambda unit: close_ticket(unit, 1, "ann"))
    assert clocks(asked, "resolution")[1].state == "met"
    second = lodge(asked, AppealKind.OBJECTION)
    assert decide(asked, second, "sam") is None
    assert len(clocks(asked, "resolution")) == 2
    assert len(asked.rows(tables.event, tables.event.c.kind == "service_extended")) == 1
    (event,) = asked.rows(tables.event, tables.event.c.kind == "service_not_extended")
    assert event.data["why"] == f"objection {objection} has extended it before"


def test_f33_what_is_denied_extends_nothing(asked: Desk) -> None:
    closed_on(asked, FRIDAY)
    assert decide(asked, lodge(asked, AppealKind.OBJECTION), "sue", granted=False) is None
    assert asked.rows(tables.ticket)[0].state == "closed"
    assert len(clocks(asked, "resolution")) == 1


def test_f33_an_objection_is_against_a_closed_ticket(asked: Desk) -> None:
    with pytest.raises(TicketError, match="ticket 1 is open; an objection is against a closed one"):
        lodge(asked, AppealKind.OBJECTION)
    closed_on(asked, FRIDAY)
    with pytest.raises(TicketError, match="was closed only afterwards"):
        lodge(asked, AppealKind.OBJECTION, filed_at=FRIDAY - HOUR)


def test_f32_no_decision_without_a_reason(asked: Desk) -> None:
    close(asked)
    appeal = lodge(asked)
    with pytest.raises(TicketError, match="say why"):
        asked.do(lambda unit: decide_appeal(unit, asked.services, appeal, granted=True, note=" ", actor="sue"))
    with pytest.raises(TicketError, match="there is no appeal 99"):
        decide(asked, 99, "sue")
    with pytest.raises(TicketError, match="say what the buyer objects to"):
        lodge(asked, why=" ")
