from __future__ import annotations

from datetime import timedelta

import pytest

from tests.web.conftest import migrate


@pytest.fixture
def web_database(databases) -> str:
    return databases.fresh("web", migrate)


def test_tickets_are_listed_most_urgent_first(client, full_ticket):
    answer = client.get("/api/tickets", params={"state": "open"}).json()
    assert answer["total"] == 4
    assert [row["subject"] for row in answer["tickets"][:2]] == ["Wo bleibt mein Paket?", "My lamp arrived broken"]
    assert answer["tickets"][1]["due_at"] == "2026-01-05T10:20:00Z"
    page = client.get("/api/tickets", params={"limit": 2, "offset": 4}).json()
    assert (page["total"], len(page["tickets"])) == (5, 1)


def test_a_ticket_comes_whole(client, full_ticket):
    answer = client.get(f"/api/tickets/{full_ticket}").json()
    assert answer["ticket"]["number"] == full_ticket
    assert answer["order"]["total"] == {"amount": "19.99", "currency": "EUR"}
    assert [message["direction"] for message in answer["messages"]] == ["inbound", "outbound"]
    assert {clock["metric"] for clock in answer["clocks"]} >= {"platform_deadline", "first_response"}
    assert "by policy starter" in answer["decisions"][0]["trace"]
    assert answer["tasks"][0]["kind"] == "approve_refund"


def test_refunds_are_listed_with_their_state(client, full_ticket):
    answer = client.get("/api/refunds", params={"state": "settled"}).json()
    assert [(each["amount"]["amount"], each["booked"]["amount"]) for each in answer["refunds"]] == [("19.99", "19.90")]


def test_channels_tell_their_health(client, full_ticket):
    answer = client.get("/api/channels").json()
    assert {row["id"]: row["state"] for row in answer["channels"]} == {
        "amazon-de": "failing",
        "ebay-uk": "attention",
        "shop": "well",
    }
    assert answer["clocks_overdue"] == 1


def test_figures_of_a_window(client, full_ticket, clock):
    now = clock.now()
    answer = client.get("/api/figures", params={"since": (now - timedelta(minutes=90)).isoformat()}).json()
    assert answer["figures"]["tickets"] == 0
    assert answer["figures"]["refunds_settled"] == [{"count": 1, "total": {"amount": "19.90", "currency": "EUR"}}]
    assert answer["spikes"] == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/tickets/999", 404),
        (f"/api/tickets/{2**70}", 422),
        ("/api/tickets?state=nonsense", 422),
        ("/api/tickets?limit=0", 422),
        ("/api/refunds?limit=501", 422),
        ("/api/figures?since=2026-01-05T00:00:00", 422),
        ("/api/figures?since=2026-01-05T00:00:00Z&until=2026-01-04T00:00:00Z", 400),
        ("/api/figures?since=2020-01-05T00:00:00Z", 400),
        ("/api/nowhere", 404),
    ],
)
def test_a_wrong_question_is_refused_as_json(client, path, status):
    answer = client.get(path)
    assert answer.status_code == status
    assert "detail" in answer.json()


def test_nothing_can_be_written(client, full_ticket):
    paths = client.get("/api/openapi.json").json()["paths"]
    assert set(paths) == {
        "/api/tickets",
        "/api/tickets/{number}",
        "/api/refunds",
        "/api/channels",
        "/api/figures",
    }
    assert {method for path in paths.values() for method in path} == {"get"}
    assert client.post("/api/tickets").status_code == 405
    assert client.get("/docs").status_code == 404


def test_probes(client):
    assert client.get("/healthz").text == "ok\n"
    assert client.get("/readyz").json() == {"ready": True, "reasons": []}
