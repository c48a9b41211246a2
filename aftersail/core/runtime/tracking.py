"""Looking parcels up: those that are due, by the channel that can."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
import structlog

from aftersail.core.contract import Parcel, ShipmentMoved, Tracking, TrackingStatus
from aftersail.core.desk.agent import put_ticket
from aftersail.core.desk.judge import judge
from aftersail.core.desk.tickets import TicketState
from aftersail.core.runtime.app import App
from aftersail.core.runtime.syncing import SYNC_ERRORS
from aftersail.core.store import tables
from aftersail.core.store.engine import reading
from aftersail.core.store.unit import Unit, unit_of_work

_log = structlog.get_logger(__name__)

JOB: Final = "track"
BATCH: Final = 40
"""Parcels asked for at once: 17TRACK takes 40 numbers a call (its API documentation, checked 2026-11-22)."""

_AGAIN: Final = timedelta(hours=6)
_NEWS_SOON: Final = timedelta(minutes=15)
_UNKNOWN_AGAIN: Final = timedelta(hours=24)
_FAILED_AGAIN: Final = timedelta(minutes=15)
_OVER: Final = frozenset({TrackingStatus.DELIVERED, TrackingStatus.RETURNED})


def hand_over_tracking(app: App, unit: Unit) -> bool:
    """Hand a look at the due parcels to a worker, where a channel can track and anything is due."""
    tracker = next((info.id for info in app.services.channels.values() if "track_shipment" in info.operations), None)
    if tracker is None:
        return False
    table = tables.shipment
    due = unit.conn.execute(
        sa.select(table.c.due_at).where(table.c.due_at <= unit.now).order_by(table.c.due_at).limit(1)
    )
    first = due.scalar()
    if first is None:
        return False
    job_id = f"{JOB}-{tracker}-{unit.now.timestamp():.0f}"
    return app.jobs.enqueue(unit.conn, JOB, queue=JOB, partition=tracker, job_id=job_id, args={"channel": tracker})


def track_due(app: App, channel_id: str) -> int:
    """Look up the parcels that are due, a batch at a time until none is; tell how many moved."""
    moved = 0
    while True:
        rows = _due(app)
        if not rows:
            return moved
        try:
            found = app.channels.get(channel_id).track_shipment(tuple(_parcel(row) for row in rows))
        except SYNC_ERRORS as error:
            _log.warning("tracking_failed", channel=channel_id, error=type(error).__name__, detail=str(error))
            _postpone(app, rows, _FAILED_AGAIN)
            return moved
        moved += _store(app, channel_id, rows, {tracking.parcel.tracking_number: tracking for tracking in found})


def _due(app: App) -> list[Any]:
    table = tables.shipment
    due = sa.select(table).where(table.c.due_at <= app.now()).order_by(table.c.due_at).limit(BATCH)
    with reading(app.engine).connect() as conn:
        return list(conn.execute(due).all())


def _parcel(row: Any) -> Parcel:
    return Parcel(tracking_number=row.tracking_number, carrier=row.carrier)


def _postpone(app: App, rows: list[Any], wait: timedelta) -> None:
    table = tables.shipment
    with unit_of_work(app.engine, app.now()) as unit:
        later = sa.update(table).where(table.c.id.in_([row.id for row in rows]))
        unit.conn.execute(later.values(due_at=unit.now + wait))


def _store(app: App, channel: str, rows: list[Any], found: dict[str, Tracking]) -> int:
    table = tables.shipment
    moved = 0
    with unit_of_work(app.engine, app.now(), app.host.notify) as unit:
        for row in rows:
            tracking = found.get(row.tracking_number)
            values = _values(tracking, unit.now) if tracking else {"due_at": unit.now + _UNKNOWN_AGAIN}
            unit.conn.execute(sa.update(table).where(table.c.id == row.id).values(**values))
            if tracking and tracking.status != row.status:
                moved += 1
                unit.record("shipment_moved", channel, shipment=row.id, before=row.status, status=tracking.status)
                told = ShipmentMoved(
                    at=unit.now, channel=channel, tracking_number=row.tracking_number, status=tracking.status
                )
                unit.tell("aftersail_shipment_moved", told)
                _judge_again(app, unit, row.orders_id)
    return moved


def _judge_again(app: App, unit: Unit, orders_id: int) -> None:
    """What a pack says of a buyer who waits depends on where the parcel is, and news of it ends the wait for them."""
    table = tables.ticket
    states = [TicketState.OPEN, TicketState.WAITING_CARRIER]
    waiting = sa.select(table.c.id, table.c.state).where(table.c.orders_id == orders_id, table.c.state.in_(states))
    for row in unit.conn.execute(waiting.order_by(table.c.id)).all():
        if row.state == TicketState.WAITING_CARRIER:
            put_ticket(unit, app.services, row.id, TicketState.OPEN, "carrier")
        judge(unit, app.services, row.id, first=False)


def _values(tracking: Tracking, now: datetime) -> dict[str, Any]:
    over = tracking.status in _OVER
    again = _AGAIN if tracking.events else _NEWS_SOON
    return {
        "status": tracking.status,
        "events": [event.model_dump(mode="json") for event in tracking.events],
        "moved_at": tracking.events[-1].at if tracking.events else None,
        "link": tracking.link,
        "due_at": None if over else now + again,
    }
