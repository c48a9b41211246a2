from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from aftersail.core.store import tables
from aftersail.core.web.webhooks import MAX_BODY
from tests.web.conftest import sign


def due(app, channel="shop"):
    with app.engine.connect() as conn:
        return conn.scalar(sa.select(tables.channel.c.due_at).where(tables.channel.c.id == channel))


def deliver(client, body=b"{}", channel="shop", **headers):
    signed = {"X-Signature": sign(body)} | {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(f"/webhooks/{channel}", content=body, headers=signed)


@pytest.fixture(autouse=True)
def _channel(filling):
    filling.channel()


def test_a_genuine_delivery_makes_the_channel_due_now(client, app, clock):
    assert due(app) > clock.now()
    answer = deliver(client)
    assert (answer.status_code, answer.content) == (200, b"")
    assert due(app) == clock.now()


def test_a_forged_delivery_is_refused_and_changes_nothing(client, app, clock):
    before = due(app)
    assert deliver(client, X_Signature=sign(b"something else")).status_code == 401
    assert client.post("/webhooks/shop", content=b"{}").status_code == 401
    assert due(app) == before


@pytest.mark.parametrize("channel", ["nowhere", "ebay-uk"])
def test_a_channel_that_is_not_there_or_takes_none_is_not_found(client, channel):
    assert deliver(client, channel=channel).status_code == 404


def test_a_channel_whose_plugin_is_missing_asks_for_it_again(client):
    assert deliver(client, channel="amazon-de").status_code == 503


def test_a_platform_that_cannot_be_asked_sends_it_again(client, app, clock):
    before = due(app)
    assert deliver(client, X_Down="yes").status_code == 503
    assert due(app) == before


def test_a_handshake_is_answered_and_nothing_falls_due(client, app):
    before = due(app)
    answer = deliver(client, b'{"response": "{\\"challenge\\": \\"<b>\\"}"}')
    assert answer.text == '{"challenge": "<b>"}'
    assert answer.headers["content-type"] == "application/json"
    plain = deliver(client, b'{"response": "<b>hello</b>"}')
    assert plain.headers["content-type"].startswith("text/plain")
    assert due(app) == before


def test_a_handshake_may_come_as_get(client):
    answer = client.get("/webhooks/shop?challenge_code=1", headers={"X-Signature": sign(b"")})
    assert answer.status_code == 200


def test_a_genuine_delivery_that_cannot_be_read_is_still_a_hint(client, app, clock):
    assert deliver(client, b"not json").status_code == 200
    assert due(app) == clock.now()


def test_a_body_that_is_too_large_is_refused(client, app):
    before = due(app)
    assert deliver(client, b"x" * (MAX_BODY + 1)).status_code == 413
    assert due(app) == before


@pytest.mark.parametrize(
    "row", [{"due_at": None}, {"failures": 2}, {"active": False}], ids=["under way", "backing off", "off"]
)
def test_a_channel_that_is_busy_failing_or_off_is_left_alone(client, app, row):
    with app.engine.begin() as conn:
        conn.execute(sa.update(tables.channel).values(**row))
    before = due(app)
    assert deliver(client).status_code == 200
    assert due(app) == before


@pytest.mark.parametrize(
    ("row", "asked"), [({"due_at": None}, True), ({"due_at": None, "failures": 2}, False), ({}, False)]
)
def test_a_delivery_during_a_sync_asks_for_one_more(client, app, row, asked):
    with app.engine.begin() as conn:
        conn.execute(sa.update(tables.channel).values(**row) if row else sa.select(1))
    assert deliver(client).status_code == 200
    with app.engine.connect() as conn:
        assert conn.scalar(sa.select(tables.channel.c.hinted_at)) == (app.now() if asked else None)


def test_a_channel_that_is_overdue_stays_so(client, app, clock):
    with app.engine.begin() as conn:
        conn.execute(sa.update(tables.channel).values(due_at=clock.now() - timedelta(minutes=5)))
    assert deliver(client).status_code == 200
    assert due(app) == clock.now() - timedelta(minutes=5)


def test_a_delivery_may_come_from_anywhere(client):
    assert deliver(client, Host="hooks.example.com", X_Forwarded_For="203.0.113.9").status_code == 200
