"""Limits of compensation: an agent above the limit is blocked, and the refund goes to a role that may."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from aftersail.core.contract import Money
from aftersail.core.desk.authority import AuthorityError, Outcome, approve_refund, issue_refund
from aftersail.core.desk.tickets import TicketError, TicketState, update_ticket
from aftersail.core.remedies.people import RemedyError
from aftersail.core.store import tables
from tests.builders import Desk, Script, letter, page, purchase
from tests.desk.people import ADA, ANN, EVE, SUE, staff

USD = "USD"


@pytest.fixture
def bought(desk: Desk, shop: Script) -> Desk:
    """A question about an order of 900 USD; nothing is planned on it."""
    staff(desk, ANN, SUE, ADA, EVE)
    shop.orders.pages = [page(purchase("1001", "900.00"))]
    shop.messages.pages = [page(letter("m1", 0, "Is the lamp also sold in green?", order_id="id-1001"))]
    desk.sync()
    return desk


def issue(
    desk: Desk, amount: str | None, actor: str = "ann", currency: str = USD, reason: str = "a scratch"
) -> Outcome:
    money = Money.of(amount, currency) if amount else None
    found = desk.do(lambda unit: issue_refund(unit, desk.services, 1, money, reason=reason, actor=actor))
    assert isinstance(found, Outcome)
    return found


def approve(desk: Desk, key: str, actor: str) -> Outcome:
    found = desk.do(lambda unit: approve_refund(unit, desk.services, key, actor))
    assert isinstance(found, Outcome)
    return found


def refunds(desk: Desk) -> list[tuple[Any, ...]]:
    rows = desk.rows(tables.remedy, tables.remedy.c.kind == "refund")
    return sorted((row.amount, row.state, row.approved_by) for row in rows)


def todo(desk: Desk) -> list[str]:
    return [row.why for row in desk.rows(tables.task) if row.closed_at is None and row.kind == "approve_refund"]


def test_f30_within_the_limit_an_agent_pays_alone(bought: Desk) -> None:
    outcome = issue(bought, "100.00")
    assert (outcome.referred_to, outcome.new) == (None, True)
    assert refunds(bought) == [(Decimal(100), "approved", "ann")]
    assert list(bought.jobs.enqueued) == [f"remedy-{outcome.key}-0"]
    assert todo(bought) == []


def test_f30_an_agent_over_the_limit_is_blocked_and_routed_for_approval(bought: Desk) -> None:
    outcome = issue(bought, "100.01")
    assert outcome.referred_to == "supervisor"
    assert refunds(bought) == [(Decimal("100.01"), "planned", None)]
    assert bought.jobs.enqueued == {}
    why = "ann: a scratch; for a supervisor, because 100.01 USD is above the 100.00 USD that agent may approve"
    assert todo(bought) == [why]
    (event,) = bought.rows(tables.event, tables.event.c.kind == "refund_referred")
    assert (event.actor, event.data["to"]) == ("ann", "supervisor")
    # The agent cannot let it leave by approving it either.
    again = approve(bought, outcome.key[:8], "ann")
    assert again.referred_to == "supervisor"
    assert refunds(bought) == [(Decimal("100.01"), "planned", None)]
    assert len(todo(bought)) == 1
    assert approve(bought, outcome.key, "sue").referred_to is None
    assert refunds(bought) == [(Decimal("100.01"), "approved", "sue")]
    assert todo(bought) == []
    assert list(bought.jobs.enqueued) == [f"remedy-{outcome.key}-0"]


def test_f30_each_role_to_its_own_limit(bought: Desk) -> None:
    """agent 100 USD, supervisor 500 USD by the starter pack; an admin has no limit there."""
    assert issue(bought, "500.01", "sue").referred_to == "admin"
    assert issue(bought, "600.00", "ann").referred_to == "admin"
    assert issue(bought, "700.00", "ada").referred_to is None


def test_f30_a_large_refund_does_not_leave_in_small_pieces(bought: Desk) -> None:
    assert issue(bought, "60.00").referred_to is None
    second = issue(bought, "40.01")
    assert second.referred_to == "supervisor"
    assert second.why.startswith("with what was approved on this order before, 100.01 USD is above")
    assert issue(bought, "40.00").referred_to is None


def test_f30_other_currencies_count_by_the_packs_rates(desk: Desk, shop: Script) -> None:
    """1 EUR is 1.10 USD there: 90.91 EUR are 100.00 USD."""
    staff(desk, ANN, SUE)
    shop.orders.pages = [page(purchase("1001", total="900.00").model_copy(update={"total": Money.of("900.00", "EUR")}))]
    shop.messages.pages = [page(letter("m1", 0, "Is the lamp also sold in green?", order_id="id-1001"))]
    desk.sync()
    assert issue(desk, "90.92", currency="EUR").referred_to == "supervisor"
    assert issue(desk, "90.91", currency="EUR").referred_to is None


@pytest.mark.parametrize("actor", ["eve", "zoe"])
def test_f30_who_only_looks_or_is_a_stranger_pays_nothing(bought: Desk, actor: str) -> None:
    with pytest.raises(AuthorityError, match=f"{actor} may pay nothing at this desk; ask one of: ann, sue, ada"):
        issue(bought, "1.00", actor)
    planned = issue(bought, "200.00")
    with pytest.raises(AuthorityError, match=f"{actor} may pay nothing"):
        approve(bought, planned.key, actor)
    assert refunds(bought) == [(Decimal(200), "planned", None)]


def test_f30_a_desk_that_names_nobody_has_no_limits(bought: Desk) -> None:
    staff(bought, teams={}, manager=None)
    assert issue(bought, "900.00", "whoever").referred_to is None


def test_f30_asked_twice_it_is_planned_once(bought: Desk) -> None:
    first, second = issue(bought, "10.00"), issue(bought, "10.00")
    assert (first.key, first.new, second.new) == (second.key, True, False)
    assert len(refunds(bought)) == 1
    table = tables.remedy
    bought.do(lambda unit: unit.conn.execute(table.update().values(state="settled")))
    third = issue(bought, "10.00")
    assert third.new
    assert third.key != first.key


def test_f30_all_that_is_left_and_no_more(bought: Desk) -> None:
    with pytest.raises(TicketError, match=r"900\.01 USD is too much: only 900\.00 USD can still be refunded"):
        issue(bought, "900.01", "ada")
    assert issue(bought, None, "ada").amount == Money.of("900.00", USD)


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"amount": "0.00"}, "name an amount above nothing"),
        ({"amount": "5.00", "currency": "EUR"}, "cannot be refunded on an order in USD"),
        ({"amount": "5.00", "reason": " "}, "needs a reason"),
    ],
)
def test_f30_what_cannot_be_paid_is_refused(bought: Desk, values: dict[str, str], what: str) -> None:
    with pytest.raises(TicketError, match=what):
        issue(bought, **values)  # type: ignore[arg-type]
    assert refunds(bought) == []


def test_f30_nothing_is_paid_on_spam_or_without_an_order(bought: Desk, shop: Script) -> None:
    bought.do(lambda unit: update_ticket(unit, 1, state=TicketState.SPAM))
    with pytest.raises(TicketError, match="ticket 1 is spam"):
        issue(bought, "1.00")
    bought.do(lambda unit: update_ticket(unit, 1, state=TicketState.OPEN, orders_id=None))
    with pytest.raises(TicketError, match="ticket 1 has no order yet"):
        issue(bought, "1.00")


def test_f30_what_was_approved_cannot_be_approved_again(bought: Desk) -> None:
    paid = issue(bought, "200.00", "sue")
    for actor in ("ann", "sue"):
        with pytest.raises(RemedyError, match="is approved, not planned"):
            approve(bought, paid.key, actor)
