"""eBay's objects to ours. Field names: OpenAPI of commerce/message and sell/fulfillment v1, checked 2026-11-22."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from aftersail.sdk import Attachment, Direction, Message, Money, Order, OrderLine, Parcel, Party, region_of

_ITEM_PAGE = "https://www.ebay.com/itm/"
_CANCELLED = "CANCELED"
_REFUND_FAILED = "FAILED"
_DIGITAL = "DIGITAL"

Json = Mapping[str, Any]


def instant(value: object) -> datetime:
    """Read eBay's ISO 8601 time.

    Raises:
        ValueError: no time, or one without its zone.
    """
    at = datetime.fromisoformat(str(value))
    if at.tzinfo is None:
        raise ValueError(f"{value} has no zone")
    return at


def to_message(conversation: Json, message: Json, *, seller: str) -> Message:
    """Make a message; one the seller wrote, also on eBay's own page, is outbound.

    eBay links a conversation to an item at most, never to an order: the item's page is the link.

    Raises:
        LookupError, ValueError: a field that every message has is missing or unreadable.
    """
    sender = str(message["senderUsername"])
    own = sender.casefold() == seller.casefold()
    conversation_id = str(conversation["conversationId"])
    item = conversation.get("referenceId") if conversation.get("referenceType") == "LISTING" else None
    return Message(
        external_id=str(message["messageId"]),
        direction=Direction.OUTBOUND if own else Direction.INBOUND,
        sent_at=instant(message["createdDate"]),
        author=Party(external_id=sender, name=sender),
        subject=str(message.get("subject") or conversation.get("conversationTitle") or ""),
        text=str(message.get("messageBody") or ""),
        thread_id=conversation_id,
        reply_to=conversation_id,
        link=f"{_ITEM_PAGE}{quote(str(item), safe='')}" if item else None,
        attachments=tuple(_attachment(media) for media in message.get("messageMedia") or ()),
    )


def _attachment(media: Json) -> Attachment:
    name = str(media.get("mediaName") or "attachment")
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Attachment(filename=name, content_type=kind, size=0, url=media.get("mediaUrl"))


def to_order(order: Json, fulfillments: Sequence[Json]) -> Order:
    """Make an order.

    `refunded` is the seller's net share, since eBay reports no other; the buyer may have got more. Refunds that eBay
    still works on count, since they cannot be paid again. Tax that eBay collects itself is not part of `total`.

    Raises:
        LookupError, ValueError: a field that every order has is missing or unreadable.
    """
    total = _money(order["pricingSummary"]["total"])
    ship_to = _ship_to(order)
    address = _address(order, ship_to)
    country = address.get("countryCode")
    sent, digital = _sent(fulfillments), _all_digital(order)
    buyer = order.get("buyer") or {}
    contact = buyer.get("buyerRegistrationAddress") or {}
    return Order(
        external_id=str(order["orderId"]),
        revision=int(instant(order["lastModifiedDate"]).timestamp() * 1000),
        number=str(order["orderId"]),
        placed_at=instant(order["creationDate"]),
        buyer=Party(
            external_id=buyer.get("username"),
            name=ship_to.get("fullName") or contact.get("fullName"),
            email=ship_to.get("email") or contact.get("email"),
        ),
        total=total,
        refunded=_refunded(order, total.currency),
        lines=tuple(_line(line, sent, digital=digital) for line in order.get("lineItems") or ()),
        parcels=_parcels(fulfillments),
        status=_status(order),
        shipping_paid=_shipping_paid(order["pricingSummary"], total.currency),
        ship_country=str(country) if country else None,
        ship_region=region_of(country, address.get("stateOrProvince")),
    )


def _ship_to(order: Json) -> Json:
    for instruction in order.get("fulfillmentStartInstructions") or ():
        ship_to = (instruction.get("shippingStep") or {}).get("shipTo")
        if isinstance(ship_to, dict):
            return ship_to
    return {}


def _address(order: Json, ship_to: Json) -> Json:
    # A parcel that goes through eBay's international programme is sent to eBay first; the buyer lives further on.
    for instruction in order.get("fulfillmentStartInstructions") or ():
        final: Json = instruction.get("finalDestinationAddress") or {}
        if final.get("countryCode"):
            return final
    address: Json = ship_to.get("contactAddress") or {}
    return address


def _shipping_paid(summary: Json, currency: str) -> Money | None:
    """Read what delivery cost after its discount, which eBay writes as a negative amount.

    Where the seller gets tax, eBay does not say here how much of it is for delivery. What it writes unreadably is not
    known either: an order needs no such field.
    """
    try:
        if Decimal(str((summary.get("tax") or {}).get("value", 0))):
            return None
        parts = [_money(summary["deliveryCost"])]
        parts += [_money(summary["deliveryDiscount"])] if summary.get("deliveryDiscount") else []
        paid = sum((part.amount for part in parts), Decimal(0))
        same = {part.currency for part in parts} == {currency}
        return Money.of(paid, currency) if same and paid >= 0 else None
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
        return None


def _all_digital(order: Json) -> bool | None:
    """Tell whether nothing of an order is shipped; None where eBay says of one part this and of another that."""
    kinds = [
        instruction.get("fulfillmentInstructionsType")
        for instruction in order.get("fulfillmentStartInstructions") or ()
    ]
    if not all(kinds) or not kinds or 0 < kinds.count(_DIGITAL) < len(kinds):
        return None
    return _DIGITAL in kinds


def _sent(fulfillments: Sequence[Json]) -> dict[str, dict[str, int]]:
    """Count the pieces of each line in each tracked parcel; eBay means one piece where it names no quantity."""
    found: dict[str, dict[str, int]] = {}
    for fulfillment in fulfillments:
        number = fulfillment.get("shipmentTrackingNumber")
        for item in fulfillment.get("lineItems") or () if number else ():
            parcels, quantity = found.setdefault(str(item.get("lineItemId")), {}), item.get("quantity", 1)
            parcels[str(number)] = parcels.get(str(number), 0) + (quantity if isinstance(quantity, int) else 0)
    return found


def _line(line: Json, sent: Mapping[str, Mapping[str, int]], *, digital: bool | None) -> OrderLine:
    quantity = int(line["quantity"])
    cost = _money(line.get("discountedLineItemCost") or line["lineItemCost"])
    unit = Money(amount=cost.amount / max(quantity, 1), currency=cost.currency).rounded()
    parcels = sent.get(str(line["lineItemId"]), {})
    return OrderLine(
        external_id=str(line["lineItemId"]),
        title=str(line.get("title") or ""),
        quantity=quantity,
        unit_price=unit,
        sku=line.get("sku"),
        # Only gift cards that are sent by mail have such details.
        digital=True if line.get("giftDetails") else digital,
        tracking_numbers=tuple(parcels) if sum(parcels.values()) >= quantity else (),
    )


def _refunded(order: Json, currency: str) -> Money | None:
    """Add up refunds. eBay shows one at the order, at its lines, or at both, so the larger sum counts, never both."""
    at_order = [
        refund
        for refund in (order.get("paymentSummary") or {}).get("refunds") or ()
        if refund.get("refundStatus") != _REFUND_FAILED
    ]
    at_lines = [refund for line in order.get("lineItems") or () for refund in line.get("refunds") or ()]
    sums = [
        _sum((refund["amount"] for refund in refunds if refund.get("amount")), currency)
        for refunds in (at_order, at_lines)
    ]
    known = [found for found in sums if found is not None]
    return max(known, key=lambda money: money.amount) if len(known) == len(sums) else None


def _sum(amounts: Iterable[Json], currency: str) -> Money | None:
    total = Money.of(0, currency)
    for amount in amounts:
        money = _money(amount)
        if money.currency != currency:
            return None
        total += money
    return total


def _parcels(fulfillments: Sequence[Json]) -> tuple[Parcel, ...]:
    found = (
        Parcel(tracking_number=str(item["shipmentTrackingNumber"]), carrier=item.get("shippingCarrierCode"))
        for item in fulfillments
        if item.get("shipmentTrackingNumber")
    )
    return tuple(dict.fromkeys(found))


def _status(order: Json) -> str:
    if (order.get("cancelStatus") or {}).get("cancelState") == _CANCELLED:
        return _CANCELLED
    return str(order.get("orderFulfillmentStatus") or "")


def _money(amount: Json) -> Money:
    return Money.of(Decimal(str(amount["value"])), str(amount["currency"]))
