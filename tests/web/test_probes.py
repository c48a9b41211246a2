"""What machines ask: readiness with its reasons, and the metrics, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from aftersail.core.insight.vitals import StoredMessages
from aftersail.core.jobs.tables import job
from aftersail.core.store import tables
from aftersail.core.telemetry import http_call
from aftersail.core.web.app import create_app
from tests.web.conftest import LOCAL, TestClient
from tests.web.conftest import migrate as build

TOKEN = "a-token-long-enough"
AWAY = {"Host": "desk.example"}


@pytest.fixture
def web_database(databases) -> str:
    return databases.fresh("web", build)


def reasons(client) -> list[tuple[str, str | None]]:
    answer = client.get("/readyz")
    body = answer.json()
    assert answer.status_code == (200 if body["ready"] else 503)
    return [(each["check"], each.get("subject")) for each in body["reasons"]]


def add_job(filling, job_id: str, *, queue: str = "sync", state: str = "waiting", waited: float = 0, due=None) -> None:
    row = {"name": queue, "queue": queue, "partition": "shop", "priority": 0, "args": {}, "run": 1, "attempts": 0}
    created = filling.now - timedelta(seconds=waited)
    filling.add(job, id=job_id, state=state, cancelling=False, created_at=created, due_at=due, **row)


def test_each_check_has_its_limit(client, filling):
    filling.channel()
    ticket = filling.ticket()
    soon = filling.now + timedelta(hours=1)
    add_job(filling, "in time", waited=299)
    add_job(filling, "not due", waited=9999, due=soon)
    add_job(filling, "over", state="done", waited=9999)
    add_job(filling, "begun", state="running", waited=9999)
    approved = {"kind": "reply", "amount": None, "currency": None, "next_at": None}
    early = filling.now - timedelta(seconds=899)
    filling.remedy(ticket, "fresh", state="approved", planned_at=early, approved_at=early, **approved)
    filling.remedy(ticket, "asks", state="planned", planned_at=filling.now - timedelta(days=3), **approved)
    filling.remedy(
        ticket, "backs-off", state="approved", planned_at=early, approved_at=early, **(approved | {"next_at": soon})
    )
    assert reasons(client) == []
    add_job(filling, "late", queue="refund", waited=301)
    add_job(filling, "later", queue="other", waited=9999, due=soon)
    assert reasons(client) == [("queue_lag", "refund")]
    late = filling.now - timedelta(seconds=901)
    filling.remedy(ticket, "late", state="approved", planned_at=late, approved_at=late, **approved)
    assert reasons(client) == [("queue_lag", "refund"), ("unsent_reply", None)]
    found = {each["check"]: each for each in client.get("/readyz").json()["reasons"]}
    assert (found["unsent_reply"]["seconds"], found["unsent_reply"]["limit"]) == (901, 900)
    assert found["queue_lag"]["why"] == "queue_lag refund: 301 s, limit 300 s"


def test_a_channel_without_a_good_sync_for_long_is_a_reason(client, filling, clock):
    old = filling.now - timedelta(seconds=3601)
    filling.channel("well")
    filling.channel("late", synced_at=old)
    filling.channel("slow", synced_at=old, poll_seconds=3000)
    filling.channel("off", synced_at=old, active=False)
    filling.channel("new", synced_at=None)
    assert reasons(client) == [("channel", "late")]
    clock.advance(3601)
    assert reasons(client) == [("channel", "late"), ("channel", "new"), ("channel", "well")]


def test_reasons_and_metrics_are_not_for_everybody(app, filling):
    filling.channel("late", synced_at=filling.now - timedelta(days=1))
    with TestClient(create_app(app), base_url=LOCAL) as client:
        assert client.get("/metrics").status_code == 200
        for away in (AWAY, {"X-Forwarded-For": "203.0.113.9"}):
            assert client.get("/healthz", headers=away).status_code == 200
            answer = client.get("/readyz", headers=away)
            assert (answer.status_code, answer.json()) == (503, {"ready": False})
            assert client.get("/metrics", headers=away).status_code == 401


@pytest.mark.parametrize("allow_remote", [False, True])
def test_a_token_opens_metrics_and_reasons_to_another_machine(app, filling, allow_remote):
    filling.channel("late", synced_at=filling.now - timedelta(days=1))
    web = app.settings.web.model_copy(update={"metrics_token": SecretStr(TOKEN)})
    app.settings = app.settings.model_copy(update={"web": web})
    with TestClient(create_app(app, allow_remote=allow_remote), base_url="http://desk.example") as client:
        for wrong in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Authorization": "Bearer "}):
            assert client.get("/metrics", headers=wrong).status_code == 401
            assert "reasons" not in client.get("/readyz", headers=wrong).json()
        shown = {"Authorization": f"Bearer {TOKEN}"}
        assert client.get("/metrics", headers=shown).status_code == 200
        assert [each["check"] for each in client.get("/readyz", headers=shown).json()["reasons"]] == ["channel"]
        # A wrong token is told so even here.
        assert client.get("/metrics", headers={"Host": "127.0.0.1", "Authorization": "Bearer wrong"}).status_code == 401


def scrape(client) -> dict[str, dict[tuple[str, ...], float]]:
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def test_metrics_say_how_the_desk_stands(client, full_ticket, filling, app):
    with app.engine.connect() as conn:
        known = dict(conn.execute(sa.select(tables.message.c.channel, sa.func.count()).group_by("channel")).all())
        replies = conn.scalar(sa.select(sa.func.count()).where(tables.remedy.c.kind == "reply"))
    add_job(filling, "waits", queue="refund", waited=7)
    add_job(filling, "parked", queue="refund", state="parked")
    add_job(filling, "over", queue="refund", state="done")
    filling.channel("broken", attention="its token is dead", failures=4, synced_at=None)
    found = scrape(client)
    assert {key[0]: value for key, value in found["aftersail_messages_stored_total"].items()} == known
    assert found["aftersail_jobs"] == {("refund", "parked"): 1.0, ("refund", "waiting"): 1.0}
    assert found["aftersail_queue_lag_seconds"] == {("refund",): 7.0}
    of_replies = [value for (kind, _), value in found["aftersail_remedies"].items() if kind == "reply"]
    assert sum(of_replies) == replies
    assert found["aftersail_channel_needs_attention"][("broken",)] == 1.0
    assert found["aftersail_channel_needs_attention"][("shop",)] == 0.0
    assert found["aftersail_channel_failures"][("broken",)] == 4.0
    last = found["aftersail_channel_last_success_timestamp_seconds"]
    assert last[("shop",)] == (filling.now - timedelta(seconds=20)).timestamp()
    assert ("broken",) not in last
    assert found["aftersail_clocks_due"].keys() == found["aftersail_clocks_breached"].keys() == {()}


def test_metrics_name_no_ticket_and_no_buyer(client, full_ticket):
    text = client.get("/metrics").text
    for secret in ("Ada", "example.com", "lamp", "two pieces"):
        assert secret not in text
    assert "ticket" not in {
        label for each in text_string_to_metric_families(text) for s in each.samples for label in s.labels
    }


def test_clocks_past_their_time_are_counted(client, filling):
    filling.channel()
    ticket = filling.ticket()
    row = {"metric": "resolution", "source": "own", "started_at": filling.now - timedelta(days=1), "body": {}}
    past, ahead = filling.now - timedelta(minutes=1), filling.now + timedelta(minutes=1)
    filling.add(tables.clock, ticket=ticket, state="running", due_at=past, breached_at=past, **row)
    filling.add(tables.clock, ticket=ticket, state="running", due_at=ahead, **row)
    filling.add(tables.clock, ticket=ticket, state="met", due_at=past, **row)
    found = scrape(client)
    assert found["aftersail_clocks_due"] == {(): 1.0}
    assert found["aftersail_clocks_breached"] == {(): 1.0}


def test_requests_of_connectors_are_counted_by_status_class(app, filling):
    filling.channel()
    with TestClient(create_app(app), base_url=LOCAL) as client:
        http_call("shop", "orders", 200, 0.2)
        http_call("shop", "orders", 204, 0.2)
        http_call("shop", "orders", 429, 0.1)
        http_call("shop", "orders", None, 30.5)
        counted = scrape(client)["aftersail_connector_request_duration_seconds_count"]
        assert counted == {("shop", "orders", "2xx"): 2, ("shop", "orders", "4xx"): 1, ("shop", "orders", "none"): 1}
    http_call("shop", "orders", 200, 0.2)  # the web is closed, and hears no more


def test_a_message_committed_below_the_newest_is_counted_too(app, filling):
    stored = StoredMessages(settled_after=timedelta(minutes=10))
    filling.channel()
    ticket = filling.ticket()

    def count(minutes: float) -> dict[str, int]:
        with app.engine.connect() as conn:
            return stored.count(conn, filling.now + timedelta(minutes=minutes))

    for number in (1, 2, 5):
        filling.message(ticket, f"m{number}", id=number)
    assert count(0) == {"shop": 3}
    filling.message(ticket, "m3", id=3)  # its transaction took its time
    assert count(5) == {"shop": 4}
    filling.message(ticket, "m4", id=4)
    assert count(7) == {"shop": 5}
    filling.message(ticket, "m6", id=6)
    assert count(11) == {"shop": 6}
    with app.engine.begin() as conn:
        conn.execute(sa.delete(tables.message).where(tables.message.c.id <= 5))  # erased: it was stored all the same
    assert count(12) == {"shop": 6}
    filling.message(ticket, "m7", id=7)
    assert count(30) == {"shop": 7}
    assert count(60) == {"shop": 7}
