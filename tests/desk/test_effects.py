"""What a decision plans beside money and answers reaches a person, once; what the store knows becomes facts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from aftersail.core.desk.facts import gather
from aftersail.core.desk.judge import judge
from aftersail.core.desk.services import Services
from aftersail.core.desk.tickets import get_ticket
from aftersail.core.policy import Decision, Facts, PackLibrary
from aftersail.core.store import tables
from tests.builders import NOON, Desk, Script, mail, page, purchase

HEAD = """\
id: mine
version: 1
title: Mine
effective_from: 2020-01-01
currency: USD
authority: {automation: "20.00 USD", supervisor: "500.00 USD"}
rules:
"""
GIVING = """\
  - id: give
    priority: 1
    when: order.known
    then:
      - offer_return: {label: true}
      - assign: {team: returns}
      - notify: {roles: [manager], why: a return is offered}
"""
LONGER = "  - {id: longer, priority: 1, when: order.known, then: [{extend_service: {duration: 30d}}]}\n"
SENIOR = "  - {id: dear, priority: 1, when: order.known, then: [{approve: {role: supervisor, why: it is dear}}]}\n"


@pytest.fixture
def ticket(desk: Desk, shop: Script) -> Desk:
    shop.orders.pages = [page(purchase())]
    shop.messages.pages = [page(mail("a", -9, subject="My lamp", thread_id="t9", order_id="id-1001"))]
    desk.sync()
    return desk


@pytest.fixture
def services_of(desk: Desk, tmp_path: Path) -> Callable[[str], Services]:
    def build(rules: str) -> Services:
        (tmp_path / "mine.yaml").write_text(HEAD + rules, encoding="utf-8")
        return replace(desk.services, packs=PackLibrary([tmp_path]), pack_id="mine")

    return build


def judged(desk: Desk, services: Services) -> Decision:
    return desk.do(lambda unit: judge(unit, services, 1, first=False))


def open_tasks(desk: Desk) -> list[tuple[str, str]]:
    return sorted((row.kind, row.why) for row in desk.rows(tables.task) if row.closed_at is None)


def tasks(desk: Desk, kind: str) -> list[str]:
    return [why for each, why in open_tasks(desk) if each == kind]


def test_offers_and_notices_are_tasks_once_and_go_when_they_are_not_wanted_any_more(
    ticket: Desk, services_of: Callable[[str], Services]
) -> None:
    for _ in range(2):
        judged(ticket, services_of(GIVING))
    assert tasks(ticket, "notify") == ["Tell manager (rule give): a return is offered."]
    assert tasks(ticket, "offer") == ["Offer the buyer a return, with a label, as rule give says."]
    judged(ticket, services_of(LONGER))
    assert tasks(ticket, "notify") == tasks(ticket, "offer") == tasks(ticket, "assign") == []


def test_an_approval_names_the_role_it_is_for(ticket: Desk, services_of: Callable[[str], Services]) -> None:
    judged(ticket, services_of(SENIOR))
    assert ("decide", "it is dear (for somebody of the role supervisor)") in open_tasks(ticket)


class TestFacts:
    def facts(self, desk: Desk) -> Facts:
        with desk.engine.connect() as conn:
            return gather(conn, get_ticket(conn, 1), desk.services, desk.now)

    def parcels(self, desk: Desk, *parcels: dict[str, object]) -> None:
        with desk.engine.begin() as conn:
            conn.execute(sa.delete(tables.shipment))
            order = conn.scalar(sa.select(tables.orders.c.id))
            for number, parcel in enumerate(parcels):
                row = {"orders_id": order, "tracking_number": f"n{number}", "events": [], "moved_at": None} | parcel
                conn.execute(sa.insert(tables.shipment), row)

    def event(self, status: str, hours: int) -> dict[str, str]:
        return {"at": (NOON + timedelta(hours=hours)).isoformat(), "status": status}

    def test_a_claim_was_filed_when_it_was_sent(self, ticket: Desk) -> None:
        with ticket.engine.connect() as conn:
            filed = get_ticket(conn, 1).filed_at
        assert self.facts(ticket)["claim.filed_at"] == filed
        assert filed < ticket.now

    def test_the_last_parcel_counts_once_all_have_come(self, ticket: Desk) -> None:
        first = {
            "status": "delivered",
            "events": [self.event("in_transit", -90), self.event("delivered", -72), self.event("unknown", -1)],
            "moved_at": NOON,
        }
        second = {"status": "in_transit", "events": [self.event("registered", -80), self.event("in_transit", -60)]}
        self.parcels(ticket, first, second)
        facts = self.facts(ticket)
        assert facts["order.delivered_first_at"] == NOON - timedelta(hours=72)
        assert "order.delivered_last_at" not in facts
        assert facts["order.fulfilled_at"] == NOON - timedelta(hours=60)
        second["events"] = [*second["events"], self.event("delivered", -10)]
        self.parcels(ticket, first, second | {"status": "delivered"})
        assert self.facts(ticket)["order.delivered_last_at"] == NOON - timedelta(hours=10)

    def test_a_parcel_without_a_list_of_movements_has_the_time_of_its_status(self, ticket: Desk) -> None:
        self.parcels(ticket, {"status": "delivered", "moved_at": NOON - timedelta(hours=5)})
        facts = self.facts(ticket)
        assert facts["order.delivered_last_at"] == NOON - timedelta(hours=5)
        assert "order.fulfilled_at" not in facts

    def test_what_the_store_does_not_know_stays_absent(self, ticket: Desk) -> None:
        unknown = {"order.region", "order.digital", "item.custom", "digital.consent", "customer.value", "cost.duty"}
        assert not unknown & set(self.facts(ticket))

    def test_article_numbers_are_known_only_where_every_line_has_one(self, ticket: Desk) -> None:
        line = {"external_id": "l1", "title": "Lamp", "quantity": 1, "unit_price": {"amount": "1", "currency": "USD"}}
        for skus, known in ((["A", "B"], ("A", "B")), (["A", None], None), ([], None)):
            lines = [line | {"sku": sku} for sku in skus]
            with ticket.engine.begin() as conn:
                conn.execute(sa.update(tables.orders).values(lines=lines))
            assert self.facts(ticket).get("order.skus") == known
