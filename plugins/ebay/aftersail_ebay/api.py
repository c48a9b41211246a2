"""eBay's REST calls: commerce/message v1 and sell/fulfillment v1 (OpenAPI of both, checked 2026-11-22)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from aftersail.sdk import Ambiguous, ChannelContext, Unavailable
from aftersail.sdk.auth import RefreshTokenAuth
from aftersail.sdk.http import HttpClient
from aftersail_ebay.errors import ERRORS
from aftersail_ebay.settings import EbaySettings

CONVERSATIONS_PER_PAGE: Final = 50
MESSAGES_PER_PAGE: Final = 50
ORDERS_PER_PAGE: Final = 200
LONGEST_TEXT: Final = 2000

_MESSAGE = "/commerce/message/v1"
_FULFILLMENT = "/sell/fulfillment/v1"
_MOST_PAGES = 200  # A conversation of 10,000 messages: far beyond any real one, and an end to a list that never ends.

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Listing:
    """One page of a list, and how long the whole list is."""

    items: tuple[Json, ...]
    total: int


class EbayApi:
    """The calls of one seller."""

    def __init__(self, settings: EbaySettings, context: ChannelContext) -> None:
        auth = RefreshTokenAuth(
            context,
            token_url=f"{settings.endpoint.rstrip('/')}/identity/v1/oauth2/token",
            client_id=settings.client_id,
            client_secret=settings.client_secret,
            refresh_token=settings.refresh_token,
            client_auth="basic",
        )
        self._http = HttpClient(
            context,
            base_url=settings.endpoint,
            auth=auth,
            headers={"Accept": "application/json"},
            errors=ERRORS,
            secrets=(settings.client_secret, settings.refresh_token),
        )

    def close(self) -> None:
        """Release every connection."""
        self._http.close()

    def conversations(self, *, since: datetime, limit: int, offset: int) -> Listing:
        """List conversations with members in which something was written since an instant; at most 50 a page."""
        params = {
            "conversation_type": "FROM_MEMBERS",
            "start_time": _timestamp(since),
            "limit": limit,
            "offset": offset,
        }
        return self._list(f"{_MESSAGE}/conversation", "getConversations", "conversations", params)

    def messages(self, conversation_id: str) -> Iterator[Json]:
        """Read every message of a conversation; eBay does not say in which order they come."""
        path = f"{_MESSAGE}/conversation/{quote(conversation_id, safe='')}"
        for page in range(_MOST_PAGES):
            offset = page * MESSAGES_PER_PAGE
            params = {"conversation_type": "FROM_MEMBERS", "limit": MESSAGES_PER_PAGE, "offset": offset}
            listing = self._list(path, "getConversation", "messages", params)
            yield from listing.items
            if not listing.items or offset + MESSAGES_PER_PAGE >= listing.total:
                return

    def send_message(self, conversation_id: str, text: str) -> Json:
        """Write into a conversation; sent once.

        Raises:
            Ambiguous: it may or may not have been sent.
        """
        body = {"conversationId": conversation_id, "messageText": text}
        answer = self._http.json("POST", f"{_MESSAGE}/send_message", operation="sendMessage", write=True, json=body)
        if not isinstance(answer, dict):
            raise Ambiguous("sendMessage: eBay took the message but its answer is empty")
        return answer

    def orders(self, *, since: datetime, limit: int, offset: int) -> Listing:
        """List orders changed since an instant; at most 200 a page."""
        params = {"filter": f"lastmodifieddate:[{_timestamp(since)}..]", "limit": limit, "offset": offset}
        return self._list(f"{_FULFILLMENT}/order", "getOrders", "orders", params)

    def fulfillments(self, order_id: str) -> tuple[Json, ...]:
        """Read the parcels of an order."""
        path = f"{_FULFILLMENT}/order/{quote(order_id, safe='')}/shipping_fulfillment"
        return self._list(path, "getShippingFulfillments", "fulfillments", {}).items

    def _list(self, path: str, operation: str, key: str, params: Mapping[str, Any]) -> Listing:
        answer = self._http.json("GET", path, operation=operation, params=params)
        found = answer.get(key, []) if isinstance(answer, dict) else None
        total = answer.get("total", 0) if isinstance(answer, dict) else None
        if not isinstance(found, list) or not isinstance(total, int):
            raise Unavailable(f"{operation}: the answer has another shape than eBay's OpenAPI says")
        return Listing(items=tuple(item for item in found if isinstance(item, dict)), total=total)


def _timestamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
