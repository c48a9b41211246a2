"""Where the pages may be served, who may see them, and how the server starts and stops."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from aftersail.core.web.app import create_app
from aftersail.core.web.listen import Address, ListenError, parse_listen
from aftersail.core.web.server import serve
from tests.web.conftest import LOCAL, TestClient, make_app


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("127.0.0.1:8080", Address("127.0.0.1", 8080)),
        ("localhost:0", Address("127.0.0.1", 0)),
        ("127.8.8.8:80", Address("127.8.8.8", 80)),
        ("[::1]:8080", Address("::1", 8080)),
    ],
)
def test_this_machine_may_listen(listen, address):
    assert parse_listen(listen) == address


@pytest.mark.parametrize("listen", ["0.0.0.0:8080", "[::]:8080", "192.168.1.5:8080", "desk.example:8080"])
def test_other_machines_need_an_explicit_word(listen):
    with pytest.raises(ListenError, match=r"no sign-in yet.*listen on 127\.0\.0\.1:8080"):
        parse_listen(listen)
    assert parse_listen(listen, allow_remote=True).port == 8080


@pytest.mark.parametrize("listen", ["8080", "127.0.0.1", "127.0.0.1:99999", "::1:80", "127.0.0.1:80a", ""])
def test_what_is_no_address_is_told_with_an_example(listen):
    with pytest.raises(ListenError, match=r"127\.0\.0\.1:8080"):
        parse_listen(listen, allow_remote=True)


@pytest.mark.parametrize("path", ["/", "/api/tickets", "/static/desk.js", "/api/openapi.json"])
@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Host": "evil.example:8080"}, {"X-Forwarded-For": "203.0.113.9"}, {"Host": ""}],
    ids=["rebound", "rebound with port", "proxied", "none"],
)
def test_pages_answer_only_to_this_machine(client, path, headers):
    answer = client.get(path, headers=headers)
    assert answer.status_code == 403
    assert "no sign-in" in answer.text
    assert answer.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "[::1]:8080"])
def test_names_of_this_machine_are_known(client, host):
    assert client.get("/", headers={"Host": host}).status_code == 200


def test_with_an_explicit_word_every_host_is_answered(app):
    with TestClient(create_app(app, allow_remote=True), base_url="http://desk.example") as client:
        assert client.get("/", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 200


def test_an_empty_database_is_not_ready(tmp_path: Path, clock):
    app = make_app(f"sqlite:///{tmp_path}/empty.db", tmp_path, clock.now)
    with TestClient(create_app(app), base_url=LOCAL) as client:
        assert client.get("/healthz").status_code == 200
        answer = client.get("/readyz")
        why = {"check": "store", "why": "the database is empty; run: aftersail init"}
        assert (answer.status_code, answer.json()) == (503, {"ready": False, "reasons": [why]})
    app.close()


def test_a_failure_is_logged_and_tells_nothing_to_the_browser(app, client, monkeypatch):
    def broken():
        raise RuntimeError("secret detail")

    monkeypatch.setattr(app, "now", broken)
    with capture_logs() as logs:
        answer = client.get("/api/channels")
    assert (answer.status_code, answer.json()) == (500, {"detail": "Something went wrong"})
    assert answer.headers["x-frame-options"] == "DENY"
    assert [(each["event"], each["path"], each["error"]) for each in logs] == [
        ("request_failed", "/api/channels", "RuntimeError")
    ]


def test_a_database_that_is_gone_is_told_and_not_ready(app, client, monkeypatch):
    def gone(*_, **__):
        raise sa.exc.OperationalError("SELECT 1", {}, Exception("gone"))

    monkeypatch.setattr("sqlalchemy.engine.base.OptionEngine.connect", gone)
    with capture_logs():
        answer = client.get("/")
    assert answer.status_code == 503
    assert "The database cannot be read" in answer.text
    ready = client.get("/readyz")
    why = {"check": "store", "why": "the database cannot be reached"}
    assert (ready.status_code, ready.json()) == (503, {"ready": False, "reasons": [why]})


def test_it_is_served_beside_the_daemon_and_stops_cleanly(app, full_ticket):
    with serve(app, "127.0.0.1:0") as url:
        answer = httpx.get(f"{url}/tickets/{full_ticket}", trust_env=False)
        assert answer.status_code == 200
        assert "It came in two pieces." in answer.text
        assert "server" not in answer.headers
    assert "web" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, trust_env=False)


def test_a_port_that_is_taken_is_told_at_once(app):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError, match=f"cannot listen on 127.0.0.1:{port}"), serve(app, f"127.0.0.1:{port}"):
            pass
