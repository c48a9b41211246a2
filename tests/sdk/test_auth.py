from __future__ import annotations

import threading
import traceback
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs

import httpx
import pytest
from pydantic import SecretStr

from aftersail.sdk import Ambiguous, AuthExpired, RateLimited, Unavailable
from aftersail.sdk.auth import ClientCredentialsAuth, RefreshTokenAuth
from aftersail.sdk.http import HttpClient
from aftersail.sdk.testing.context import make_context
from aftersail.sdk.testing.simulator import Simulator, route

CLIENT_SECRET, REFRESH = "client-secret-value", "refresh-token-value"


class Platform(Simulator):
    """Hands out numbered tokens; only the newest is good."""

    def __init__(self, *, life=3600, rotate=False):
        super().__init__()
        self.life, self.rotate = life, rotate
        self.issued = 0
        self.refresh = REFRESH
        self.effects = 0
        self.forms = []

    @route("POST", "/token")
    def token(self, request):
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        self.forms.append((form, request.headers.get("authorization")))
        if form["grant_type"] == "refresh_token" and form["refresh_token"] != self.refresh:
            return httpx.Response(400, json={"error": "invalid_grant"})
        self.issued += 1
        body = {"access_token": f"access-token-{self.issued}", "token_type": "bearer"}
        if self.life is not None:
            body["expires_in"] = self.life
        if self.rotate:
            self.refresh = body["refresh_token"] = f"refresh-token-{self.issued}"
        return httpx.Response(200, json=body)

    @route("GET", "/thing")
    @route("POST", "/thing")
    def thing(self, request):
        if request.headers.get("authorization") != f"Bearer access-token-{self.issued}":
            return httpx.Response(401)
        self.effects += request.method == "POST"
        return httpx.Response(200, json={"ok": True})


def connect(platform, kind=RefreshTokenAuth, keeper=None, **options):
    context = replace(make_context(transport=platform.transport()), keeper=keeper)
    if kind is RefreshTokenAuth:
        options.setdefault("refresh_token", SecretStr(REFRESH))
    auth = kind(
        context,
        token_url="https://login.example/token",
        client_id="app",
        client_secret=SecretStr(CLIENT_SECRET),
        **options,
    )
    return HttpClient(context, base_url="https://api.example", auth=auth), context


def get(http):
    return http.json("GET", "/thing", operation="get")


def post(http):
    return http.json("POST", "/thing", operation="post", write=True, json={})


def test_a_token_is_fetched_once_and_kept():
    platform = Platform()
    http, _ = connect(platform)
    assert get(http) == post(http) == {"ok": True}
    assert platform.issued == 1
    assert platform.forms[0][0] == {
        "grant_type": "refresh_token",
        "refresh_token": REFRESH,
        "client_id": "app",
        "client_secret": CLIENT_SECRET,
    }


def test_client_credentials_with_basic_authentication_and_a_scope():
    platform = Platform()
    http, _ = connect(platform, ClientCredentialsAuth, client_auth="basic", extra={"scope": "read"})
    get(http)
    form, header = platform.forms[0]
    assert form == {"grant_type": "client_credentials", "scope": "read"}
    assert header == httpx.BasicAuth("app", CLIENT_SECRET)._auth_header


def test_another_header_without_a_prefix():
    seen = []

    def answer(request):
        if request.url.path == "/token":
            return httpx.Response(200, json={"access_token": "t-0-k"})
        seen.append(request.headers["x-amz-access-token"])
        return httpx.Response(200, json={})

    context = make_context(transport=httpx.MockTransport(answer))
    auth = RefreshTokenAuth(
        context,
        token_url="https://login.example/token",
        client_id="app",
        client_secret=SecretStr(CLIENT_SECRET),
        refresh_token=SecretStr(REFRESH),
        header="x-amz-access-token",
        prefix="",
    )
    HttpClient(context, base_url="https://api.example", auth=auth).request("GET", "/thing", operation="get")
    assert seen == ["t-0-k"]


@pytest.mark.parametrize(("life", "passed", "renewed"), [(3600, 3500, 1), (3600, 3541, 2), (60, 29, 1), (60, 31, 2)])
def test_a_token_is_renewed_before_it_expires(life, passed, renewed):
    platform = Platform(life=life)
    http, context = connect(platform)
    get(http)
    context.clock.advance(timedelta(seconds=passed))
    get(http)
    assert platform.issued == renewed


def test_without_a_life_an_hour_is_assumed():
    platform = Platform(life=None)
    http, context = connect(platform)
    get(http)
    context.clock.advance(timedelta(minutes=58))
    get(http)
    assert platform.issued == 1
    context.clock.advance(timedelta(minutes=2))
    get(http)
    assert platform.issued == 2


def test_a_token_that_died_early_is_renewed_once_even_for_a_write():
    platform = Platform()
    http, _ = connect(platform)
    get(http)
    platform.issued += 1
    post(http)
    assert platform.effects == 1
    platform.fail_next("thing", 401, times=5)
    with pytest.raises(AuthExpired):
        post(http)
    assert platform.effects == 1


def test_a_rotating_refresh_token_is_followed():
    platform = Platform(rotate=True)
    http, context = connect(platform)
    for _ in range(3):
        get(http)
        context.clock.advance(timedelta(hours=2))
    assert platform.issued == 3


class Kept:
    """A keeper in memory."""

    def __init__(self, value):
        self.values = {"refresh_token": SecretStr(value)}
        self.held = 0

    @contextmanager
    def renewing(self, field):
        self.held += 1
        yield

    def read(self, field):
        return self.values.get(field)

    def replace(self, field, value):
        self.values[field] = value


def test_a_replaced_refresh_token_outlives_the_process_and_is_shared():
    platform = Platform(rotate=True)
    keeper = Kept(REFRESH)
    first, context = connect(platform, keeper=keeper)
    get(first)
    assert keeper.read("refresh_token").get_secret_value() == platform.refresh != REFRESH
    second, _ = connect(platform, keeper=keeper)
    get(second)
    context.clock.advance(timedelta(hours=2))
    get(first)
    assert platform.issued == keeper.held == 3


def test_a_token_endpoint_that_asked_to_wait_is_left_alone():
    platform = Platform()
    platform.fail_next("token", 429, headers={"Retry-After": "90"})
    http, context = connect(platform)
    for _ in range(2):
        with pytest.raises(RateLimited):
            post(http)
    assert [call.operation for call in platform.calls] == ["token"]
    context.clock.advance(timedelta(seconds=90))
    post(http)
    assert platform.effects == 1


def test_a_revoked_grant_is_auth_expired_and_names_no_secret():
    platform = Platform()
    platform.refresh = "another"
    http, _ = connect(platform)
    with pytest.raises(AuthExpired, match="connect the account again") as caught:
        get(http)
    assert caught.value.code == "invalid_grant"
    text = "".join(traceback.format_exception(caught.value))
    assert REFRESH not in text
    assert CLIENT_SECRET not in text


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("timeout_after", Unavailable),
        ("reset_before", Unavailable),
        (500, Unavailable),
        (429, RateLimited),
        (403, AuthExpired),
        ("garbage", Unavailable),
    ],
)
def test_a_failing_token_endpoint_means_the_write_was_not_sent(fault, error):
    platform = Platform()
    platform.fail_next("token", fault, times=9)
    http, _ = connect(platform)
    with pytest.raises(error):
        post(http)
    assert platform.effects == 0


def test_a_read_tries_a_failing_token_endpoint_again():
    platform = Platform()
    platform.fail_next("token", 503, times=2)
    http, _ = connect(platform)
    assert get(http) == {"ok": True}


def test_a_lost_answer_after_the_token_is_still_ambiguous():
    platform = Platform()
    platform.fail_next("thing", "timeout_after")
    http, _ = connect(platform)
    with pytest.raises(Ambiguous):
        post(http)
    assert platform.effects == 1


def test_live_tokens_are_redacted():
    platform = Platform()
    http, _ = connect(platform)
    get(http)
    assert http.redact(f"access-token-1 {REFRESH} {CLIENT_SECRET}") == "********** ********** **********"


def test_many_threads_renew_once():
    platform = Platform()
    http, _ = connect(platform)
    threads = [threading.Thread(target=get, args=(http,)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert platform.issued == 1
