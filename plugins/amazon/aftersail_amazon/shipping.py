"""What a buyer paid for delivery, out of the proceeds of an order's items. Orders model 2026-01-01.

The model says which parts proceeds have, and neither whether discounts are negative nor whether tax is inside or beside
the other parts. So a breakdown is read only where it adds up to its total, which tells both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from aftersail.sdk import Money

_SHIPPING, _DISCOUNT = "SHIPPING", "DISCOUNT"
_DETAILED = frozenset({"TAX", _DISCOUNT})

Json = Mapping[str, Any]


def shipping_paid(items: Sequence[Json]) -> Money | None:
    """Add up delivery over all items, with its discounts and the tax on it that the seller gets.

    Tax that Amazon keeps is left out, as it is of the order's total. None where an item does not say, or its
    breakdown does not add up.
    """
    try:
        parts = [_of(item["proceeds"]) for item in items]
        currencies = {str(item["proceeds"]["proceedsTotal"]["currencyCode"]) for item in items}
        (currency,) = currencies
        paid = sum((part for part in parts if part is not None), Decimal(0))
        return None if None in parts or paid < 0 else Money.of(paid, currency)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
        return None


def _of(proceeds: Json) -> Decimal | None:
    total, breakdowns = _value(proceeds["proceedsTotal"]), proceeds["breakdowns"]
    discounts = sum((_value(each["subtotal"]) for each in breakdowns if each["type"] == _DISCOUNT), Decimal(0))
    others = sum((_value(each["subtotal"]) for each in breakdowns if each["type"] != _DISCOUNT), Decimal(0))
    if others + discounts == total:
        sign = 1
    elif others - discounts == total:
        sign = -1
    else:
        return None
    paid = Decimal(0)
    for each in breakdowns:
        part = _shipping_in(each)
        if part is None:
            return None
        paid += part * (sign if each["type"] == _DISCOUNT else 1)
    return paid


def _shipping_in(breakdown: Json) -> Decimal | None:
    """How much of one part is for delivery; None where nobody can tell."""
    subtotal = _value(breakdown["subtotal"])
    if breakdown["type"] not in _DETAILED or not subtotal:
        return subtotal if breakdown["type"] == _SHIPPING else Decimal(0)
    details = [(each.get("subtype"), _value(each["value"])) for each in breakdown.get("detailedBreakdowns") or ()]
    if sum((value for _, value in details), Decimal(0)) != subtotal:
        return None
    return sum((value for subtype, value in details if subtype == _SHIPPING), Decimal(0))


def _value(money: Json) -> Decimal:
    return Decimal(str(money["amount"]))
