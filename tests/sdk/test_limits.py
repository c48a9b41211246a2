from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersail.sdk import RateLimited
from aftersail.sdk.limits import ANY, Budget, Limit, rate_from_header
from aftersail.sdk.testing.context import FixedClock


def budget(*limits, patience=20.0):
    clock = FixedClock()
    return Budget(limits, now=clock, sleep=clock.sleep, patience=patience), clock


def test_a_burst_goes_at_once_then_the_rate_holds():
    drawn, clock = budget(Limit(operation="send", rate=2, burst=3))
    for _ in range(5):
        drawn.draw("send")
    assert clock.slept == [pytest.approx(0.5), pytest.approx(0.5)]


def test_quiet_time_fills_the_bucket_up_to_the_burst():
    drawn, clock = budget(Limit(operation="send", rate=1, burst=2))
    drawn.draw("send")
    drawn.draw("send")
    clock.advance(timedelta(hours=1))
    drawn.draw("send")
    drawn.draw("send")
    assert clock.slept == []
    drawn.draw("send")
    assert clock.slept == [pytest.approx(1)]


def test_the_shared_bucket_holds_for_every_operation():
    drawn, clock = budget(Limit(operation=ANY, rate=1, burst=1))
    drawn.draw("a")
    drawn.draw("b")
    assert clock.slept == [pytest.approx(1)]


def test_too_long_a_wait_is_refused_and_takes_nothing():
    drawn, clock = budget(Limit(operation="search", rate=1 / 180, burst=1))
    drawn.draw("search")
    for _ in range(3):
        with pytest.raises(RateLimited) as caught:
            drawn.draw("search")
        assert caught.value.retry_at == clock() + timedelta(seconds=180)
    clock.advance(timedelta(seconds=180))
    drawn.draw("search")


def test_live_figures_win():
    drawn, clock = budget(Limit(operation=ANY, rate=100, burst=1000), patience=1000)
    drawn.set_level(ANY, 10, rate=50, burst=2000)
    drawn.draw("x", cost=110)
    assert clock.slept == [pytest.approx(2)]
    drawn.set_rate("unknown", 5)
    drawn.set_level("unknown", 5)


@pytest.mark.parametrize("value", ["", "fast", "nan", "inf", "-1", "0"])
def test_odd_headers_change_nothing(value):
    drawn, clock = budget(Limit(operation="x", rate=1, burst=1))
    rate_from_header("x-rate")(drawn, "x", httpx.Response(200, headers={"x-rate": value}))
    drawn.draw("x")
    drawn.draw("x")
    assert clock.slept == [pytest.approx(1)]


def test_a_rate_from_a_header():
    drawn, clock = budget(Limit(operation="x", rate=1, burst=1))
    rate_from_header("x-rate")(drawn, "x", httpx.Response(200, headers={"X-Rate": "0.5"}))
    drawn.draw("x")
    drawn.draw("x")
    assert clock.slept == [pytest.approx(2)]


def test_a_clock_that_jumps_back_gives_nothing_away():
    drawn, clock = budget(Limit(operation="x", rate=1, burst=1))
    drawn.draw("x")
    clock.advance(timedelta(hours=-1))
    drawn.draw("x")
    assert clock.slept == [pytest.approx(1)]


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0)])
def test_limits_that_make_no_sense(rate, burst):
    with pytest.raises(ValueError, match="limit of x"):
        Limit(operation="x", rate=rate, burst=burst)


@given(
    rate=st.floats(0.1, 50),
    burst=st.integers(1, 20),
    pauses=st.lists(st.floats(0, 10), min_size=1, max_size=60),
)
def test_no_window_ever_holds_more_than_the_burst_and_the_rate(rate, burst, pauses):
    drawn, clock = budget(Limit(operation="x", rate=rate, burst=burst), patience=1e9)
    sent = []
    for pause in pauses:
        clock.advance(timedelta(seconds=pause))
        drawn.draw("x")
        sent.append(clock())
    for first in range(len(sent)):
        for last in range(first, len(sent)):
            seconds = (sent[last] - sent[first]).total_seconds()
            assert last - first + 1 <= burst + rate * seconds + 0.01
