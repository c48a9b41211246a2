"""The two lists of eBay that become streams: conversations with their messages, and orders with their parcels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import InvalidOperation
from typing import TypeVar

from aftersail.sdk import Message, Order
from aftersail_ebay.api import EbayApi, Json, Listing
from aftersail_ebay.mapping import to_message, to_order
from aftersail_ebay.walk import Position

ItemT = TypeVar("ItemT")


@dataclass
class Conversations:
    """Conversations with members, each with all its messages, the oldest first.

    Attributes:
        skipped: what could not be read, one sentence each.
    """

    api: EbayApi
    seller: str
    skipped: list[str] = field(default_factory=list)

    def page(self, position: Position, offset: int) -> Listing:
        """Read one page of conversations."""
        return self.api.conversations(since=position.since, limit=position.size, offset=offset)

    def identity(self, entry: Json) -> str:
        """Name a conversation."""
        return str(entry.get("conversationId", ""))

    def stamp(self, entry: Json) -> str:
        """Return the id of its latest message."""
        return str((entry.get("latestMessage") or {}).get("messageId", ""))

    def items(self, entry: Json) -> Sequence[Message]:
        """Read its messages; eBay does not say in which order it gives them."""
        found: dict[str, Message] = {}
        for message in self.api.messages(self.identity(entry)):
            made = _read(lambda message=message: to_message(entry, message, seller=self.seller), message, self.skipped)  # type: ignore[misc]
            if made is not None:
                found[made.external_id] = made
        return sorted(found.values(), key=self.place)

    def place(self, item: Message) -> tuple[datetime, str]:
        """Order messages by time and id."""
        return (item.sent_at, item.external_id)


@dataclass
class Orders:
    """Orders by their last change.

    Attributes:
        skipped: what could not be read, one sentence each.
    """

    api: EbayApi
    with_parcels: bool
    skipped: list[str] = field(default_factory=list)

    def page(self, position: Position, offset: int) -> Listing:
        """Read one page of orders."""
        return self.api.orders(since=position.since, limit=position.size, offset=offset)

    def identity(self, entry: Json) -> str:
        """Name an order."""
        return str(entry.get("orderId", ""))

    def stamp(self, entry: Json) -> str:
        """Return the time of its last change."""
        return str(entry.get("lastModifiedDate", ""))

    def items(self, entry: Json) -> Sequence[Order]:
        """Make the order, with its parcels where they are wanted and there are any."""
        shipped = self.with_parcels and entry.get("fulfillmentHrefs")
        parcels = self.api.fulfillments(self.identity(entry)) if shipped else ()
        made = _read(lambda: to_order(entry, parcels), entry, self.skipped)
        return () if made is None else (made,)

    def place(self, item: Order) -> tuple[datetime, str]:
        """Order orders by the time they were placed."""
        return (item.placed_at, item.external_id)


def _read(make: Callable[[], ItemT], raw: Json, skipped: list[str]) -> ItemT | None:
    try:
        return make()
    except (LookupError, ValueError, TypeError, AttributeError, InvalidOperation) as error:
        # Only the name of a missing field is told: the text of other errors repeats what a buyer wrote.
        what = f"lacks {error}" if isinstance(error, KeyError) else f"is unreadable ({type(error).__name__})"
        skipped.append(f"{raw.get('messageId') or raw.get('orderId') or 'an entry without an id'} {what}")
        return None
