"""Alarms: raised once an episode, told to agent and manager, over when the figure was normal for a while."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aftersail.core.clocks import Metric, Source, SourceKind, from_deadline, tick
from aftersail.core.insight.watch import alarms, watch
from aftersail.core.store import tables
from aftersail.core.store.engine import reading
from aftersail.core.store.unit import unit_of_work

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class Watching:
    """Looks at the figures at an instant and keeps what plugins were told."""

    def __init__(self, filling):
        self.filling = filling
        self.told = []

    def __call__(self, after=timedelta()):
        at = self.filling.now + after
        with unit_of_work(self.filling.engine, at, lambda hook, event: self.told.append((hook, event))) as unit:
            return [(each.metric, each.subject) for each in watch(unit)]

    def alarms(self, since=-DAY, until=30 * DAY):
        with reading(self.filling.engine).connect() as conn:
            return alarms(conn, self.filling.now + since, self.filling.now + until)

    def lines(self):
        with reading(self.filling.engine).connect() as conn:
            rows = conn.execute(tables.event.select().order_by(tables.event.c.id)).all()
        return [row.kind for row in rows]


@pytest.fixture
def watching(filling):
    filling.channel()
    return Watching(filling)


def file(filling, number, ago, **values):
    for _ in range(number):
        filling.ticket(filed_at=filling.now - ago, **values)


def usual(filling, number, reason="damaged"):
    """So many tickets in each of the fourteen days before the last, and one before all of them."""
    file(filling, 1, 16 * DAY, reason="other", state="closed")
    for day in range(1, 15):
        file(filling, number, day * DAY + HOUR, reason=reason, state="closed")


def test_f16_three_times_the_usual_raises_one_alarm_once(watching, filling):
    usual(filling, 4)
    file(filling, 11, HOUR, reason="damaged")
    assert watching() == []
    file(filling, 1, HOUR, reason="damaged", owner="ada")
    assert watching() == [("inquiries", "damaged")]
    assert [watching(timedelta(minutes=minutes)) for minutes in (0, 5, 10)] == [[], [], []]
    [(hook, event)] = watching.told
    assert (hook, event.subject, event.recipients) == ("aftersail_alarm_raised", "damaged", ("ada", "manager"))
    assert event.why == "12 tickets about damaged in the last 24 hours, usually 4.0"
    assert watching.lines() == ["alarm_raised"]


def test_f16_what_no_single_reason_explains_is_one_alarm_of_all(watching, filling):
    usual(filling, 4)
    for reason in ("other", "invoice", "complaint"):
        file(filling, 4, HOUR, reason=reason)
    assert watching() == [("inquiries", "all")]
    assert watching.alarms()[0].why == "12 tickets in the last 24 hours, usually 4.0"


def test_f13_an_episode_ends_after_an_hour_of_calm_and_the_next_one_is_told(watching, filling):
    usual(filling, 4)
    file(filling, 12, timedelta(), reason="damaged")
    assert watching(HOUR) == [("inquiries", "damaged")]
    assert watching(DAY) == []
    assert watching(DAY + HOUR / 2) == []  # the tickets are older than a day by now: calm, for half an hour
    assert watching.alarms()[0].closed_at is None
    assert watching(DAY + HOUR) == []
    [over] = watching.alarms()
    assert (over.raised_at, over.closed_at) == (filling.now + HOUR, filling.now + DAY + HOUR)
    assert watching.lines() == ["alarm_raised", "alarm_over"]
    file(filling, 40, -10 * DAY, reason="damaged")
    assert watching(10 * DAY + HOUR) == [("inquiries", "damaged")]
    assert len(watching.told) == len(watching.alarms()) == 2
    assert watching.alarms(since=5 * DAY)[0].closed_at is None


def test_f13_a_figure_on_the_verge_is_not_told_every_minute(watching, filling):
    usual(filling, 4)
    file(filling, 11, HOUR, reason="damaged")
    verge = filling.ticket(reason="damaged")
    table = tables.ticket
    for minute in range(0, 50, 10):
        reason = "damaged" if minute % 20 == 0 else "other"
        with filling.engine.begin() as conn:
            conn.execute(table.update().where(table.c.id == verge).values(reason=reason))
        watching(timedelta(minutes=minute))
    assert len(watching.told) == 1


def test_f13_slow_answers_are_told_to_whoever_owns_open_tickets(watching, filling):
    for number in range(10):
        owner = ("ada", "ben", None)[number % 3]
        state = "open" if owner else "closed"
        ticket = filling.ticket(filed_at=filling.now - 5 * HOUR, owner=owner, state=state)
        answer = {"direction": "outbound", "sent_at": filling.now - HOUR + timedelta(seconds=number - 5)}
        filling.message(ticket, "Sorry", **answer)
        expected = [] if number < 9 else [("first_response", "all")]
        assert watching() == expected
    [alarm] = watching.alarms()
    assert alarm.recipients == ("ada", "ben", "manager")
    assert alarm.why == "first answers of the last 24 hours took 4 h on average; the goal is under 4 h"


def test_f13_many_breaches_are_told_to_the_team_lead_where_nobody_owns_them(watching, filling):
    usual(filling, 1)
    ticket = filling.ticket(state="closed")
    source = Source(kind=SourceKind.OWN, name="desk")
    for number in range(5):
        assert watching() == []
        due = filling.now - HOUR - timedelta(minutes=number)
        filling.clock(ticket, tick(from_deadline(Metric.RESOLUTION, due - DAY, due, source), filling.now)[0])
    assert watching() == [("breaches", "all")]
    assert watching.alarms()[0].recipients == ("team lead", "manager")


@pytest.mark.parametrize(("satisfied", "told"), [(7, []), (6, [("satisfaction", "all")])])
def test_f13_unhappy_buyers_are_told(watching, filling, satisfied, told):
    for number in range(10):
        answered = {"asked_at": filling.now - DAY, "answered_at": filling.now - HOUR}
        score = 4 if number < satisfied else 3
        filling.add(tables.survey, ticket=filling.ticket(), kind="csat", score=score, **answered)
    assert watching() == told


def test_f13_an_empty_desk_is_normal(watching):
    assert watching() == []
    assert watching.alarms() == ()
