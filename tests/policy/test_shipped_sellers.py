"""The sellers' packs hold the figures that are promised, and their desks keep the hours."""

from __future__ import annotations

from datetime import timedelta
from itertools import product

import pytest

from aftersail.core.clocks import Basis, Metric, SourceKind
from aftersail.core.policy import Reason
from aftersail.core.policy.reasons import RIGHT_OF, Right
from aftersail.core.policy.rights import Component, Party, RouteKind
from tests.policy.shipped import claim, entitled, library, own, shipped, started, wall

SHANGHAI = "Asia/Shanghai"
SECOND = timedelta(seconds=1)
MERCHANT_FAULTS = {
    Reason.UNUSABLE,
    Reason.MINOR_DEFECT,
    Reason.WRONG_ITEM,
    Reason.NOT_AS_DESCRIBED,
    Reason.MISSING_PARTS,
}
PERSONAL = {Reason.RETURN_REQUEST, Reason.REFUND_REQUEST, Reason.CANCEL_ORDER, Reason.EXCHANGE}


def promises(pack_id: str, **facts: object) -> dict[Metric, tuple[timedelta, Basis]]:
    """Return what a pack promises for a ticket, by metric."""
    decision = claim(shipped(pack_id), **facts)
    found = {target.metric: (target.duration, target.basis) for target in decision.targets}
    assert len(found) == len(decision.targets)
    return found


def by_tier(pack_id: str) -> dict[str, set[tuple[float, float]]]:
    """Return the hours to answer and to solve, by the tier of every reason."""
    found: dict[str, set[tuple[float, float]]] = {}
    for reason in Reason:
        tier = claim(shipped(pack_id), ticket__reason=reason).tier
        assert tier is not None
        lengths = promises(pack_id, ticket__reason=reason)
        hours = [lengths[metric][0] / timedelta(hours=1) for metric in (Metric.FIRST_RESPONSE, Metric.RESOLUTION)]
        found.setdefault(tier, set()).add((hours[0], hours[1]))
    return found


def test_f06_tiers_a_have_their_six_durations():
    assert by_tier("hw-tiers-a") == {"urgent": {(0.25, 4)}, "serious": {(0.5, 8)}, "general": {(2, 24)}}


def test_f07_tiers_b_have_their_six_durations():
    assert by_tier("hw-tiers-b") == {"urgent": {(2, 24)}, "defect": {(4, 48)}, "advice": {(8, 72)}}


@pytest.mark.parametrize(
    ("reason", "tier"),
    [("not_received", "urgent"), ("unusable", "urgent"), ("minor_defect", "defect"), ("product_question", "advice")],
)
def test_f07_tiers_b_grade_by_reason(reason, tier):
    assert claim(shipped("hw-tiers-b"), ticket__reason=reason).tier == tier


def test_f08_the_first_answer_and_the_refund_have_clocks_of_their_own_on_one_ticket():
    assert promises("hw-flat", ticket__reason="refund_request") == {
        Metric.FIRST_RESPONSE: (timedelta(hours=12), Basis.ELAPSED),
        Metric.REFUND_PAID: (timedelta(hours=48), Basis.ELAPSED),
    }


def test_f08_what_asks_for_no_refund_has_no_clock_of_one():
    assert promises("hw-flat", ticket__reason="product_question").keys() == {Metric.FIRST_RESPONSE}


@pytest.mark.parametrize(
    ("connector", "minutes"),
    [("email", 720), ("shopify", 720), ("amazon", 720), ("whatsapp", 5), ("messenger", 5), ("livechat", 5)],
)
def test_f09_the_way_a_buyer_writes_sets_the_time_for_the_same_text(connector, minutes):
    said = promises("hw-channel", ticket__connector=connector, ticket__reason="damaged")
    for metric in (Metric.FIRST_RESPONSE, Metric.NEXT_RESPONSE):
        assert said[metric][0] == timedelta(minutes=minutes)


def test_f09_nobody_is_late_with_a_message_of_the_night():
    pack = shipped("hw-channel")
    sent = wall("2026-11-22T23:30", SHANGHAI)
    running = started(pack, claim(pack, ticket__connector="whatsapp"), sent)
    assert running[Metric.FIRST_RESPONSE, "hw-channel"].due_at == wall("2026-11-23T08:05", SHANGHAI)


def test_f10_a_merchant_answers_in_24_hours_and_solves_in_72():
    assert promises("hw-merchant", ticket__reason="complaint") == {
        Metric.FIRST_RESPONSE: (timedelta(hours=24), Basis.ELAPSED),
        Metric.RESOLUTION: (timedelta(hours=72), Basis.ELAPSED),
    }


@pytest.mark.parametrize("pack_id", ["hw-tiers-a", "hw-tiers-b", "hw-channel"])
@pytest.mark.parametrize("day", ["2026-11-21", "2026-11-22", "2026-10-01", "2027-02-08"])
def test_f11_the_desk_is_no_slower_on_weekends_and_holidays(pack_id, day):
    pack = shipped(pack_id)
    desk = pack.calendar("desk")
    assert desk is not None
    assert desk.windows(wall(f"{day}T00:00", SHANGHAI), wall(f"{day}T23:59", SHANGHAI)) == (
        (wall(f"{day}T08:00", SHANGHAI), wall(f"{day}T22:00", SHANGHAI)),
    )


def test_vector_01_late_on_sunday_counts_on_monday():
    pack = shipped("hw-tiers-a")
    sent = wall("2026-11-22T21:55", SHANGHAI)
    running = started(pack, claim(pack, ticket__reason="unusable"), sent)
    assert running[Metric.FIRST_RESPONSE, "hw-tiers-a"].due_at == wall("2026-11-23T08:10", SHANGHAI)
    assert running[Metric.RESOLUTION, "hw-tiers-a"].due_at == wall("2026-11-23T11:55", SHANGHAI)


def test_vector_02_a_day_of_open_hours_is_longer_than_a_day():
    sent = wall("2026-11-22T21:00", SHANGHAI)
    pack = shipped("hw-tiers-a")
    running = started(pack, claim(pack, ticket__reason="product_question"), sent)
    assert running[Metric.FIRST_RESPONSE, "hw-tiers-a"].due_at == wall("2026-11-23T09:00", SHANGHAI)
    assert running[Metric.RESOLUTION, "hw-tiers-a"].due_at == wall("2026-11-24T17:00", SHANGHAI)
    merchant = shipped("hw-merchant")
    running = started(merchant, claim(merchant, ticket__reason="product_question"), sent)
    assert running[Metric.FIRST_RESPONSE, "hw-merchant"].due_at == wall("2026-11-23T21:00", SHANGHAI)


def test_vector_03_the_old_desk_answers_on_monday(tmp_path):
    body = """\
calendars:
  old: {timezone: Asia/Shanghai, hours: "Mo-Fr 09:00-18:00", holidays: [{country: CN}]}
targets:
  - id: uniform
    when: {tier: [urgent, serious, general]}
    clocks:
      - {metric: first_response, duration: 2h, basis: business_time, calendar: old}
"""
    pack = own(tmp_path, body, ["hw-tiers-a"])
    running = started(pack, claim(pack, ticket__reason="damaged"), wall("2026-11-20T17:30", SHANGHAI))
    assert running[Metric.FIRST_RESPONSE, "mine"].due_at == wall("2026-11-23T10:30", SHANGHAI)


@pytest.mark.parametrize("reason", ["exchange", "not_as_described"])
def test_f19_the_thirtieth_day_counts_to_its_last_second(reason):
    delivered = wall("2026-10-01T15:00", SHANGHAI)
    last = wall("2026-10-31T23:59:59", SHANGHAI)
    facts = {"ticket__reason": reason, "order__delivered_last_at": delivered}
    pack = shipped("hw-merchant")
    window = entitled(pack, last, **facts).window
    assert window is not None
    assert (window.open, window.ends_at) == (True, last + SECOND)
    late = entitled(pack, last + SECOND, **facts).window
    assert late is not None
    assert late.open is False


@pytest.mark.parametrize("reason", ["return_request", "damaged", "not_received"])
def test_f20_a_refund_is_due_48_hours_after_nothing_stands_in_its_way(reason):
    pack = shipped("hw-merchant")
    asked, eligible = wall("2026-11-10T09:00", SHANGHAI), wall("2026-11-20T18:30", SHANGHAI)
    claimed = entitled(pack, asked, ticket__reason=reason, claim__eligible_at=eligible)
    assert claimed.refund_due is not None
    assert claimed.refund_due.due_at == eligible + timedelta(hours=48)
    assert claimed.routes is not None
    assert claimed.routes.order == (RouteKind.ORIGINAL, RouteKind.BALANCE)


def test_f20_no_refund_is_due_before_that():
    due = entitled(shipped("hw-merchant"), ticket__reason="return_request").refund_due
    assert due is not None
    assert due.due_at is None


@pytest.mark.parametrize(
    ("reason", "payer"),
    [
        *((reason, Party.MERCHANT) for reason in sorted(MERCHANT_FAULTS)),
        *((reason, Party.BUYER) for reason in sorted(PERSONAL)),
        (Reason.DAMAGED, Party.MERCHANT),
        (Reason.NOT_RECEIVED, Party.MERCHANT),
    ],
)
def test_f21_f22_return_freight_and_duty_follow_the_fault(reason, payer):
    claimed = entitled(shipped("hw-merchant"), ticket__reason=reason)
    for component in (Component.RETURN_FREIGHT, Component.DUTY):
        share = claimed.share(component)
        assert share is not None
        assert share.payer is payer


@pytest.mark.parametrize("pack_id", ["hw-merchant", "starter"])
@pytest.mark.parametrize("reason", list(Reason))
def test_f23_every_reason_has_one_liable_party(pack_id, reason):
    rows = [row for row in shipped(pack_id).content.liability if reason in row.reasons]
    assert len(rows) == 1
    right = RIGHT_OF.get(reason, Right.FAULT)
    liable = entitled(shipped(pack_id), ticket__reason=reason, claim__right=right).liable
    assert liable is not None
    assert liable.party is rows[0].party
    if reason in MERCHANT_FAULTS:
        assert liable.party is Party.MERCHANT
    if reason in PERSONAL:
        assert liable.party is Party.BUYER
    if reason is Reason.DAMAGED:
        assert liable.party is Party.CARRIER


def test_f23_a_pack_with_a_table_of_liability_has_every_reason_in_it():
    tables = [pack for pack in map(shipped, library().ids()) if pack.content.liability]
    assert {pack.id for pack in tables} == {"hw-merchant", "starter"}
    for pack in tables:
        assert sorted(reason for row in pack.content.liability for reason in row.reasons) == sorted(Reason)


@pytest.mark.parametrize(("consent", "acknowledged", "downloaded"), list(product([True, False], repeat=3)))
def test_f24_digital_goods_hang_on_consent_and_download(consent, acknowledged, downloaded):
    facts = {
        "ticket__reason": "return_request",
        "order__delivered_last_at": wall("2026-11-20T12:00", SHANGHAI),
        "item__digital": True,
        "digital__consent": consent,
        "digital__acknowledged": acknowledged,
        "digital__downloaded": downloaded,
    }
    window = entitled(shipped("hw-merchant"), **facts).window
    assert window is not None
    assert window.open is not (consent and acknowledged and downloaded)


def test_f24_a_person_decides_where_the_download_is_not_known():
    facts = {
        "ticket__reason": "return_request",
        "order__delivered_last_at": wall("2026-11-20T12:00", SHANGHAI),
        "item__digital": True,
        "digital__consent": True,
        "digital__acknowledged": True,
        "digital__downloaded": None,
    }
    decision = claim(shipped("hw-merchant"), **facts)
    assert decision.entitlement is not None
    assert decision.entitlement.window is not None
    assert decision.entitlement.window.open is None
    assert [ask.rule for ask in decision.asks] == ["window"]


def test_the_sellers_packs_are_the_sellers_own_word():
    for pack_id in ("hw-tiers-a", "hw-tiers-b", "hw-flat", "hw-channel", "hw-merchant", "starter"):
        assert shipped(pack_id).content.kind is SourceKind.OWN
    decision = claim(shipped("hw-merchant"), ticket__reason="complaint")
    assert {target.source.kind for target in decision.targets} == {SourceKind.OWN}
