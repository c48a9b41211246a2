"""Facts about the goods and their delivery, from what platform and seller say of each order line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from aftersail.core.contract import Money
from aftersail.core.desk.declared import Declared, Goods

Line = Mapping[str, Any]
_Answer = TypeVar("_Answer", bool, tuple[str, ...])


def concerned_lines(case: Any | None, order: Any) -> list[Line]:
    """The lines a case names, one that the order does not have as an empty one; all lines where none is named."""
    named = set(case.line_ids) if case else set()
    lines = [line for line in order.lines if line["external_id"] in named]
    return [*lines, *({} for _ in range(len(named) - len(lines)))] if lines else list(order.lines)


def goods_facts(concerned: Sequence[Line], order: Any, declared: Declared) -> dict[str, object | None]:
    """Say what is known of the goods concerned, and of the order's as a whole.

    Where lines differ, neither yes nor no is true of all of them: the fact stays absent, and a person decides.
    """
    goods = [_of(line, declared) for line in concerned]
    whole = [_of(line, declared).digital for line in order.lines]
    return {
        "order.category": _alike(each.categories and tuple(sorted(each.categories)) for each in goods),
        "order.digital": False if False in whole else _alike(whole),
        "item.custom": _alike(each.custom for each in goods),
        "item.perishable": _alike(each.perishable for each in goods),
        "item.digital": _alike(each.digital for each in goods),
        # What has no seal was not unsealed; whether a seal was broken nobody knows before the goods are back.
        "item.unsealed": False if _alike(each.sealed for each in goods) is False else None,
    }


def _of(line: Line, declared: Declared) -> Goods:
    """What is known of a line; what the platform says of it goes before what the seller says of such goods."""
    goods, digital = declared.of(line.get("sku")), line.get("digital")
    return goods if digital is None else goods.model_copy(update={"digital": digital})


def _alike(answers: Iterable[_Answer | None]) -> _Answer | None:
    """The one answer of all lines; None where they differ, one is not known, or there is no line."""
    different = set(answers)
    return different.pop() if len(different) == 1 else None


def delivery_facts(order: Any, declared: Declared) -> dict[str, object | None]:
    """Split what the buyer paid for delivery into the cheapest on offer and what a faster one cost more.

    Nothing paid is nothing of either. Else the seller's price for the country tells, in the order's own currency.
    """
    paid = order.shipping_paid
    if paid is None or paid < 0:
        return {}
    cheapest = declared.delivery.cheapest(order.ship_country)
    if not paid:
        standard = paid
    elif cheapest is not None and cheapest.currency == order.currency:
        standard = min(paid, cheapest.amount)
    else:
        return {}
    return {
        "cost.outbound_standard": Money(amount=standard, currency=order.currency).rounded(),
        "cost.outbound_express": Money(amount=paid - standard, currency=order.currency).rounded(),
    }


def parcels_of(concerned: Sequence[Line]) -> frozenset[str] | None:
    """Name the parcels that hold the lines concerned; None where the platform does not say so of each line."""
    named = [frozenset(line.get("tracking_numbers") or ()) for line in concerned]
    return frozenset().union(*named) if named and all(named) else None
