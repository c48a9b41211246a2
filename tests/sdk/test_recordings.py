from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from aftersail.sdk.redaction import MASK, Redactor
from aftersail.sdk.testing.recordings import OutsideRecordingError, Recording, RecordingTransport, replay, scan

SECRET = "s3cr3t/value+1"
NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def answer(request):
    if request.url.path == "/token":
        return httpx.Response(
            200, json={"access_token": "fresh-token", "nested": [{"refreshToken": "r"}], "nextToken": "page-2"}
        )
    if request.url.path == "/binary":
        return httpx.Response(200, content=b"\xff\x00\xfe")
    headers = {"Set-Cookie": "session=abc", "X-RateLimit-Remaining": "7", "X-Request-Id": "1"}
    return httpx.Response(200, headers=headers, json={"echo": SECRET, "n": 1})


def record(path, **options):
    transport = RecordingTransport(
        httpx.MockTransport(answer),
        path,
        api_version="7",
        origin="live",
        secrets=[SecretStr(SECRET)],
        now=lambda: NOW,
        **options,
    )
    with httpx.Client(transport=transport, base_url="https://shop.example") as client:
        client.get("/a", params={"api_key": "k-in-query", "q": SECRET}, headers={"Authorization": f"Bearer {SECRET}"})
        client.post("/a", json={"body": [SECRET]}, headers={"Cookie": "session=abc"})
        client.post("/token", data={"client_secret": "in-a-form", "grant_type": "x"})
        client.get("/binary")
    return path.read_text()


def test_nothing_secret_reaches_the_file(tmp_path):
    text = record(tmp_path / "a.json")
    for leak in (SECRET, "s3cr3t%2F", "k-in-query", "session=abc", "fresh-token", "in-a-form", "Bearer"):
        assert leak not in text
    assert "page-2" in text
    assert "x-ratelimit-remaining" in text
    assert scan(tmp_path / "a.json", secrets=[SecretStr(SECRET)]) == ()
    recording = Recording.load(tmp_path / "a.json")
    assert (recording.recorded_at, recording.api_version, recording.origin) == (NOW, "7", "live")


def test_a_recording_answers_as_the_platform_did_with_other_secrets(tmp_path):
    record(tmp_path / "a.json")
    other = "another-secret"
    with (
        replay(tmp_path / "a.json", secrets=[SecretStr(other)]),
        httpx.Client(base_url="https://shop.example") as client,
    ):
        got = client.get("/a", params={"api_key": "x", "q": other}, headers={"Authorization": other})
        assert got.json() == {"echo": MASK, "n": 1}
        assert got.headers["x-ratelimit-remaining"] == "7"
        client.post("/a", json={"body": [other]})
        client.post("/token", data={"client_secret": "mine", "grant_type": "x"})
        assert client.get("/binary").content == b"\xff\x00\xfe"


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.get("/b"),
        lambda client: client.get("https://elsewhere.example/binary"),
        lambda client: client.post("/a", json={"body": ["other"]}),
        lambda client: client.put("/binary"),
    ],
)
def test_a_request_outside_is_refused(tmp_path, ask):
    record(tmp_path / "a.json")
    with (
        pytest.raises(OutsideRecordingError, match=r"is not in a\.json"),
        replay(tmp_path / "a.json"),
        httpx.Client(base_url="https://shop.example") as client,
    ):
        ask(client)


def test_a_request_outside_is_remembered_where_the_connector_swallows_it(tmp_path):
    record(tmp_path / "a.json")

    def swallowing():
        with replay(tmp_path / "a.json"), httpx.Client(base_url="https://shop.example") as client:
            try:
                client.get("/b")
            except AssertionError:
                return

    with pytest.raises(OutsideRecordingError, match="is not in"):
        swallowing()


def test_every_exchange_must_be_used(tmp_path):
    record(tmp_path / "a.json")
    with (
        pytest.raises(OutsideRecordingError, match="never used: GET"),
        replay(tmp_path / "a.json"),
        httpx.Client(base_url="https://shop.example") as client,
    ):
        client.get("/binary")


def test_bodies_may_be_left_out_of_the_match(tmp_path):
    record(tmp_path / "a.json")
    with (
        replay(tmp_path / "a.json", match_body=False, secrets=[SecretStr(SECRET)]),
        httpx.Client(base_url="https://shop.example") as client,
    ):
        client.post("/a", json={"other": 1})
        client.get("/a", params={"api_key": "", "q": SECRET})
        client.post("/token")
        client.get("/binary")


def test_age(tmp_path):
    record(tmp_path / "a.json")
    recording = Recording.load(tmp_path / "a.json")
    assert not recording.expired(NOW + timedelta(days=365))
    assert recording.expired(NOW + timedelta(days=366))
    assert not recording.model_copy(update={"origin": "simulator"}).expired(NOW + timedelta(days=9999))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"recorded_at": "2026-11-02T09:00:00"}'])
def test_what_is_no_recording(tmp_path, text):
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(ValueError, match=r"bad\.json is no recording"):
        Recording.load(tmp_path / "bad.json")


@given(st.text(min_size=4), st.text(), st.text())
def test_a_known_value_never_survives(secret, before, after):
    redact = Redactor([SecretStr(secret)])
    cleaned = redact(before + secret + after)
    assert secret not in cleaned.replace(MASK, "") or secret in (before + after)


def test_short_values_are_left_alone_and_long_ones_go_first():
    redact = Redactor([SecretStr("abc"), SecretStr("long-secret"), SecretStr("long-secret-2")])
    assert redact("abc long-secret-2") == f"abc {MASK}"


def test_scan_reads_deep(tmp_path):
    record(tmp_path / "a.json")
    body = json.loads((tmp_path / "a.json").read_text())
    body["exchanges"][0]["response"]["body"] = {"deep": [{"password": "open"}]}
    (tmp_path / "a.json").write_text(json.dumps(body))
    assert scan(tmp_path / "a.json") == ("a.json keeps the field password",)
