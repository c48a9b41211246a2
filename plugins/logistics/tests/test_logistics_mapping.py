from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersail.sdk import Parcel, TrackingStatus
from aftersail_logistics.mapping import carrier_code, status_of, to_tracking

PARCEL = Parcel(tracking_number="AB 1/2")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["track_info", "latest_status", "status", "tracking", "providers", "events", "time_utc", "stage"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("main", "sub", "status"),
    [
        ("NotFound", "NotFound_InvalidCode", TrackingStatus.UNKNOWN),
        ("InfoReceived", "InfoReceived", TrackingStatus.REGISTERED),
        ("InTransit", "InTransit_CustomsReleased", TrackingStatus.IN_TRANSIT),
        ("InTransit", "InTransit_CustomsRequiringInformation", TrackingStatus.CUSTOMS),
        ("Expired", "Expired_Other", TrackingStatus.EXCEPTION),
        ("AvailableForPickup", "AvailableForPickup_Other", TrackingStatus.AVAILABLE_FOR_PICKUP),
        ("OutForDelivery", "OutForDelivery_Other", TrackingStatus.OUT_FOR_DELIVERY),
        ("DeliveryFailure", "DeliveryFailure_NoBody", TrackingStatus.FAILED_ATTEMPT),
        ("Delivered", "Delivered_Other", TrackingStatus.DELIVERED),
        ("Exception", "Exception_Returning", TrackingStatus.EXCEPTION),
        ("Exception", "Exception_Returned", TrackingStatus.RETURNED),
        ("Exception", "Exception_Lost", TrackingStatus.EXCEPTION),
        (None, "InTransit_SomethingNew", TrackingStatus.IN_TRANSIT),
        ("Teleported", "Teleported_Twice", TrackingStatus.UNKNOWN),
    ],
)
def test_statuses(main, sub, status):
    assert status_of(main, sub) is status


def events(*items):
    return {"track_info": {"tracking": {"providers": [{"events": list(items)}]}}}


def test_events_come_in_order_without_repeats_and_without_those_nobody_can_place_in_time():
    late = {"time_iso": "2026-10-02T08:00:00+09:00", "description": "Arrived", "sub_status": None, "stage": "Arrival"}
    early = {"time_utc": "2026-10-01T08:00:00Z", "description": "Sent", "sub_status": "InTransit_PickedUp"}
    zoneless = {"time_iso": "2026-10-03T08:00:00", "time_raw": {"date": "2026-10-03"}, "description": "Somewhere"}
    answer = events(late, early, zoneless)
    first = {"time_utc": "2026-09-30T08:00:00Z", "description": "Ordered", "sub_status": "InfoReceived"}
    answer["track_info"]["tracking"]["providers"].append({"events": [late, first]})
    tracking = to_tracking(PARCEL, [answer])
    assert [(event.at, event.description, event.status) for event in tracking.events] == [
        (datetime(2026, 9, 30, 8, tzinfo=UTC), "Ordered", TrackingStatus.REGISTERED),
        (datetime(2026, 10, 1, 8, tzinfo=UTC), "Sent", TrackingStatus.IN_TRANSIT),
        (datetime(2026, 10, 1, 23, tzinfo=UTC), "Arrived", TrackingStatus.IN_TRANSIT),
    ]
    assert tracking.link == "https://t.17track.net/en#nums=AB%201%2F2"


def test_of_two_carriers_the_one_with_the_latest_movement_is_believed():
    old, new = (events({"time_utc": f"2026-10-0{day}T08:00:00Z", "description": str(day)}) for day in (1, 2))
    for answers in ([old, new], [new, old]):
        assert to_tracking(PARCEL, answers).events[-1].description == "2"


@pytest.mark.parametrize(
    ("name", "code"),
    [("100003", 100003), ("UPS", 100002), ("DHL Express", 100001), ("Some Post", None), (None, None), ("²", None)],
)
def test_carriers(name, code):
    assert carrier_code(name) == code


@given(JSON.filter(lambda value: isinstance(value, dict)))
def test_whatever_the_platform_sends_is_read_without_an_exception(answer):
    tracking = to_tracking(PARCEL, [answer])
    assert list(tracking.events) == sorted(tracking.events, key=lambda event: event.at)
