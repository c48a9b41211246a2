from __future__ import annotations

import logging
import subprocess
import sys
import traceback
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from aftersail.sdk import (
    AlreadyDone,
    Ambiguous,
    AuthExpired,
    ChannelError,
    Invalid,
    NotAllowed,
    RateLimited,
    Unavailable,
)
from aftersail.sdk.errormap import ErrorMap, ErrorRule
from aftersail.sdk.http import HttpClient
from aftersail.sdk.limits import Limit
from aftersail.sdk.retry import LONGEST, parse_retry_after
from aftersail.sdk.testing.context import START, make_context

SECRET = "s3cr3t-t0ken/with+signs"


class Script:
    """Answers in order; an exception is raised, the last entry repeats."""

    def __init__(self, *steps):
        self.steps = list(steps)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        return step() if callable(step) else httpx.Response(step, json={"ok": True})


def client(script, **options):
    context = make_context(transport=httpx.MockTransport(script))
    return HttpClient(context, base_url="https://shop.example/api", **options), context


def answer(status, *, headers=None, **body):
    return lambda: httpx.Response(status, headers=headers, **body)


def test_a_read_is_tried_again_until_it_works():
    script = Script(503, httpx.ReadTimeout("slow"), httpx.ConnectError("refused"), 200)
    http, context = client(script)
    assert http.json("GET", "/orders", operation="orders") == {"ok": True}
    assert len(script.requests) == 4
    assert len(context.clock.slept) == 3
    assert all(0 < wait <= 8 for wait in context.clock.slept)


def test_a_read_gives_up_after_a_few_attempts():
    script = Script(500)
    http, _ = client(script)
    with pytest.raises(Unavailable, match="orders: the platform failed"):
        http.request("GET", "/orders", operation="orders")
    assert len(script.requests) == 4


def test_jitter_repeats_with_the_context_and_differs_between_seeds():
    def waits(seed):
        context = make_context(transport=httpx.MockTransport(Script(500)), seed=seed)
        with pytest.raises(Unavailable):
            HttpClient(context, base_url="https://shop.example").request("GET", "/", operation="x")
        return context.clock.slept

    assert waits(1) == waits(1)
    assert waits(1) != waits(2)


@pytest.mark.parametrize(
    "broken", [500, 503, 408, httpx.ReadTimeout("slow"), httpx.ReadError("reset"), httpx.WriteError("x")]
)
def test_a_write_of_unknown_outcome_is_ambiguous_and_sent_once(broken):
    script = Script(broken, 200)
    http, context = client(script)
    with pytest.raises(Ambiguous):
        http.json("POST", "/refunds", operation="refund", write=True, json={})
    assert len(script.requests) == 1
    assert context.clock.slept == []


@pytest.mark.parametrize(
    "broken", [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow"), httpx.PoolTimeout("full")]
)
def test_a_write_that_was_never_sent_is_unavailable(broken):
    script = Script(broken, 200)
    http, _ = client(script)
    with pytest.raises(Unavailable):
        http.json("POST", "/refunds", operation="refund", write=True, json={})
    assert len(script.requests) == 1


def test_a_write_is_never_repeated_on_429():
    script = Script(answer(429, headers={"Retry-After": "5"}))
    http, context = client(script)
    with pytest.raises(RateLimited) as caught:
        http.json("POST", "/refunds", operation="refund", write=True)
    assert caught.value.retry_at == START + timedelta(seconds=5)
    assert len(script.requests) == 1
    assert context.clock.slept == []


def test_retry_after_is_honoured_where_it_is_short():
    http, context = client(Script(answer(429, headers={"Retry-After": "7"}), 200))
    http.request("GET", "/", operation="x")
    assert context.clock.slept == [7.0]


def test_retry_after_of_a_date_is_honoured():
    at = START + timedelta(seconds=11)
    stamp = at.strftime("%a, %d %b %Y %H:%M:%S GMT")
    http, context = client(Script(answer(503, headers={"Retry-After": stamp}), 200))
    http.request("GET", "/", operation="x")
    assert context.clock.slept == [11.0]


def test_a_long_retry_after_is_handed_up_at_once():
    script = Script(answer(429, headers={"Retry-After": "600"}))
    http, context = client(script)
    with pytest.raises(RateLimited) as caught:
        http.request("GET", "/", operation="x")
    assert caught.value.retry_at == START + timedelta(minutes=10)
    assert len(script.requests) == 1
    assert context.clock.slept == []


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Invalid),
        (401, AuthExpired),
        (403, AuthExpired),
        (404, Invalid),
        (409, NotAllowed),
        (418, Invalid),
        (302, Invalid),
    ],
)
@pytest.mark.parametrize("write", [False, True])
def test_statuses_map_to_the_closed_set(status, error, write):
    script = Script(status)
    http, _ = client(script)
    with pytest.raises(error):
        http.request("POST", "/", operation="x", write=write)
    assert len(script.requests) == 1


def test_unreadable_json():
    garbage = answer(200, content=b'{"id": 1, "na')
    http, _ = client(Script(garbage))
    with pytest.raises(Ambiguous):
        http.json("POST", "/", operation="x", write=True)
    script = Script(garbage, 200)
    http, _ = client(script)
    assert http.json("GET", "/", operation="x") == {"ok": True}
    http, _ = client(Script(garbage))
    with pytest.raises(Unavailable):
        http.json("GET", "/", operation="x")


def test_an_empty_answer_is_none():
    http, _ = client(Script(answer(204)))
    assert http.json("DELETE", "/thing", operation="x", write=True) is None


def test_a_connectors_own_rules_come_first_and_read_codes_under_200():
    errors = ErrorMap(
        [
            ErrorRule(code="REFUND_EXISTS", error=AlreadyDone, message="refunded before"),
            ErrorRule(status=409, code="BUSY", error=Unavailable, on_write=Unavailable, message="nothing happened"),
        ],
        code_of=lambda response: response.json().get("error"),
        message_of=lambda response: response.json()["text"],
    )
    http, _ = client(
        Script(
            answer(200, json={"error": "REFUND_EXISTS", "text": "already refunded"}),
            answer(409, json={"error": "BUSY"}),
            answer(500, content=b"<html>"),
        ),
        errors=errors,
    )
    with pytest.raises(AlreadyDone) as caught:
        http.json("POST", "/", operation="refund", write=True)
    assert str(caught.value) == "refund: refunded before (HTTP 200); it says: already refunded [REFUND_EXISTS]"
    with pytest.raises(Unavailable):
        http.json("POST", "/", operation="refund", write=True)
    with pytest.raises(Ambiguous):
        http.json("POST", "/", operation="refund", write=True)


def test_a_rule_of_unavailable_becomes_ambiguous_for_a_write_unless_it_promises():
    rule = ErrorRule(status=599, error=Unavailable, message="x")
    assert rule.error_for(write=True) is Ambiguous
    assert rule.error_for(write=False) is Unavailable


def test_another_host_gets_nothing():
    script = Script(200)
    http, _ = client(script)
    with pytest.raises(Invalid, match=r"evil\.example"):
        http.request("GET", "https://evil.example/next", operation="x")
    assert script.requests == []


def test_declared_limits_wait_and_then_refuse():
    http, context = client(Script(200), limits=[Limit(operation="slow", rate=0.1, burst=1)])
    http.request("GET", "/", operation="slow")
    http.request("GET", "/", operation="slow")
    assert context.clock.slept == [pytest.approx(10)]
    http.request("GET", "/", operation="other")
    assert len(context.clock.slept) == 1
    with pytest.raises(RateLimited) as caught:
        [http.request("GET", "/", operation="slow", cost=5) for _ in range(3)]
    assert caught.value.retry_at > context.now()


@pytest.mark.parametrize(
    "step",
    [
        401,
        500,
        answer(400, json={"text": f"token {SECRET} is wrong"}),
        httpx.ConnectError(f"cannot reach https://shop.example/?token={SECRET}"),
        httpx.ReadTimeout(f"{SECRET}"),
        answer(200, content=b"{"),
    ],
)
@pytest.mark.parametrize("write", [False, True])
def test_no_secret_in_any_text(step, write, caplog):
    caplog.set_level(logging.DEBUG)
    errors = ErrorMap(message_of=lambda response: response.json()["text"])
    http, _ = client(Script(step), headers={"X-Token": SECRET}, secrets=[SecretStr(SECRET)], errors=errors)
    with pytest.raises(ChannelError) as caught:
        http.json("GET", "/", operation="x", write=write, params={"key": SECRET})
    error: BaseException | None = caught.value
    text = "".join(traceback.format_exception(caught.value)) + caplog.text
    while error is not None:
        text += repr(error) + str(vars(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    assert SECRET not in text
    assert "s3cr3t-t0ken%2Fwith%2Bsigns" not in text
    assert "x:" in str(caught.value)


def test_httpx_own_log_line_is_redacted(caplog):
    caplog.set_level(logging.INFO, logger="httpx")
    http, _ = client(Script(200), secrets=[SecretStr(SECRET)])
    http.request("GET", "/", operation="x", params={"key": SECRET})
    assert "HTTP Request" in caplog.text
    assert "s3cr3t" not in caplog.text


def test_close_twice_does_no_harm():
    http, _ = client(Script(200))
    http.close()
    http.close()


NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@given(st.text())
def test_retry_after_never_raises_and_never_points_back_or_too_far(text):
    at = parse_retry_after(text, now=NOW)
    assert at is None or NOW <= at <= NOW + LONGEST


@given(st.integers(min_value=0, max_value=600_000))
def test_retry_after_seconds_are_exact(seconds):
    assert parse_retry_after(str(seconds), now=NOW) == NOW + timedelta(seconds=seconds)


@given(st.datetimes(min_value=datetime(2026, 11, 22, 12), max_value=datetime(2026, 11, 29, 12)))  # noqa: DTZ001 - the strategy wants naive bounds
def test_retry_after_date_is_exact_to_the_second(at):
    at = at.replace(microsecond=0, tzinfo=UTC)
    assert parse_retry_after(at.strftime("%a, %d %b %Y %H:%M:%S GMT"), now=NOW) == at


@pytest.mark.parametrize("text", [None, "", "soon", "nan", "inf", "1e400", "Mon, 99 Foo 2026 00:00:00 GMT"])
def test_retry_after_garbage_is_no_answer(text):
    assert parse_retry_after(text, now=NOW) is None


def test_the_sdk_itself_loads_no_http_client():
    code = "import sys, aftersail.sdk; sys.exit('httpx' in sys.modules or 'pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def write(http, operation="pay"):
    return http.json("POST", "/orders", operation=operation, write=True)


@pytest.mark.parametrize("as_date", [False, True])
def test_what_a_platform_asked_to_leave_alone_is_not_called_again_before(as_date):
    later = (START + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT") if as_date else "90"
    script = Script(answer(429, headers={"Retry-After": later}), 200)
    http, context = client(script)
    for _ in range(3):
        with pytest.raises(RateLimited) as caught:
            write(http)
        assert caught.value.retry_at == START + timedelta(seconds=90)
    assert len(script.requests) == 1
    assert write(http, "answer") == {"ok": True}
    context.clock.advance(timedelta(seconds=90))
    assert write(http) == {"ok": True}


def test_a_short_rest_is_waited_for():
    script = Script(answer(429, headers={"Retry-After": "15"}), 200)
    http, context = client(script)
    with pytest.raises(RateLimited):
        write(http)
    context.clock.advance(timedelta(seconds=5))
    assert write(http) == {"ok": True}
    assert context.clock.slept == [10.0]


@pytest.mark.parametrize("minutes", [-7, 0, 7])
def test_a_date_to_wait_for_is_read_by_the_clock_of_who_wrote_it(minutes):
    theirs = START + timedelta(minutes=minutes)
    dates = {"Date": theirs, "Retry-After": theirs + timedelta(seconds=90)}
    headers = {name: at.strftime("%a, %d %b %Y %H:%M:%S GMT") for name, at in dates.items()}
    http, _ = client(Script(answer(429, headers=headers)))
    with pytest.raises(RateLimited) as caught:
        write(http)
    assert caught.value.retry_at == START + timedelta(seconds=90)
