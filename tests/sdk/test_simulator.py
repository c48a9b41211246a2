from __future__ import annotations

import random
import threading
from datetime import timedelta

import httpx
import pytest

from aftersail.sdk import Ambiguous, AuthExpired, RateLimited, Unavailable
from aftersail.sdk.http import HttpClient
from aftersail.sdk.testing.context import START, make_context
from aftersail.sdk.testing.faults import Planned, duplicated, shuffled
from aftersail.sdk.testing.simulator import Simulator, route
from aftersail.sdk.testing.weather import Weather


class Counter(Simulator):
    def __init__(self):
        super().__init__()
        self.count = 0

    @route("POST", "/things/{thing}/count")
    def add(self, request, thing):
        self.count += 1
        return httpx.Response(200, json={"thing": thing, "count": self.count})

    @route("GET", "/files/{rest:path}")
    def file(self, request, rest):
        return httpx.Response(200, json={"rest": rest, "items": [1, 2, 3, 4, 5]})


@pytest.fixture
def sim():
    return Counter()


@pytest.fixture(params=["in process", "over HTTP"])
def http(request, sim):
    if request.param == "in process":
        client = HttpClient(make_context(transport=sim.transport()), base_url="http://sim.test", timeout=5)
        yield client
        client.close()
    else:
        with sim.serve() as url:
            client = HttpClient(make_context(), base_url=url, timeout=5)
            yield client
            client.close()


def add(http):
    return http.json("POST", "/things/a%20b/count", operation="add", write=True)


def test_state_and_parameters(sim, http):
    assert add(http) == {"thing": "a b", "count": 1}
    assert add(http)["count"] == 2
    assert http.json("GET", "/files/a/b", operation="file")["rest"] == "a/b"
    assert [(call.operation, call.status) for call in sim.calls] == [("add", 200), ("add", 200), ("file", 200)]


@pytest.mark.parametrize(
    ("fault", "effect"),
    [
        ("reset_before", 0),
        ("reset_after", 1),
        ("timeout_before", 0),
        ("timeout_after", 1),
        ("error_after", 1),
        ("garbage", 1),
    ],
)
def test_faults_around_the_effect_look_alike_from_outside(sim, http, fault, effect):
    sim.fail_next("add", fault)
    with pytest.raises(Ambiguous):
        add(http)
    assert sim.count == effect
    add(http)
    assert sim.count == effect + 1


def test_refused_in_process(sim):
    http = HttpClient(make_context(transport=sim.transport()), base_url="http://sim.test")
    sim.fail_next("/things/*", "refused")
    with pytest.raises(Unavailable):
        add(http)
    assert sim.count == 0


def test_statuses_with_headers(sim, http):
    sim.fail_next("add", 429, headers={"Retry-After": "60"})
    sim.fail_next("add", 401)
    with pytest.raises(RateLimited) as caught:
        add(http)
    assert caught.value.retry_at is not None
    http._context.clock.advance(timedelta(seconds=60))
    with pytest.raises(AuthExpired):
        add(http)
    assert sim.count == 0


def test_a_fault_strikes_as_often_as_planned_and_heal_forgets(sim, http):
    sim.fail_next("add", 500, times=2)
    for _ in range(2):
        with pytest.raises(Ambiguous):
            add(http)
    assert add(http)["count"] == 1
    sim.fail_next("add", 500)
    sim.heal()
    assert add(http)["count"] == 2


def test_altered_answers(sim, http):
    sim.alter_next("file", duplicated("items"))
    sim.alter_next("file", shuffled("items", seed=1))
    assert http.json("GET", "/files/x", operation="file")["items"] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    items = http.json("GET", "/files/x", operation="file")["items"]
    assert items != [1, 2, 3, 4, 5]
    assert sorted(items) == [1, 2, 3, 4, 5]


def test_unknown_routes_say_so(sim, http):
    answer = http._client.get("/nowhere")
    assert answer.status_code == 404
    assert "Counter has no route for GET /nowhere" in answer.text


def test_many_threads_lose_no_call(sim):
    with sim.serve() as url:

        def work():
            with httpx.Client(base_url=url) as client:
                for _ in range(10):
                    client.post("/things/x/count")

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sim.count == 80
    assert len(sim.calls) == 80


def test_who_calls_before_retry_after_is_hasty(http, sim):
    sim.now = lambda: START
    sim.fail_next("add", 429, headers={"Retry-After": "60"})
    with pytest.raises(RateLimited):
        add(http)
    with pytest.raises(RateLimited):
        add(http)
    assert sim.hasty == []
    httpx.Client(transport=sim.transport()).post("http://sim.test/things/a/count")
    assert [call.operation for call in sim.hasty] == ["add"]
    sim.now = lambda: START + timedelta(seconds=60)
    httpx.Client(transport=sim.transport()).post("http://sim.test/things/a/count")
    assert len(sim.hasty) == 1


def test_an_answer_carries_the_platforms_date(http, sim):
    sim.now = lambda: START
    assert http.request("GET", "/files/a", operation="file").headers.get_list("date") == [
        "Mon, 02 Nov 2026 09:00:00 GMT"
    ]


def test_weather_repeats_with_its_seed_and_clears_up():
    def struck(seed):
        weather = Weather(random.Random(seed), [lambda _: Planned("add", 503, 1)], rate=0.5, most=3)
        return [weather.strike(name, "/") is not None for name in ["add", "file"] * 20]

    assert struck(1) == struck(1) != struck(2)
    assert sum(struck(1)) == 3
    assert not any(struck(1)[1::2])
