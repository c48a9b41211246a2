"""An ordinary withdrawal in the European Union, from a Shopify shop to the decision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

import aftersail_shopify
from aftersail.core import packs as shipped_packs
from aftersail.core.desk.declared import Declared, Delivery, GoodsRow
from aftersail.core.desk.services import ChannelInfo
from aftersail.core.host import Host
from aftersail.core.host.plugins import Candidate
from aftersail.core.policy import AskPerson, Decision, PackLibrary, PlannedRefund, Tag, explain
from aftersail.core.store import tables
from aftersail.sdk.testing.context import make_context
from aftersail_shopify.settings import ShopifySettings
from aftersail_shopify.simulated_shop import SimOrder
from aftersail_shopify.simulator import ShopifySimulator
from tests.builders import NOON, Desk

TOKEN = "token-for-tests"
PLAIN = Declared.model_validate(
    {"goods": [{"skus": ["*"], "categories": ["kitchen"], "custom": False, "perishable": False, "sealed": False}]}
)
STARTER = Path(shipped_packs.__file__).parent / "starter.yaml"
RULE = """\
  - id: withdrawal-in-time
    title: Who withdraws in time from something cheap keeps it and is paid back, where delivery was free
    priority: 120
    when: {all: ['claim.right == "withdrawal"', window.open, claim.amount < 20, cost.outbound_standard <= 0]}
    then:
      - refund: {percent: 100}
      - tag: withdrawn

"""


def own_pack() -> str:
    """The starter pack as its head says to change it: a copy that settles small withdrawals instead of asking."""
    text = STARTER.read_text(encoding="utf-8")
    asks = '        - ticket.reason in ["return_request", "refund_request"]\n        - claim.kind in'
    rest = """\
        - ticket.reason == "refund_request"
        - all:
            - ticket.reason == "return_request"
            - any: ['!window.open', claim.amount >= 20, cost.outbound_standard > 0]
        - claim.kind in"""
    before = "  - id: refund-larger\n"
    assert (text.count(asks), text.count(before)) == (1, 1)
    return text.replace("id: starter", "id: mine", 1).replace(asks, rest).replace(before, RULE + before)


@dataclass
class Shop:
    """A desk with one Shopify shop."""

    desk: Desk
    sim: ShopifySimulator

    def buy(self, **values: object) -> SimOrder:
        """Let somebody in Germany buy a mug, which arrives a week later, three days before now."""
        given: dict[str, object] = {
            "lines": [("Mug", "MUG-1", 1, "12.50")],
            "tracking": ("DHL", "JJD1"),
            "placed_at": NOON - timedelta(days=10),
            "delivered_at": NOON - timedelta(days=3),
        }
        return self.sim.add_order(**(given | values))

    def withdraw(self, order: SimOrder, *, line: int = 0) -> Decision:
        """Let the buyer ask to send one line back, and return what is decided."""
        self.sim.add_return_request(order, line=line)
        self.desk.sync("shop")
        (row,) = self.desk.rows(tables.decision)
        return Decision.model_validate(row.body)

    def open_tasks(self) -> list[str]:
        return [row.why for row in self.desk.rows(tables.task) if row.closed_at is None]


@pytest.fixture
def open_shop(desk: Desk, tmp_path: Path) -> Callable[..., Shop]:
    def build(declared: Declared = PLAIN, *, pack: str = "mine") -> Shop:
        (tmp_path / "mine.yaml").write_text(own_pack(), encoding="utf-8")
        packs = PackLibrary([STARTER.parent, tmp_path])
        desk.serve(replace(desk.services, packs=packs, pack_id=pack, declared=declared))
        sim = ShopifySimulator(token=TOKEN, clock=lambda: desk.now)
        host = Host([Candidate(name="shopify", distribution="aftersail-shopify", load=lambda: aftersail_shopify)])
        kind = host.connector_type("shopify")
        settings = ShopifySettings(shop="demo-shop.myshopify.com", access_token=SecretStr(TOKEN))
        context = make_context("shop", transport=sim.transport(), now=desk.now)
        desk.channels["shop"] = host.build_channel("shopify", settings, context)
        desk.infos["shop"] = ChannelInfo(
            id="shop",
            kind="shopify",
            title=kind.title,
            capabilities=kind.capabilities,
            operations=kind.operations,
            signature="Test Shop",
        )
        with desk.engine.begin() as conn:
            conn.execute(sa.insert(tables.channel).values(id="shop", kind="shopify", poll_seconds=60))
        return Shop(desk, sim)

    return build


def test_goods_the_seller_knows_are_decided_without_a_person(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop()
    decision = shop.withdraw(shop.buy())
    assert [type(action) for action in decision.actions] == [PlannedRefund, Tag]
    assert shop.open_tasks() == []
    (refund,) = shop.desk.rows(tables.remedy)
    assert (refund.kind, refund.state, refund.amount, refund.rule) == (
        "refund",
        "approved",
        Decimal("12.50"),
        "withdrawal-in-time",
    )
    assert decision.entitlement is not None
    assert decision.entitlement.window is not None
    assert str(decision.entitlement.window.ground).startswith("law: law-eu, row eu-de, ")


def test_goods_nobody_speaks_of_go_to_a_person_who_is_told_what_is_missing(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop(Declared())
    decision = shop.withdraw(shop.buy())
    assert [type(action) for action in decision.actions] == [AskPerson]
    lacking = "nobody knows item.custom, item.perishable, item.unsealed, order.category"
    (task,) = shop.open_tasks()
    assert "cannot tell whether rule withdrawal-in-time pays" in task
    assert lacking in task
    assert shop.desk.rows(tables.remedy) == []
    text = explain(decision)
    assert "In time: nobody can tell." in text
    assert lacking in text


def test_the_starter_pack_leaves_returns_to_a_person_who_sees_whether_they_are_in_time(
    open_shop: Callable[..., Shop],
) -> None:
    shop = open_shop(pack="starter")
    decision = shop.withdraw(shop.buy())
    assert shop.open_tasks() == ["a refund or return is asked for that is not settled by itself"]
    assert "In time: yes. Last parcel delivered Fri 2026-01-02" in explain(decision)


@pytest.mark.parametrize(
    ("goods", "why"),
    [
        ({"custom": True}, "no right of withdrawal: eu-made-to-order of law-eu, Directive 2011/83/EU, Art 16"),
        ({"perishable": True}, "no right of withdrawal: eu-perishable of law-eu, Directive 2011/83/EU, Art 16"),
        ({"categories": ["press"]}, "no right of withdrawal: eu-press of law-eu, Directive 2011/83/EU, Art 16"),
        ({"categories": ["hygiene"], "sealed": True}, "eu-unsealed-hygiene"),
    ],
)
def test_goods_the_law_takes_out_go_to_a_person(
    open_shop: Callable[..., Shop], goods: dict[str, object], why: str
) -> None:
    special = GoodsRow.model_validate({"skus": ["MUG-*"], **goods})
    shop = open_shop(Declared(goods=(special, *PLAIN.goods)))
    decision = shop.withdraw(shop.buy())
    assert [type(action) for action in decision.actions] == [AskPerson]
    assert why in explain(decision)


def test_only_the_lines_that_come_back_count(open_shop: Callable[..., Shop]) -> None:
    named = GoodsRow(skus=("*-NAME",), custom=True)
    shop = open_shop(Declared(goods=(named, *PLAIN.goods)))
    order = shop.buy(lines=[("Mug with a name", "MUG-NAME", 1, "12.50"), ("Mug", "MUG-1", 1, "12.50")])
    decision = shop.withdraw(order, line=1)
    assert [type(action) for action in decision.actions] == [PlannedRefund, Tag]


def test_a_withdrawal_that_comes_too_late_goes_to_a_person(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop()
    late = {"placed_at": NOON - timedelta(days=40), "delivered_at": NOON - timedelta(days=30)}
    assert [type(action) for action in shop.withdraw(shop.buy(**late)).actions] == [AskPerson]


def test_delivery_that_was_paid_is_told_apart(open_shop: Callable[..., Shop]) -> None:
    delivery = Delivery.model_validate({"standard": {"DE": "4.90 EUR", "*": "9.90 EUR"}})
    shop = open_shop(PLAIN.model_copy(update={"delivery": delivery}))
    decision = shop.withdraw(shop.buy(shipping="12.00"))
    assert [type(action) for action in decision.actions] == [AskPerson]
    text = explain(decision)
    assert "Standard delivery: the merchant bears it, 4.90 EUR." in text
    assert "What faster delivery cost more: the buyer bears it, 7.10 EUR." in text
