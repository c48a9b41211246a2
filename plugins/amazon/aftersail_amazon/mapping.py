"""Amazon's orders to ours. Field names: orders model 2026-01-01, checked 2026-11-22."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from aftersail.sdk import Money, Order, OrderLine, Parcel, Party, region_of
from aftersail_amazon.relay import relay_of
from aftersail_amazon.shipping import shipping_paid

NOT_YET: Final = frozenset({"PENDING", "PENDING_AVAILABILITY"})
"""Orders whose payment is not authorised yet: they have no total, and nothing can have gone wrong with them."""

_SHOP = re.compile(r"amazon(\.[a-z]{2,3}){1,2}", re.IGNORECASE)
_COUNTRY = re.compile(r"[A-Z]{2}")

Json = Mapping[str, Any]


def is_pending(order: Json) -> bool:
    """Tell whether an order is not one yet; once it is, Amazon shows it as changed."""
    return (order.get("fulfillment") or {}).get("fulfillmentStatus") in NOT_YET


def to_order(order: Json) -> Order:
    """Make an order.

    `total` is what Amazon calls the proceeds of the order, else the sum of its lines: what the seller gets before
    fees, which leaves out tax that Amazon keeps. The Orders API says nothing of refunds and of when a parcel arrived.

    Raises:
        LookupError, ValueError: a field that every order has is missing or unreadable.
    """
    order_id = str(order["orderId"])
    buyer = order.get("buyer") or {}
    relay = relay_of(buyer.get("buyerEmail"))
    address = (order.get("recipient") or {}).get("deliveryAddress") or {}
    country = address.get("countryCode")
    country = country if isinstance(country, str) and _COUNTRY.fullmatch(country) else None
    sent = _sent(order)
    lines = tuple(_line(item, sent) for item in order["orderItems"])
    return Order(
        external_id=order_id,
        revision=int(instant(order["lastUpdatedTime"]).timestamp() * 1000),
        number=order_id,
        placed_at=instant(order["createdTime"]),
        buyer=Party(
            external_id=relay.buyer if relay else None, name=buyer.get("buyerName"), email=buyer.get("buyerEmail")
        ),
        total=_total(order, lines),
        lines=lines,
        parcels=_parcels(order),
        status=str((order.get("fulfillment") or {}).get("fulfillmentStatus") or ""),
        shipping_paid=shipping_paid(order["orderItems"]),
        ship_country=country,
        ship_region=region_of(country, address.get("stateOrRegion")),
        link=_link(order, order_id),
    )


def instant(value: object) -> datetime:
    """Read Amazon's ISO 8601 time.

    Raises:
        ValueError: no time, or one without its zone.
    """
    at = datetime.fromisoformat(str(value))
    if at.tzinfo is None:
        raise ValueError(f"{value} has no zone")
    return at


def _line(item: Json, sent: Mapping[str, Mapping[str, int]]) -> OrderLine:
    product, quantity = item["product"], int(item["quantityOrdered"])
    parcels = sent.get(str(item["orderItemId"]), {})
    return OrderLine(
        external_id=str(item["orderItemId"]),
        title=str(product.get("title") or product.get("asin") or ""),
        quantity=quantity,
        unit_price=_unit_price(item, quantity),
        sku=product.get("sellerSku"),
        tracking_numbers=tuple(parcels) if sum(parcels.values()) >= quantity else (),
    )


def _sent(order: Json) -> dict[str, dict[str, int]]:
    """Count the pieces of each item in each tracked parcel."""
    found: dict[str, dict[str, int]] = {}
    for package in order.get("packages") or ():
        for item in package.get("packageItems") or () if package.get("trackingNumber") else ():
            parcels = found.setdefault(str(item.get("orderItemId")), {})
            number, quantity = str(package["trackingNumber"]), item.get("quantity")
            parcels[number] = parcels.get(number, 0) + (quantity if isinstance(quantity, int) else 0)
    return found


def _unit_price(item: Json, quantity: int) -> Money:
    price = (item["product"].get("price") or {}).get("unitPrice")
    if price:
        return _money(price)
    proceeds = _money(item["proceeds"]["proceedsTotal"])
    return Money(amount=proceeds.amount / max(quantity, 1), currency=proceeds.currency).rounded()


def _total(order: Json, lines: tuple[OrderLine, ...]) -> Money:
    total = (order.get("proceeds") or {}).get("grandTotal")
    if total:
        return _money(total)
    first, *others = [
        Money(amount=line.unit_price.amount * line.quantity, currency=line.unit_price.currency) for line in lines
    ]
    for other in others:
        first += other
    return first


def _parcels(order: Json) -> tuple[Parcel, ...]:
    found = (
        Parcel(tracking_number=str(package["trackingNumber"]), carrier=package.get("carrier"))
        for package in order.get("packages") or ()
        if package.get("trackingNumber")
    )
    return tuple(dict.fromkeys(found))


def _link(order: Json, order_id: str) -> str | None:
    shop = str((order.get("salesChannel") or {}).get("marketplaceName") or "").lower()
    return f"https://sellercentral.{shop}/orders-v3/order/{order_id}" if _SHOP.fullmatch(shop) else None


def _money(amount: Json) -> Money:
    return Money.of(Decimal(str(amount["amount"])), str(amount["currencyCode"]))
