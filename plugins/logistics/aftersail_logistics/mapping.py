"""17TRACK's words to ours. Statuses and sub-statuses: API v2.4, checked 2026-11-22."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

from aftersail.sdk import Parcel, Tracking, TrackingEvent, TrackingStatus

MAIN_STATUS: Final = MappingProxyType(
    {
        "NotFound": TrackingStatus.UNKNOWN,
        "InfoReceived": TrackingStatus.REGISTERED,
        "InTransit": TrackingStatus.IN_TRANSIT,
        # No movement for so long that 17TRACK gave up: a person should look for the parcel.
        "Expired": TrackingStatus.EXCEPTION,
        "AvailableForPickup": TrackingStatus.AVAILABLE_FOR_PICKUP,
        "OutForDelivery": TrackingStatus.OUT_FOR_DELIVERY,
        "DeliveryFailure": TrackingStatus.FAILED_ATTEMPT,
        "Delivered": TrackingStatus.DELIVERED,
        "Exception": TrackingStatus.EXCEPTION,
    }
)
"""The nine main statuses."""

SUB_STATUS: Final = MappingProxyType(
    {
        "InTransit_CustomsProcessing": TrackingStatus.CUSTOMS,
        "InTransit_CustomsRequiringInformation": TrackingStatus.CUSTOMS,
        "Exception_Returned": TrackingStatus.RETURNED,
    }
)
"""Sub-statuses that say more than their main status; every other one counts as its main status."""

STAGE: Final = MappingProxyType(
    {
        "InfoReceived": TrackingStatus.REGISTERED,
        "PickedUp": TrackingStatus.IN_TRANSIT,
        "Departure": TrackingStatus.IN_TRANSIT,
        "Arrival": TrackingStatus.IN_TRANSIT,
        "AvailableForPickup": TrackingStatus.AVAILABLE_FOR_PICKUP,
        "OutForDelivery": TrackingStatus.OUT_FOR_DELIVERY,
        "Delivered": TrackingStatus.DELIVERED,
        "Returning": TrackingStatus.EXCEPTION,
        "Returned": TrackingStatus.RETURNED,
    }
)
"""Milestones, used for an event that has no sub-status."""

CARRIERS: Final = MappingProxyType(
    {
        "cainiao": 190271,
        "chinapost": 3011,
        "correios": 2151,
        "dhlexpress": 100001,
        "fedex": 100003,
        "ups": 100002,
        "usps": 21051,
        "yanwen": 190012,
        "yunexpress": 190107,
    }
)
"""Carriers by name, without spaces and marks; 17TRACK detects the carrier of every other parcel by its number."""


def carrier_code(carrier: str | None) -> int | None:
    """Find 17TRACK's number of a carrier; None leaves the choice to 17TRACK. A number passes as it is."""
    if carrier is None:
        return None
    plain = "".join(character for character in carrier.casefold() if character.isalnum())
    if plain.isascii() and plain.isdigit():
        return int(plain)
    return CARRIERS.get(plain)


def status_of(main: object, sub: object) -> TrackingStatus:
    """Read a status; one that 17TRACK adds later counts as its main status, or as unknown."""
    if isinstance(sub, str) and sub in SUB_STATUS:
        return SUB_STATUS[sub]
    if isinstance(main, str) and main in MAIN_STATUS:
        return MAIN_STATUS[main]
    family = sub.partition("_")[0] if isinstance(sub, str) else ""
    return MAIN_STATUS.get(family, TrackingStatus.UNKNOWN)


def to_tracking(parcel: Parcel, answers: Sequence[Mapping[str, Any]]) -> Tracking:
    """Make a tracking of what 17TRACK knows of a number.

    Args:
        parcel: as it was asked for; it is handed back unchanged.
        answers: what 17TRACK follows under this number; more than one where several carriers use it. The parcel's
            carrier decides, else the latest movement.
    """
    wanted = carrier_code(parcel.carrier)
    named = [answer for answer in answers if wanted is not None and answer.get("carrier") == wanted]
    return max((_read(parcel, answer) for answer in named or answers), key=_latest)


def pending(parcel: Parcel) -> Tracking:
    """Make the tracking of a parcel that 17TRACK follows but has not heard of yet."""
    return Tracking(parcel=parcel, status=TrackingStatus.UNKNOWN, link=_link(parcel))


def _latest(tracking: Tracking) -> tuple[bool, float]:
    return (bool(tracking.events), tracking.events[-1].at.timestamp() if tracking.events else 0.0)


def _read(parcel: Parcel, answer: Mapping[str, Any]) -> Tracking:
    info = _object(answer.get("track_info"))
    latest = _object(info.get("latest_status"))
    estimate = _object(_object(info.get("time_metrics")).get("estimated_delivery_date"))
    events = {(event.at, event.description, event.location): event for event in _events(info)}
    return Tracking(
        parcel=parcel,
        status=status_of(latest.get("status"), latest.get("sub_status")),
        events=tuple(sorted(events.values(), key=lambda event: event.at)),
        estimated_delivery=_instant(estimate.get("to")) or _instant(estimate.get("from")),
        link=_link(parcel),
    )


def _events(info: Mapping[str, Any]) -> Iterator[TrackingEvent]:
    for provider in _list(_object(info.get("tracking")).get("providers")):
        # 17TRACK lists the newest event first; reversed, events of one instant stay in their order.
        for event in reversed(_list(_object(provider).get("events"))):
            found = _event(_object(event))
            if found is not None:
                yield found


def _event(event: Mapping[str, Any]) -> TrackingEvent | None:
    # `time_raw` has no zone of its own: an event that has nothing else cannot be placed in time.
    at = _instant(event.get("time_utc")) or _instant(event.get("time_iso"))
    if at is None:
        return None
    stage, sub = event.get("stage"), event.get("sub_status")
    status = status_of(None, sub)
    if status is TrackingStatus.UNKNOWN and isinstance(stage, str):
        status = STAGE.get(stage, TrackingStatus.UNKNOWN)
    description, location = event.get("description"), event.get("location")
    return TrackingEvent(
        at=at,
        status=status,
        description=description if isinstance(description, str) else "",
        location=location if isinstance(location, str) and location else None,
    )


def _link(parcel: Parcel) -> str:
    return f"https://t.17track.net/en#nums={quote(parcel.tracking_number, safe='')}"


def _instant(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    return at if at.tzinfo is not None else None


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
