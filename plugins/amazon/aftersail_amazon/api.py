"""The Selling Partner API calls: orders 2026-01-01 (model of 2026-08-05, checked 2026-11-22)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

import httpx

from aftersail.sdk import AuthExpired, ChannelContext, RateLimited, Unavailable
from aftersail.sdk.auth import RefreshTokenAuth
from aftersail.sdk.http import ErrorMap, ErrorRule, HttpClient, Limit
from aftersail.sdk.limits import rate_from_header
from aftersail_amazon.settings import AmazonSettings, Region

HOSTS: Final = MappingProxyType(
    {
        Region.NORTH_AMERICA: "https://sellingpartnerapi-na.amazon.com",
        Region.EUROPE: "https://sellingpartnerapi-eu.amazon.com",
        Region.FAR_EAST: "https://sellingpartnerapi-fe.amazon.com",
    }
)
TOKEN_HOST: Final = "https://api.amazon.com"  # noqa: S105 - an address
ORDERS_PER_PAGE: Final = 100
SEARCH_RATE: Final = 0.0056
"""Calls of searchOrders per second by default: one in three minutes, 20 at once after a quiet time."""

INCLUDED: Final = ("BUYER", "RECIPIENT", "PROCEEDS", "FULFILLMENT", "PACKAGES")
"""What the mapping reads of an order; RECIPIENT is for country and region alone."""

Json = Mapping[str, Any]

_PACE = timedelta(seconds=round(1 / SEARCH_RATE))


def _first(response: httpx.Response) -> Json:
    errors = response.json().get("errors") if response.is_error else None
    return errors[0] if isinstance(errors, list) and errors else {}


ERRORS: Final = ErrorMap(
    (
        ErrorRule(
            status=403,
            error=AuthExpired,
            message="Amazon refuses access; check the app's roles and whether its client secret is older than 180 days",
        ),
        # The budget is one call in three minutes: a quick retry cannot help.
        ErrorRule(status=429, error=RateLimited, message="the calls of this operation are used up"),
    ),
    code_of=lambda response: _first(response).get("code"),
    message_of=lambda response: _first(response).get("message"),
)
"""Declared: 400, 404, 413 and 415 refuse the request, 403 the access, 429 the pace; 500 and 503 are failures."""


@dataclass(frozen=True)
class OrderPage:
    """One page of searchOrders.

    Attributes:
        token: for the next page, good for 24 hours; None on the last.
        until: orders up to here are in this search, as Amazon answers; None where it does not say.
    """

    orders: tuple[Json, ...]
    token: str | None
    until: datetime | None


class SellingPartnerApi:
    """The calls of one account."""

    def __init__(self, settings: AmazonSettings, context: ChannelContext) -> None:
        self._now = context.now
        auth = RefreshTokenAuth(
            context,
            token_url=f"{(settings.endpoint or TOKEN_HOST).rstrip('/')}/auth/o2/token",
            client_id=settings.client_id,
            client_secret=settings.client_secret,
            refresh_token=settings.refresh_token,
            header="x-amz-access-token",
            prefix="",
        )
        self._http = HttpClient(
            context,
            base_url=settings.endpoint or HOSTS[settings.region],
            auth=auth,
            headers={"Accept": "application/json", "User-Agent": "aftersail-amazon/0.1 (Language=Python)"},
            errors=ERRORS,
            limits=(Limit(operation="searchOrders", rate=SEARCH_RATE, burst=20),),
            secrets=(settings.client_secret, settings.refresh_token),
            observe=rate_from_header("x-amzn-RateLimit-Limit"),
        )

    def close(self) -> None:
        """Release every connection."""
        self._http.close()

    def search_orders(
        self,
        *,
        created_after: str | None = None,
        updated_after: str | None = None,
        marketplace_ids: Sequence[str] = (),
        included: Sequence[str] = INCLUDED,
        limit: int | None = None,
        token: str | None = None,
    ) -> OrderPage:
        """Search orders. Exactly one of `created_after` and `updated_after`, both ISO 8601.

        Args:
            created_after: placed at or after.
            updated_after: changed at or after.
            marketplace_ids: none for all.
            included: data sets of each order.
            limit: orders per page, 1 to 100; Amazon's default where None.
            token: of the page before; every other argument as it was there.

        Raises:
            ValueError: both or none of the two times are given.
            RateLimited: with the instant at which the next call is due, also where Amazon names none.
        """
        if (created_after is None) == (updated_after is None):
            raise ValueError("exactly one of created_after and updated_after is needed")
        given = {
            "createdAfter": created_after,
            "lastUpdatedAfter": updated_after,
            "marketplaceIds": ",".join(marketplace_ids),
            "includedData": ",".join(included),
            "maxResultsPerPage": limit,
            "paginationToken": token,
        }
        params = {name: value for name, value in given.items() if value}
        try:
            answer = self._http.json("GET", "/orders/2026-01-01/orders", operation="searchOrders", params=params)
        except RateLimited as error:
            if error.retry_at is None:
                raise RateLimited(error.detail, retry_at=self._now() + _PACE, code=error.code) from None
            raise
        return _page(answer)


def timestamp(at: datetime) -> str:
    """Write a time as Amazon wants it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _page(answer: Any) -> OrderPage:
    try:
        until = answer.get("lastUpdatedBefore") or answer.get("createdBefore")
        token = (answer.get("pagination") or {}).get("nextToken")
        orders = tuple(order for order in answer["orders"] if isinstance(order, dict))
        return OrderPage(orders=orders, token=token or None, until=datetime.fromisoformat(until) if until else None)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise Unavailable(f"searchOrders: the answer has another shape than the model says ({error!r})") from error
