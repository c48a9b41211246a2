"""What the seller says of goods, delivery and buyers becomes facts; what nobody says stays absent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from aftersail.core.contract import Label, Money, OrderLine, Parcel
from aftersail.core.desk.declared import Declared
from aftersail.core.desk.facts import gather
from aftersail.core.desk.returns import open_return
from aftersail.core.desk.tickets import get_ticket
from aftersail.core.policy import Facts
from aftersail.core.store import tables
from tests.builders import NOON, Desk, Script, mail, matter, page, purchase

GOODS = [
    {"skus": ["CARD-*"], "custom": True, "categories": []},
    {"skus": ["CAKE-?", "CARD-1"], "perishable": True, "custom": False, "categories": ["food"]},
    {"skus": "PDF-*", "digital": True},
    {"skus": ["*"], "custom": False, "perishable": False, "sealed": False, "categories": ["plain"]},
]


def line(number: str, sku: str | None = None, **values: Any) -> OrderLine:
    price = Money.of("5.00", "USD")
    return OrderLine(external_id=number, title="Thing", quantity=1, unit_price=price, sku=sku, **values)


def known(
    desk: Desk, shop: Script, lines: Sequence[OrderLine], *, named: Sequence[str] = (), said: Any = None, **order: Any
) -> Facts:
    """What is known of a ticket about an order with these lines, where a case names some of them."""
    shop.orders.pages = [page(purchase(lines=tuple(lines), **order))]
    if named:
        shop.cases.pages = [page(matter(line_ids=tuple(named)))]
    else:
        shop.messages.pages = [page(mail("a", -9, thread_id="t9", order_id="id-1001"))]
    desk.sync()
    return facts_of(desk, {"goods": GOODS} if said is None else said)


def facts_of(desk: Desk, said: Any) -> Facts:
    services = replace(desk.services, declared=Declared.model_validate(said))
    with desk.engine.connect() as conn:
        return gather(conn, get_ticket(conn, 1), services, desk.now)


class TestGoods:
    @pytest.mark.parametrize(
        ("sku", "facts"),
        [
            ("MUG-1", {"custom": False, "perishable": False, "unsealed": False, "category": ("plain",)}),
            ("CARD-7", {"custom": True, "perishable": False, "unsealed": False, "category": ()}),
            ("CARD-1", {"custom": True, "perishable": True, "unsealed": False, "category": ()}),
            ("CAKE-7", {"custom": False, "perishable": True, "unsealed": False, "category": ("food",)}),
            ("cake-7", {"custom": False, "perishable": False, "unsealed": False, "category": ("plain",)}),
            ("CAKE-77", {"custom": False, "perishable": False, "unsealed": False, "category": ("plain",)}),
            (None, {"custom": False, "perishable": False, "unsealed": False, "category": ("plain",)}),
        ],
    )
    def test_the_first_row_that_says_something_of_an_article_counts(
        self, desk: Desk, shop: Script, sku: str | None, facts: dict[str, object]
    ) -> None:
        found = known(desk, shop, [line("1", sku)])
        told = {name: found.get(f"item.{name}") for name in ("custom", "perishable", "unsealed")}
        assert told | {"category": found["order.category"]} == facts
        assert "item.digital" not in found

    def test_lines_that_differ_leave_it_to_a_person(self, desk: Desk, shop: Script) -> None:
        found = known(desk, shop, [line("1", "CARD-7"), line("2", "CAKE-7")])
        assert "item.custom" not in found
        assert "item.perishable" not in found
        assert "order.category" not in found
        assert found["item.unsealed"] is False

    def test_only_the_lines_a_case_names_count(self, desk: Desk, shop: Script) -> None:
        found = known(desk, shop, [line("1", "CARD-7"), line("2", "CAKE-7")], named=["1"])
        assert (found["item.custom"], found["order.category"]) == (True, ())

    def test_a_line_the_order_does_not_have_is_not_known(self, desk: Desk, shop: Script) -> None:
        only = {"goods": GOODS[:2]}
        found = known(desk, shop, [line("1", "CARD-7"), line("2", "CAKE-7")], named=["1", "9"], said=only)
        assert not {"item.custom", "order.category"} & set(found)

    def test_an_article_no_row_speaks_of_leaves_the_whole_open(self, desk: Desk, shop: Script) -> None:
        found = known(desk, shop, [line("1", "CARD-7"), line("2", "MUG-1")], said={"goods": GOODS[:2]})
        assert not {"item.custom", "item.perishable", "item.unsealed", "order.category"} & set(found)

    def test_goods_with_a_seal_may_have_been_unsealed(self, desk: Desk, shop: Script) -> None:
        found = known(desk, shop, [line("1", "A")], said={"goods": [{"skus": ["*"], "sealed": True}]})
        assert "item.unsealed" not in found

    def test_nothing_said_is_nothing_known(self, desk: Desk, shop: Script) -> None:
        found = known(desk, shop, [line("1", "A")], said={})
        asked = {"item.custom", "item.perishable", "item.unsealed", "item.digital", "order.category", "order.digital"}
        assert not asked & set(found)

    @pytest.mark.parametrize(
        ("lines", "item", "order"),
        [
            ([("PDF-1", None)], True, True),
            ([("PDF-1", False)], False, False),
            ([("MUG-1", True)], True, True),
            ([("MUG-1", True), ("MUG-2", False)], None, False),
            ([("MUG-1", True), ("MUG-2", None)], None, None),
            ([("MUG-1", False), ("MUG-2", None)], None, False),
            ([], None, None),
        ],
    )
    def test_what_is_digital_the_platform_says_before_the_seller(
        self,
        desk: Desk,
        shop: Script,
        lines: list[tuple[str, bool | None]],
        item: bool | None,
        order: bool | None,
    ) -> None:
        made = [line(str(number), sku, digital=digital) for number, (sku, digital) in enumerate(lines)]
        found = known(desk, shop, made)
        assert (found.get("item.digital"), found.get("order.digital")) == (item, order)


class TestDelivery:
    @pytest.mark.parametrize(
        ("paid", "country", "standard", "split"),
        [
            ("4.90", "DE", {"DE": "4.90 USD"}, ("4.90", "0.00")),
            ("12.00", "DE", {"DE": "4.90 USD"}, ("4.90", "7.10")),
            ("3.00", "DE", {"DE": "4.90 USD"}, ("3.00", "0.00")),
            ("12.00", "FR", {"DE": "4.90 USD", "*": "9.90 USD"}, ("9.90", "2.10")),
            ("12.00", "FR", {"DE": "4.90 USD"}, None),
            ("12.00", None, {"*": "9.90 USD"}, None),
            ("12.00", "DE", {"DE": "4.90 EUR"}, None),
            ("0", "DE", {}, ("0.00", "0.00")),
            ("0", None, {"DE": "4.90 EUR"}, ("0.00", "0.00")),
            ("-1.00", "DE", {"DE": "4.90 USD"}, None),
            (None, "DE", {"DE": "4.90 USD"}, None),
        ],
    )
    def test_what_was_paid_is_split_by_what_the_cheapest_delivery_costs(
        self,
        desk: Desk,
        shop: Script,
        paid: str | None,
        country: str | None,
        standard: dict[str, str],
        split: tuple[str, str] | None,
    ) -> None:
        money = None if paid is None else Money.of(paid, "USD")
        said = {"delivery": {"standard": standard}}
        found = known(desk, shop, [line("1")], said=said, shipping_paid=money, ship_country=country)
        told = [found.get(name) for name in ("cost.outbound_standard", "cost.outbound_express")]
        assert told == ([Money.of(each, "USD") for each in split] if split else [None, None])

    def test_delivery_paid_in_another_currency_than_the_order_is_not_known(self, desk: Desk, shop: Script) -> None:
        found = known(desk, shop, [line("1")], said={}, shipping_paid=Money.of("0", "EUR"))
        assert "cost.outbound_standard" not in found

    def test_the_region_is_told(self, desk: Desk, shop: Script) -> None:
        found = known(desk, shop, [line("1")], ship_country="US", ship_region="US-CA")
        assert (found["order.country"], found["order.region"]) == ("US", "US-CA")

    def arrive(self, desk: Desk, **hours: float) -> None:
        with desk.engine.begin() as conn:
            for number, ago in hours.items():
                when = NOON - timedelta(hours=ago)
                row = {"status": "delivered", "events": [{"at": when.isoformat(), "status": "delivered"}]}
                conn.execute(
                    sa.update(tables.shipment).where(tables.shipment.c.tracking_number == number).values(**row)
                )

    @pytest.mark.parametrize(
        ("first", "second", "named", "ago"),
        [
            (("A",), ("B",), ["1"], 9),
            (("A",), ("B",), ["2"], 5),
            (("A",), ("B",), ["1", "2"], 5),
            (("A", "C"), ("B",), ["1"], None),
            ((), ("B",), ["1"], None),
            ((), ("B",), ["2"], 5),
        ],
    )
    def test_the_lines_concerned_were_delivered_with_their_own_parcels(
        self,
        desk: Desk,
        shop: Script,
        first: tuple[str, ...],
        second: tuple[str, ...],
        named: list[str],
        ago: float | None,
    ) -> None:
        lines = [line("1", tracking_numbers=first), line("2", tracking_numbers=second)]
        parcels = tuple(Parcel(tracking_number=number) for number in "ABC")
        known(desk, shop, lines, named=named, parcels=parcels)
        self.arrive(desk, A=9, B=5)
        found = facts_of(desk, {})
        assert found.get("claim.delivered_at") == (None if ago is None else NOON - timedelta(hours=ago))
        assert "order.delivered_last_at" not in found
        self.arrive(desk, C=2)
        found = facts_of(desk, {})
        expected = {None: 2}.get(ago, ago)
        assert found["claim.delivered_at"] == NOON - timedelta(hours=expected or 0)
        assert found["order.delivered_last_at"] == NOON - timedelta(hours=2)


class TestReturnFreight:
    @pytest.mark.parametrize(
        ("costs", "freight"),
        [(["6.49"], "6.49"), (["6.49", "3.00"], "9.49"), ([None], None), (["6.49", None], None), ([], None)],
    )
    def test_it_is_what_the_labels_cost(
        self, desk: Desk, shop: Script, costs: list[str | None], freight: str | None
    ) -> None:
        numbers = [str(number) for number, _ in enumerate([*costs, None])]
        known(desk, shop, [line(number) for number in numbers])
        for number in numbers:
            desk.do(lambda unit, number=number: open_return(unit, desk.services, 1, lines=[number], actor="ann"))
        rmas = desk.rows(tables.rma)
        with desk.engine.begin() as conn:
            for rma, cost in zip(rmas, costs, strict=False):
                money = None if cost is None else Money.of(cost, "USD")
                label = Label(external_id="l", parcel=Parcel(tracking_number="T"), cost=money)
                remedy = {"key": f"label-{rma.key}"[:64], "kind": "label", "ticket": 1, "channel": "shop"}
                remedy |= {"state": "settled", "why": "", "body": {}, "planned_at": NOON}
                conn.execute(sa.insert(tables.remedy).values(**remedy, result=label.model_dump(mode="json")))
                conn.execute(
                    sa.update(tables.rma).where(tables.rma.c.key == rma.key).values(label=f"label-{rma.key}"[:64])
                )
        found = facts_of(desk, {})
        assert found.get("cost.return_freight") == (None if freight is None else Money.of(freight, "USD"))


class TestCustomers:
    ROWS = (
        {"value": "vip", "orders": 3, "spent": "50.00 USD"},
        {"value": "good", "spent": "30.00 USD"},
        {"value": "often", "orders": 3},
    )

    @pytest.mark.parametrize(
        ("orders", "value"),
        [
            ([("15.00", "USD", "0")], None),
            ([("20.00", "USD", "0"), ("20.00", "USD", "0"), ("20.00", "USD", "0")], "vip"),
            ([("20.00", "USD", "0"), ("20.00", "USD", "0"), ("20.00", "USD", "15.00")], "good"),
            ([("40.00", "USD", "0")], "good"),
            ([("5.00", "USD", "0")] * 3, "often"),
            ([("5.00", "USD", "0"), ("90.00", "EUR", "0"), ("5.00", "USD", "0")], None),
            ([("60.00", "USD", "0"), ("5.00", "EUR", "0"), ("5.00", "USD", "0")], "vip"),
        ],
    )
    def test_the_first_row_that_fits_the_buyers_orders_counts(
        self, desk: Desk, shop: Script, orders: list[tuple[str, str, str]], value: str | None
    ) -> None:
        theirs = [
            purchase(str(1001 + number), total=total, refunded=Money.of(refunded, currency)).model_copy(
                update={"total": Money.of(total, currency)}
            )
            for number, (total, currency, refunded) in enumerate(orders)
        ]
        shop.orders.pages = [page(*theirs)]
        shop.messages.pages = [page(mail("a", -9, thread_id="t9", order_id="id-1001"))]
        desk.sync()
        assert facts_of(desk, {"customers": self.ROWS}).get("customer.value") == value

    def test_a_row_without_conditions_is_for_everybody_we_know(self, desk: Desk, shop: Script) -> None:
        known(desk, shop, [line("1")])
        rows = [*self.ROWS, {"value": "regular"}]
        assert facts_of(desk, {"customers": rows})["customer.value"] == "regular"
        with desk.engine.begin() as conn:
            conn.execute(sa.update(tables.orders).values(buyer_key=None))
        assert "customer.value" not in facts_of(desk, {"customers": rows})
