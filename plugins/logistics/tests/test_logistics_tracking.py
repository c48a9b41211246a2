"""Parcels through the public interface, on the simulator."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aftersail.sdk import AuthExpired, NotAllowed, Parcel, RateLimited, TrackingStatus, Unavailable
from aftersail.sdk.testing.faults import Fault

HERE = Parcel(tracking_number="RR123456785CN", carrier="chinapost")


def sent(simulator, operation):
    return [json.loads(call.request.content) for call in simulator.calls if call.operation == operation]


def test_a_new_parcel_is_registered_once_with_its_carrier_and_followed_from_then_on(simulator, connect):
    connector = connect()
    (first,) = connector.track_shipment(parcels=(HERE,))
    assert (first.parcel, first.status, first.events) == (HERE, TrackingStatus.UNKNOWN, ())
    (second,) = connector.track_shipment(parcels=(HERE,))
    assert second.status is TrackingStatus.CUSTOMS
    assert [event.description for event in second.events] == ["Picked up", "Held"]
    assert sent(simulator, "register") == [[{"number": "RR123456785CN", "carrier": 3011}]]


def test_without_registration_an_unknown_parcel_is_left_out_and_costs_nothing(simulator, connect):
    assert connect(register_parcels=False).track_shipment(parcels=(HERE,)) == ()
    assert simulator.registered == {}


def test_a_number_no_carrier_takes_is_left_out_and_the_others_are_answered(simulator, connect):
    simulator.registered["RR123456785CN"] = 3011
    found = connect().track_shipment(parcels=(Parcel(tracking_number="??"), HERE))
    assert [item.parcel for item in found] == [HERE]


def test_a_parcel_registered_elsewhere_meanwhile_is_followed(simulator, connect):
    def registers_elsewhere(body):
        simulator.registered["RR123456785CN"] = 3011
        return body

    simulator.alter_next("gettrackinfo", registers_elsewhere)
    (found,) = connect().track_shipment(parcels=(HERE,))
    assert found.status is TrackingStatus.UNKNOWN


def test_spaces_and_case_of_a_number_do_not_matter(simulator, connect):
    simulator.registered["RR123456785CN"] = 3011
    as_printed = Parcel(tracking_number="rr 1234 5678 5cn")
    (found,) = connect().track_shipment(parcels=(as_printed,))
    assert (found.parcel, found.status) == (as_printed, TrackingStatus.CUSTOMS)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(count=st.integers(0, 130), followed=st.integers(0, 130))
def test_every_parcel_is_asked_for_once_in_calls_of_forty_at_three_a_second(simulator, connect, clock, count, followed):
    simulator.calls.clear()
    simulator.registered.clear()
    clock.advance(timedelta(minutes=1))
    simulator.total = 1000
    parcels = tuple(Parcel(tracking_number=f"PKG{index:06d}") for index in range(count))
    for parcel in parcels[:followed]:
        simulator.move(parcel.tracking_number, "InTransit_Other", "Seen", "ROMA", at=clock())
        simulator.registered[parcel.tracking_number] = 1
    found = connect().track_shipment(parcels=parcels)
    assert Counter(item.parcel for item in found) == Counter(parcels)
    for operation in ("gettrackinfo", "register"):
        numbers = [item["number"] for body in sent(simulator, operation) for item in body]
        assert len(numbers) == len(set(numbers))
        assert all(1 <= len(body) <= 40 for body in sent(simulator, operation))
    assert all(call.status == 200 for call in simulator.calls), "the simulator answers 429 above three calls a second"


def test_the_same_number_for_two_carriers_is_asked_once_and_each_gets_its_own(simulator, connect):
    at = datetime(2026, 11, 1, 8, tzinfo=UTC)
    simulator.move("DOUBLE12345", "InTransit_Other", "Seen", "ROMA", at=at, carrier=100003)
    simulator.registered["DOUBLE12345"] = 100003

    def twice(body):
        (first,) = body["data"]["accepted"]
        other = json.loads(json.dumps(first)) | {"carrier": 3011}
        other["track_info"]["latest_status"] = {"status": "Delivered", "sub_status": "Delivered_Other"}
        body["data"]["accepted"].append(other)
        return body

    simulator.alter_next("gettrackinfo", twice)
    fedex, post = (Parcel(tracking_number="DOUBLE12345", carrier=name) for name in ("FedEx", "China Post"))
    found = {item.parcel: item.status for item in connect().track_shipment(parcels=(fedex, post))}
    assert found == {fedex: TrackingStatus.IN_TRANSIT, post: TrackingStatus.DELIVERED}


def test_when_the_quota_ends_half_way_what_is_followed_is_answered(simulator, connect):
    simulator.registered["RR123456785CN"] = 3011
    simulator.total = 1
    found = connect().track_shipment(parcels=(HERE, Parcel(tracking_number="NEW12345")))
    assert [item.parcel for item in found] == [HERE]


def test_an_empty_quota_with_nothing_to_answer_is_said_with_the_page_that_mends_it(simulator, connect):
    simulator.total = 0
    with pytest.raises(NotAllowed, match="quota") as caught:
        connect().track_shipment(parcels=(HERE,))
    assert caught.value.alternative == "https://api.17track.net"
    assert connect().check_account().warnings


def test_a_daily_limit_is_a_reason_to_wait(simulator, connect):
    def daily(body):
        body["data"] = {"accepted": [], "rejected": [{"number": "RR123456785CN", "error": {"code": -18019907}}]}
        return body

    simulator.alter_next("register", daily)
    with pytest.raises(RateLimited, match="daily limit"):
        connect().track_shipment(parcels=(HERE,))


def test_a_lost_answer_to_a_registration_is_tried_again_and_takes_quota_once(simulator, connect):
    simulator.fail_next("register", Fault.TIMEOUT_AFTER)
    (found,) = connect().track_shipment(parcels=(HERE,))
    assert found.status is TrackingStatus.UNKNOWN
    assert connect().check_account().title == "17TRACK, 99 of 100 registrations left"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (-18010001, AuthExpired),
        (-18010002, AuthExpired),
        (-18010003, Unavailable),
        (-18010004, AuthExpired),
        (-18010005, AuthExpired),
        (-18019907, RateLimited),
        (-18019908, NotAllowed),
    ],
)
@pytest.mark.parametrize("place", ["outside", "inside"])
def test_a_refusal_with_http_200_has_its_name(simulator, connect, code, error, place):
    body = (
        {"code": code, "data": None}
        if place == "outside"
        else {"code": 0, "data": {"errors": [{"code": code, "message": "no"}]}}
    )
    simulator.fail_next("*", 200, times=10, body=body)
    with pytest.raises(error) as caught:
        connect().check_account()
    assert caught.value.code == str(code)


@pytest.mark.parametrize(
    "body",
    [{}, [], {"code": 0}, {"code": 0, "data": {"accepted": [{"x": 1}]}}, {"code": 0, "data": {"rejected": [{}]}}],
)
def test_an_answer_of_another_shape_is_unavailable(simulator, connect, body):
    simulator.fail_next("gettrackinfo", 200, times=10, body=body)
    with pytest.raises(Unavailable):
        connect().track_shipment(parcels=(HERE,))
