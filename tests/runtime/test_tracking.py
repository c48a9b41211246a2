"""Parcels: looked up when due, and a ticket is judged again when its parcel moved."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from aftersail.core.contract import Tracking, TrackingEvent, TrackingStatus, Unavailable
from aftersail.core.runtime.settings import ChannelSettings
from aftersail.core.runtime.tracking import BATCH, hand_over_tracking, track_due
from aftersail.core.store import tables
from aftersail.core.store.engine import reading
from aftersail.core.store.unit import unit_of_work
from tests.runtime.conftest import PARCELS
from tests.web.filling import Filling

TRACKER = ChannelSettings(connector="tracker")
SHOP = ChannelSettings(connector="scripted")


@pytest.fixture
def app(desk):
    return desk.open(parcels=TRACKER, shop=SHOP)


@pytest.fixture
def filling(app, clock):
    return Filling(app.engine, clock.now())


def parcel(filling, order, number="P1", **values):
    row = {"orders_id": order, "tracking_number": number, "status": "unknown", "events": [], "due_at": filling.now}
    return filling.add(tables.shipment, **(row | values))


def shipment(app, number="P1"):
    with reading(app.engine).connect() as conn:
        return conn.execute(sa.select(tables.shipment).where(tables.shipment.c.tracking_number == number)).one()


def answering(status, *, at):
    def look(parcels):
        events = (TrackingEvent(at=at, status=status),)
        return tuple(Tracking(parcel=parcel, status=status, events=events) for parcel in parcels)

    return look


def decisions(app, ticket):
    with reading(app.engine).connect() as conn:
        query = sa.select(sa.func.count()).select_from(tables.decision).where(tables.decision.c.ticket == ticket)
        return conn.scalar(query)


def test_a_parcel_that_moved_is_written_down_and_its_ticket_judged_again(app, filling, clock, desk):
    order = filling.order()
    ticket = filling.ticket(orders_id=order, reason="not_received")
    filling.message(ticket, "Where is my lamp?")
    closed = filling.ticket(orders_id=order, state="closed")
    parcel(filling, order)
    PARCELS.append(answering(TrackingStatus.IN_TRANSIT, at=clock.now() - timedelta(hours=2)))
    assert track_due(app, "parcels") == 1
    row = shipment(app)
    assert (row.status, row.moved_at) == ("in_transit", clock.now() - timedelta(hours=2))
    assert row.due_at == clock.now() + timedelta(hours=6)
    assert len(desk.events("shipment_moved")) == 1
    assert decisions(app, ticket) == 1
    assert decisions(app, closed) == 0
    assert track_due(app, "parcels") == 0, "it is not due any more"

    clock.advance(6 * 3600)
    assert track_due(app, "parcels") == 0
    assert decisions(app, ticket) == 1, "a parcel that stands still changes nothing"


def test_news_of_a_parcel_ends_the_wait_for_the_carrier(app, filling, clock):
    order = filling.order()
    ticket = filling.ticket(orders_id=order, reason="not_received", state="waiting_carrier")
    filling.message(ticket, "Where is my lamp?")
    patient = filling.ticket(orders_id=order, state="need_info")
    parcel(filling, order)
    PARCELS.append(answering(TrackingStatus.IN_TRANSIT, at=clock.now()))
    track_due(app, "parcels")
    with reading(app.engine).connect() as conn:
        states = dict(conn.execute(sa.select(tables.ticket.c.id, tables.ticket.c.state)).all())
    assert states == {ticket: "open", patient: "need_info"}
    assert (decisions(app, ticket), decisions(app, patient)) == (1, 0)


@pytest.mark.parametrize("status", [TrackingStatus.DELIVERED, TrackingStatus.RETURNED])
def test_a_parcel_at_its_end_is_not_looked_up_any_more(app, filling, clock, status):
    parcel(filling, filling.order())
    PARCELS.append(answering(status, at=clock.now()))
    track_due(app, "parcels")
    assert shipment(app).due_at is None


def test_a_parcel_nobody_has_seen_yet_is_looked_up_again_soon(app, filling, clock):
    parcel(filling, filling.order())
    PARCELS.append(lambda parcels: tuple(Tracking(parcel=one, status=TrackingStatus.UNKNOWN) for one in parcels))
    track_due(app, "parcels")
    assert shipment(app).due_at == clock.now() + timedelta(minutes=15)


def test_a_parcel_the_tracker_says_nothing_of_waits_a_day(app, filling, clock):
    parcel(filling, filling.order())
    PARCELS.append(lambda _: ())
    track_due(app, "parcels")
    assert shipment(app).due_at == clock.now() + timedelta(hours=24)


def test_a_tracker_that_fails_is_told_and_asked_again_later(app, filling, clock, logged):
    parcel(filling, filling.order())

    def fail(_):
        raise Unavailable("the tracker sleeps")

    PARCELS.append(fail)
    assert track_due(app, "parcels") == 0
    assert shipment(app).due_at == clock.now() + timedelta(minutes=15)
    assert [line["event"] for line in logged] == ["tracking_failed"]


def test_parcels_are_asked_for_in_batches(app, filling, clock):
    order = filling.order()
    for number in range(BATCH + 1):
        parcel(filling, order, f"P{number}")
    asked = []

    def look(parcels):
        asked.append(len(parcels))
        return ()

    PARCELS.append(look)
    track_due(app, "parcels")
    assert asked == [BATCH, 1]


def test_a_look_is_handed_over_when_a_parcel_is_due(app, filling, clock):
    with unit_of_work(app.engine, clock.now()) as unit:
        assert hand_over_tracking(app, unit) is False
    parcel(filling, filling.order(), due_at=clock.now() + timedelta(seconds=1))
    with unit_of_work(app.engine, clock.now()) as unit:
        assert hand_over_tracking(app, unit) is False
    clock.advance(1)
    with unit_of_work(app.engine, clock.now()) as unit:
        assert hand_over_tracking(app, unit) is True
    assert [(job.partition, job.args) for job in app.jobs.list()] == [("parcels", {"channel": "parcels"})]


def test_without_a_tracker_nothing_is_handed_over(desk, clock):
    app = desk.open(shop=SHOP)
    parcel(Filling(app.engine, clock.now()), Filling(app.engine, clock.now()).order())
    with unit_of_work(app.engine, clock.now()) as unit:
        assert hand_over_tracking(app, unit) is False
