"""The month of `month.py`, worked out by hand."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from aftersail.core.desk.surveys import SurveyError, SurveyKind, answer_survey, ask_survey
from aftersail.core.desk.tickets import TicketError
from aftersail.core.insight.board import report as report_of
from aftersail.core.insight.kpis import calendars_of, kpi_report
from aftersail.core.insight.measures import Share, TimesSum
from aftersail.core.insight.monthly import month_report
from aftersail.core.store import tables
from aftersail.core.store.engine import reading
from aftersail.core.store.unit import unit_of_work
from tests.insight.month import SINCE, UNTIL, answer, fill_november, on
from tests.web.filling import PACKS

HOUR = 3600


def november(filling, since=SINCE, until=UNTIL, calendars=None):
    with reading(filling.engine).connect() as conn:
        return kpi_report(conn, since, until, calendars or calendars_of(PACKS))


def share(found):
    return found.count, found.of, found.percent


def times(found):
    return found.count, found.average_seconds, share(found.within)


@pytest.fixture
def report(filling):
    fill_november(filling)
    return november(filling)


def test_f14_first_answers_in_elapsed_and_in_business_time(report):
    first = report.whole.first_response
    # 3 h, 11 h, 1 h and exactly 4 h, which is not under 4 h: 19 h in all.
    assert times(first.elapsed) == (4, 17100, (2, 4, Decimal("50.0")))
    # Only the first two have a clock with a calendar: 3 h and 1 h.
    assert times(first.business) == (2, 2 * HOUR, (2, 2, Decimal("100.0")))


def test_f14_solve_times_in_elapsed_and_in_business_time(report):
    solve = report.whole.solve
    # 24 h, 72 h, 10 h and 1 h: 107 h in all.
    assert times(solve.elapsed) == (4, 96300, (3, 4, Decimal("75.0")))
    # 14 h, and three days of 14 h less the 2 h of the pause.
    assert times(solve.business) == (2, 27 * HOUR, (2, 2, Decimal("100.0")))


def test_f14_one_touch_and_first_contact_are_not_the_same(report):
    # Broken and question with one answer each, lost with two; the one closed without an answer counts nowhere.
    assert share(report.whole.one_touch) == (2, 3, Decimal("66.7"))
    # Broken and lost: nobody had to ask again.
    assert share(report.whole.first_contact) == (2, 3, Decimal("66.7"))
    by_reason = {name: (kpis.one_touch.count, kpis.first_contact.count) for name, kpis in report.by_reason.items()}
    assert by_reason == {"damaged": (1, 1), "not_received": (0, 1), "other": (1, 0)}


def test_f14_satisfaction_and_promoters(report):
    csat, nps = report.whole.csat, report.whole.nps
    assert (share(csat.satisfied), csat.average) == ((2, 3, Decimal("66.7")), Decimal("3.7"))
    assert (nps.answers, nps.promoters, nps.detractors, nps.score) == (3, 2, 1, Decimal("33.3"))


def test_f14_breaches_count_at_the_due_instant(filling, report):
    # One noticed and met in December, one met late, one nobody has noticed yet; what ran out in October is not ours.
    assert report.whole.breaches == {"next_response": 1, "resolution": 2}
    assert report.whole.in_time == {"first_response": 2, "resolution": 1}
    december = november(filling, UNTIL, UNTIL + timedelta(days=31)).whole
    assert december.breaches == {}
    october = november(filling, SINCE - timedelta(days=31), SINCE).whole
    assert october.breaches == {"resolution": 1}


def test_f14_a_solution_that_took_longer_than_its_clock_is_a_breach_and_is_solved(report):
    lost = report.by_reason["not_received"]
    assert lost.solve.elapsed.count == 1
    assert lost.goals == {"first_response": False, "solve": False, "one_touch": False}


def test_f14_goals_are_met_or_not_or_nobody_can_say(report):
    assert report.whole.goals == {"first_response": False, "solve": True, "one_touch": False}
    assert report.by_channel["amazon-de"].goals == {"first_response": True, "solve": True, "one_touch": True}
    assert report.by_tier["ungraded"].first_response.business.average_seconds is None


def test_f14_every_division_adds_up_to_the_whole(report):
    assert list(report.by_channel) == ["amazon-de", "shop"]
    assert list(report.by_agent) == ["ada", "ben", "nobody"]
    assert list(report.by_tier) == ["defect", "ungraded", "urgent"]
    for division in (report.by_channel, report.by_reason, report.by_agent, report.by_tier):
        kpis = division.values()
        assert sum(each.first_response.elapsed.count for each in kpis) == 4
        assert sum(each.solve.elapsed.count for each in kpis) == 4
        assert sum(each.one_touch.of for each in kpis) == 3
        assert sum(each.csat.satisfied.of for each in kpis) == 3
        assert sum(each.breaches.get("resolution", 0) for each in kpis) == 2
    assert report.by_agent["ben"].first_response.elapsed.average_seconds == 27000  # 11 h and 4 h


def test_f14_an_empty_window_measures_nothing(filling):
    whole = november(filling).whole
    assert whole.goals == {"first_response": None, "solve": None, "one_touch": None}
    assert (whole.csat.average, whole.nps.score, whole.one_touch.percent) == (None, None, None)


def test_f14_a_pack_that_is_gone_leaves_elapsed_time(filling):
    fill_november(filling)
    whole = november(filling, calendars=lambda *_: None).whole
    assert (whole.solve.elapsed.count, whole.solve.business.count) == (4, 0)
    assert calendars_of(PACKS)("never", 1, "desk") is None
    assert calendars_of(PACKS)("starter", 1, "never") is None


def test_f14_a_window_that_ends_before_it_begins_is_refused(filling):
    with pytest.raises(ValueError, match="before it begins"):
        november(filling, UNTIL, SINCE)


@given(st.lists(st.integers(0, 10**12), max_size=20), st.integers(1, 10**12))
def test_f14_averages_are_exact(microseconds, goal):
    total = TimesSum(timedelta(microseconds=goal))
    for each in microseconds:
        total.add(timedelta(microseconds=each))
    found = total.result()
    assert found.within.count == sum(each < goal for each in microseconds)
    if microseconds:
        exact = Fraction(sum(microseconds), len(microseconds) * 10**6)
        assert abs(found.average_seconds - exact) <= Fraction(1, 2)
    else:
        assert found.average_seconds is None


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_f14_a_share_is_above_a_goal_exactly(count, rest):
    share = Share.make(count, count + rest)
    wanted = None if not count + rest else Fraction(count, count + rest) > Fraction(85, 100)
    assert share.above(85) is wanted


# -- surveys -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(filling):
    filling.channel()
    ticket = filling.ticket()
    with unit_of_work(filling.engine, filling.now) as unit:
        assert ask_survey(unit, ticket, SurveyKind.CSAT)
        assert not ask_survey(unit, ticket, SurveyKind.CSAT)
    return ticket


def vote(filling, ticket, score, kind=SurveyKind.CSAT, comment=""):
    with unit_of_work(filling.engine, filling.now + timedelta(hours=1)) as unit:
        answer_survey(unit, ticket, kind, score, comment)


def test_f14_the_first_vote_counts_and_the_second_is_refused(filling, asked):
    vote(filling, asked, 4, comment="quick")
    with pytest.raises(SurveyError, match="answered the csat survey already"):
        vote(filling, asked, 1)
    with reading(filling.engine).connect() as conn:
        (row,) = conn.execute(tables.survey.select())
    assert (row.score, row.comment, row.answered_at) == (4, "quick", filling.now + timedelta(hours=1))


@pytest.mark.parametrize("score", [0, 6, -1])
def test_f14_a_score_off_the_scale_is_refused(filling, asked, score):
    with pytest.raises(SurveyError, match="csat score is 1 to 5"):
        vote(filling, asked, score)


def test_f14_nobody_answers_what_was_not_asked(filling, asked):
    with pytest.raises(SurveyError, match="was not asked for nps"):
        vote(filling, asked, 10, SurveyKind.NPS)
    with pytest.raises(TicketError, match="no ticket 77"):
        vote(filling, 77, 5)


def turned(filling, ticket, at, before, after):
    row = {"at": at, "kind": "ticket_state", "channel": "shop", "ticket": ticket, "actor": "ada"}
    filling.add(tables.event, **row, data={"before": before, "after": after})


def solved(filling, ticket, *, closed, turns):
    """A ticket filed on the 2nd at nine with these turns; the last one says where it stands."""
    for at, before, after in turns:
        turned(filling, ticket, at, before, after)
    with filling.engine.begin() as conn:
        values = {"state": turns[-1][2], "closed_at": closed, "updated_at": turns[-1][0]}
        conn.execute(sa.update(tables.ticket).where(tables.ticket.c.id == ticket).values(**values))


def solve_hours(filling, since=SINCE, until=UNTIL):
    found = november(filling, since, until).whole.solve.elapsed
    return found.count, found.average_seconds and found.average_seconds / HOUR


@pytest.mark.parametrize(
    ("closed", "turns", "hours"),
    [
        (None, [(on(2, 15), "open", "resolved")], 6),
        (on(6, 9), [(on(2, 15), "waiting", "resolved"), (on(6, 9), "resolved", "closed")], 6),
        (None, [(on(2, 15), "open", "resolved"), (on(3, 8), "resolved", "open"), (on(3, 9), "open", "resolved")], 24),
        (on(3, 9), [(on(2, 15), "open", "closed"), (on(3, 8), "closed", "open"), (on(3, 9), "waiting", "closed")], 24),
        (None, [(on(2, 15), "open", "resolved"), (on(3, 8), "resolved", "open")], None),
        (None, [(on(2, 15), "open", "spam")], None),
    ],
)
def test_f14_solved_is_resolved_or_closed_and_counts_once_at_the_last_solution(filling, closed, turns, hours):
    filling.channel("shop")
    ticket = filling.ticket(filed_at=on(2, 9))
    answer(filling, ticket, on(2, 10))
    solved(filling, ticket, closed=closed, turns=turns)
    assert solve_hours(filling) == ((1, hours) if hours else (0, None))
    assert share(november(filling).whole.one_touch)[:2] == ((1, 1) if hours else (0, 0))


def test_f14_what_is_resolved_in_one_month_and_closed_in_the_next_is_solved_in_the_first(filling):
    filling.channel("shop")
    ticket = filling.ticket(filed_at=on(29, 9))
    turns = [(on(30, 9), "open", "resolved"), (on(31, 9), "resolved", "closed")]
    solved(filling, ticket, closed=on(31, 9), turns=turns)
    assert solve_hours(filling) == (1, 24)
    assert solve_hours(filling, UNTIL, UNTIL + timedelta(days=31)) == (0, None)


def test_f15_a_resolved_ticket_is_solved_on_the_board(filling):
    filling.channel("shop")
    for state in ("resolved", "closed", "open", "spam"):
        filling.ticket(filed_at=on(2, 9), state=state, closed_at=on(3, 9) if state == "closed" else None)
    with reading(filling.engine).connect() as conn:
        board = report_of(conn, SINCE, UNTIL, calendars_of(PACKS))
    assert share(board.solved) == (2, 4, Decimal("50.0"))
    assert share(board.progress["damaged"].solved) == (2, 4, Decimal("50.0"))


def test_f16_a_month_reports_what_was_resolved_in_it(filling):
    filling.channel("shop")
    ticket = filling.ticket(filed_at=on(2, 9), owner="ada")
    solved(filling, ticket, closed=None, turns=[(on(2, 15), "open", "resolved")])
    with reading(filling.engine).connect() as conn:
        month = month_report(conn, "2025-11", on(40, 0), calendars_of(PACKS))
    assert month.kpis.by_agent["ada"].solve.elapsed.average_seconds == 6 * HOUR
