from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersail.core.clocks import Metric, Source, SourceKind, from_deadline, meet, tick
from aftersail.core.contract import Money
from aftersail.core.insight.alarms import is_spike, reason_spikes
from aftersail.core.insight.figures import exact_money, figures
from aftersail.core.insight.health import ChannelState, desk_health
from aftersail.core.store import tables
from aftersail.core.store.engine import reading

OWN = Source(kind=SourceKind.OWN, name="desk")
HOUR = timedelta(hours=1)


def count(filling, since=7 * 24 * HOUR, until=timedelta()):
    with reading(filling.engine).connect() as conn:
        return figures(conn, filling.now - since, filling.now + until)


def test_an_empty_desk_has_zeros(filling):
    counted = count(filling)
    assert (counted.tickets, counted.by_reason, counted.refunds_settled, counted.open_tasks) == (0, {}, (), 0)


def test_a_window_that_ends_before_it_begins_is_refused(filling):
    with pytest.raises(ValueError, match="before it begins"):
        count(filling, since=-HOUR)


def test_tickets_are_divided_four_ways(filling):
    filling.channel("shop")
    filling.channel("amazon")
    filling.ticket(reason="damaged", tier="defect")
    filling.ticket(reason="damaged", tier=None, state="closed")
    filling.ticket("amazon", reason="other", tier="urgent")
    counted = count(filling)
    assert counted.tickets == 3
    assert list(counted.by_reason.items()) == [("damaged", 2), ("other", 1)]
    assert counted.by_channel == {"shop": 2, "amazon": 1}
    assert counted.by_tier == {"defect": 1, "ungraded": 1, "urgent": 1}
    assert counted.by_state == {"open": 2, "closed": 1}


def test_the_window_holds_its_begin_and_not_its_end(filling):
    filling.channel()
    for before in (2 * HOUR, HOUR, timedelta()):
        filling.ticket(filed_at=filling.now - before)
    assert count(filling, since=2 * HOUR).tickets == 2
    assert count(filling, since=2 * HOUR - timedelta(microseconds=1)).tickets == 1
    assert count(filling, until=timedelta(microseconds=1)).tickets == 3


def test_first_responses_count_when_their_verdict_fell(filling):
    filling.channel()
    ticket = filling.ticket()
    begun = filling.now - 10 * HOUR
    running = from_deadline(Metric.FIRST_RESPONSE, begun, begun + 4 * HOUR, OWN)
    late, _ = tick(running, filling.now - 5 * HOUR)
    filling.clock(ticket, meet(running, begun + 2 * HOUR))
    filling.clock(ticket, late)
    filling.clock(ticket, meet(late, filling.now - HOUR))
    filling.clock(ticket, from_deadline(Metric.FIRST_RESPONSE, begun, filling.now + HOUR, OWN))
    filling.clock(ticket, meet(from_deadline(Metric.RESOLUTION, begun, filling.now, OWN), begun + HOUR))
    counted = count(filling)
    assert (counted.first_response_met, counted.first_response_breached) == (1, 2)
    # The breach belongs to its due instant, six hours ago, however late it was noticed or answered.
    last = count(filling, since=5 * HOUR)
    assert (last.first_response_met, last.first_response_breached) == (0, 0)


@given(st.lists(st.tuples(st.sampled_from(["EUR", "JPY", "KWD"]), st.integers(0, 10**9)), max_size=8))
def test_amounts_get_their_decimals_and_keep_their_value(amounts):
    decimals = {"EUR": 2, "JPY": 0, "KWD": 3}
    for currency, units in amounts:
        value = Decimal(units).scaleb(-4)
        money = exact_money(value, currency)
        assert money.amount == value
        assert -money.amount.as_tuple().exponent >= min(decimals[currency], 4)


def test_refunds_are_added_up_exactly_and_by_currency(filling):
    filling.channel()
    ticket = filling.ticket()
    settled = {"state": "settled", "settled_at": filling.now - HOUR}
    for number in range(10):
        filling.remedy(ticket, f"e{number}", **settled, amount=Decimal("0.10"))
    filling.remedy(ticket, "booked", **settled, amount=Decimal("5.00"), booked=Decimal("4.99"))
    filling.remedy(ticket, "yen", **settled, amount=Decimal(2400), currency="JPY")
    huge = Decimal("90071992547409.93")  # beyond what a float can hold to the cent
    filling.remedy(ticket, "dinar", **settled, amount=huge, currency="USD")
    filling.remedy(ticket, "before", state="settled", settled_at=filling.now - 30 * 24 * HOUR)
    filling.remedy(ticket, "unknown", state="unknown")
    filling.remedy(ticket, "case", kind="case", **settled)
    totals = {each.total.currency: (each.count, each.total) for each in count(filling).refunds_settled}
    assert totals == {
        "EUR": (11, Money.of("5.99", "EUR")),
        "JPY": (1, Money.of(2400, "JPY")),
        "USD": (1, Money.of(huge, "USD")),
    }


def test_parked_refunds_count_once_however_often_a_person_was_asked(filling):
    filling.channel()
    ticket = filling.ticket()
    key = filling.remedy(ticket, "a")
    reply = filling.remedy(ticket, "b", kind="reply")
    asked = {"ticket": ticket, "opened_at": filling.now - HOUR}
    filling.add(tables.task, **asked, remedy=key, kind="approve_refund", why="large")
    filling.add(tables.task, **asked, remedy=key, kind="refund_unknown", why="no answer")
    filling.add(tables.task, **asked, remedy=reply, kind="approve_reply", why="draft")
    assert count(filling).refunds_parked == 1


def test_open_tasks_are_those_at_the_end_of_the_window(filling):
    filling.channel()
    ticket = filling.ticket()
    opened = filling.now - 3 * HOUR
    filling.add(tables.task, ticket=ticket, kind="decide", why="a", opened_at=opened)
    filling.add(tables.task, ticket=ticket, kind="decide", why="b", opened_at=opened, closed_at=filling.now - HOUR)
    assert count(filling).open_tasks == 1
    assert count(filling, until=-2 * HOUR).open_tasks == 2
    assert count(filling, until=-4 * HOUR).open_tasks == 0


def test_replies_and_messages_of_people_are_counted(filling):
    filling.channel()
    ticket = filling.ticket()
    filling.remedy(ticket, "a", kind="reply", state="settled", settled_at=filling.now - HOUR)
    filling.remedy(ticket, "b", kind="reply", state="approved")
    filling.message(ticket, "one")
    filling.message(ticket, "two")
    filling.message(ticket, "away", kind="auto_reply")
    filling.message(ticket, "ours", direction="outbound")
    counted = count(filling)
    assert (counted.replies_sent, counted.messages_in) == (1, 2)


HEALTH = [
    ({}, ChannelState.WELL),
    ({"synced_at": None}, ChannelState.NEW),
    ({"due_at": None, "armed_at": timedelta()}, ChannelState.WELL),
    ({"due_at": -timedelta(seconds=59)}, ChannelState.WELL),
    ({"due_at": -timedelta(seconds=61)}, ChannelState.LATE),
    ({"failures": 1, "due_at": -HOUR}, ChannelState.FAILING),
    ({"failures": 1, "attention": "renew"}, ChannelState.ATTENTION),
    ({"active": False, "attention": "renew"}, ChannelState.OFF),
]


def test_a_channel_is_as_well_as_its_worst_sign(filling):
    for number, (values, _) in enumerate(HEALTH):
        at = {name: filling.now + value if isinstance(value, timedelta) else value for name, value in values.items()}
        filling.channel(f"c{number}", **at)
    with reading(filling.engine).connect() as conn:
        health = desk_health(conn, filling.now)
    assert [channel.state for channel in health.channels] == [state for _, state in HEALTH]


def test_what_is_left_lying_is_told(filling):
    filling.channel()
    ticket = filling.ticket()
    running = from_deadline(Metric.FIRST_RESPONSE, filling.now - 5 * HOUR, filling.now - HOUR, OWN)
    unticked = filling.clock(ticket, running)
    filling.clock(ticket, tick(running, filling.now)[0])
    filling.clock(ticket, meet(running, filling.now - 2 * HOUR))
    with filling.engine.begin() as conn:
        table = tables.clock
        conn.execute(table.update().where(table.c.id == unticked).values(next_at=filling.now - HOUR))
    filling.remedy(ticket, "refund", planned_at=filling.now - 9 * HOUR)
    filling.remedy(ticket, "held", kind="reply", after="refund", planned_at=filling.now - 8 * HOUR)
    filling.remedy(ticket, "sent", kind="reply", state="settled", planned_at=filling.now - 7 * HOUR)
    filling.remedy(ticket, "freed", kind="reply", after="x", state="approved", planned_at=filling.now - 3 * HOUR)
    filling.remedy(ticket, "draft", kind="reply", planned_at=filling.now - 2 * HOUR)
    with reading(filling.engine).connect() as conn:
        health = desk_health(conn, filling.now)
    assert (health.clocks_overdue, health.clocks_unticked) == (2, 1)
    assert health.oldest_unsent_reply == filling.now - 3 * HOUR


def spikes(filling, **values):
    with reading(filling.engine).connect() as conn:
        return reason_spikes(conn, filling.now, **values)


def file_tickets(filling, reason, number, ago):
    for _ in range(number):
        filling.ticket(reason=reason, filed_at=filling.now - ago)


def test_a_reason_that_triples_spikes(filling):
    filling.channel()
    file_tickets(filling, "other", 1, timedelta(days=16))
    for day in range(2, 16, 2):
        file_tickets(filling, "damaged", 2, timedelta(days=day))
        file_tickets(filling, "not_received", 10, timedelta(days=day))
    file_tickets(filling, "damaged", 11, HOUR)
    file_tickets(filling, "not_received", 14, HOUR)
    file_tickets(filling, "wrong_item", 9, HOUR)
    found = spikes(filling)
    assert [(spike.reason, spike.count, spike.usual) for spike in found] == [("damaged", 11, Decimal("1.0"))]


def test_a_desk_without_a_past_has_no_spike(filling):
    filling.channel()
    assert spikes(filling) == ()
    file_tickets(filling, "damaged", 20, HOUR)
    assert spikes(filling) == ()


@given(st.integers(0, 500), st.integers(0, 5000), st.integers(1, 60), st.integers(1, 10), st.integers(1, 50))
def test_a_spike_is_a_multiple_of_the_mean_and_no_handful(number, before, windows, factor, minimum):
    found = is_spike(number, before, windows=windows, factor=factor, minimum=minimum)
    assert found == (number >= minimum and number >= factor * Fraction(before, windows))
