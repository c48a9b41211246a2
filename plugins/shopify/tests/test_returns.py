from __future__ import annotations

import pytest

from aftersail.sdk import AlreadyDone, CaseAction, CaseDecision, CaseKind, Invalid, Money, NotAllowed


@pytest.fixture
def order(sim):
    return sim.add_order(lines=[("Mug", "M", 3, "12.50"), ("Poster", "P", 1, "8.00")])


@pytest.fixture
def asked(sim, order):
    return sim.add_return_request(order, line=0, quantity=2, reason="defective", note="The handle is broken")


def decide(case, action, **more):
    return CaseDecision(key="decision-1", case_id=case.id, action=action, **more)


def cases(shop):
    page = shop.connector.fetch_cases(None, 50)
    return {case.external_id: case for case in page.items}


def test_a_return_request_in_the_words_of_the_contract(shop, order, asked, clock):
    case = cases(shop)[asked.id]
    assert case.kind is CaseKind.RETURN_REQUEST
    assert (case.order_id, case.line_ids) == (order.id, (order.lines[0].id,))
    assert (case.open, case.status, case.opened_at) == (True, "REQUESTED", clock())
    assert (case.reason_code, case.reason_text) == ("defective", "The handle is broken")
    assert case.amount == Money.of("25.00", "EUR")
    assert case.available_actions == ("approve", "decline")
    assert case.link.endswith(f"/orders/{order.id.rsplit('/', 1)[-1]}")


def test_approval_opens_the_return_and_raises_its_revision(shop, asked):
    before = cases(shop)[asked.id]
    receipt = shop.connector.decide_case(decide(asked, CaseAction.APPROVE))
    assert receipt.external_id == asked.id
    after = cases(shop)[asked.id]
    assert (after.status, after.open, after.available_actions) == ("OPEN", True, ())
    assert after.revision > before.revision


def test_a_decline_carries_its_reason_and_note(shop, asked):
    shop.connector.decide_case(decide(asked, CaseAction.DECLINE, reason="RETURN_PERIOD_ENDED", note="Sorry"))
    assert (asked.status, asked.decline_reason, asked.decline_note) == ("DECLINED", "RETURN_PERIOD_ENDED", "Sorry")
    case = cases(shop)[asked.id]
    assert (case.open, case.available_actions) == (False, ())


@pytest.mark.parametrize("more", [{"reason": "too_late"}, {"note": "x" * 501}])
def test_a_decline_shopify_would_not_take_is_not_sent(shop, sim, asked, more):
    with pytest.raises(Invalid):
        shop.connector.decide_case(decide(asked, CaseAction.DECLINE, **more))
    assert sim.calls == []


def test_deciding_twice_the_same_way_is_done_already(shop, asked):
    shop.connector.decide_case(decide(asked, CaseAction.APPROVE))
    with pytest.raises(AlreadyDone):
        shop.connector.decide_case(decide(asked, CaseAction.APPROVE))


def test_deciding_the_other_way_afterwards_is_not_allowed(shop, asked):
    shop.connector.decide_case(decide(asked, CaseAction.DECLINE))
    with pytest.raises(NotAllowed) as caught:
        shop.connector.decide_case(decide(asked, CaseAction.APPROVE))
    assert "admin.shopify.com" in caught.value.alternative


@pytest.mark.parametrize("action", sorted(set(CaseAction) - {CaseAction.APPROVE, CaseAction.DECLINE}))
def test_other_actions_point_to_the_orders_page(shop, asked, action):
    with pytest.raises(NotAllowed) as caught:
        shop.connector.decide_case(decide(asked, action))
    assert "admin.shopify.com" in caught.value.alternative
    assert asked.status == "REQUESTED"


def test_an_unknown_return_is_invalid(shop, asked):
    with pytest.raises(Invalid):
        shop.connector.decide_case(
            decide(asked, CaseAction.APPROVE).model_copy(update={"case_id": "gid://shopify/Return/1"})
        )
