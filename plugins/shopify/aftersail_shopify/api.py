"""The Admin GraphQL API: one POST, and failures that arrive under HTTP 200."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx

from aftersail.sdk import (
    AlreadyDone,
    Ambiguous,
    AuthExpired,
    ChannelContext,
    ChannelError,
    CursorExpired,
    InProgress,
    Invalid,
    NotAllowed,
    RateLimited,
    Unavailable,
)
from aftersail.sdk.http import ErrorMap, ErrorRule, HttpClient, Limit
from aftersail.sdk.limits import ANY, Budget
from aftersail_shopify.documents import Document
from aftersail_shopify.settings import ShopifySettings

# The standard plan restores 100 points a second into a bucket of 2000 (Shopify, "API limits", checked 2026-11-22);
# every answer names the real figures, and the budget follows them.
STANDARD = Limit(operation=ANY, rate=100.0, burst=2000.0)
_THROTTLED_TRIES = 3

_HTTP_ERRORS = ErrorMap(
    [
        ErrorRule(status=402, error=NotAllowed, message="the shop is frozen; the owner must settle its bill"),
        ErrorRule(status=404, error=Invalid, message="there is no such shop or API version; check both settings"),
        ErrorRule(status=423, error=NotAllowed, message="the shop is locked; its owner must talk to Shopify"),
    ]
)

# Shopify documents these messages of an idempotent mutation (checked 2026-11-22); `refundCreate` gives no codes.
_BUSY = ("currently in progress",)
_KEY_REUSED = ("same idempotency key",)
_TAKEN = ("already been taken",)


_REFUSALS: Mapping[str, type[ChannelError]] = {"ACCESS_DENIED": NotAllowed, "SHOP_INACTIVE": AuthExpired}
_SERVER_FAILED = {"INTERNAL_SERVER_ERROR", "TIMEOUT"}


class PageCursorRefused(CursorExpired):
    """Shopify no longer takes a page's cursor; the sweep begins again at its first page."""


@dataclass(frozen=True)
class Answer:
    """The data of an answer, and the fields Shopify left out because the app may not see them."""

    data: Mapping[str, Any]
    denied: tuple[str, ...] = ()


class AdminApi:
    """Sends documents and turns every way of failing into one of the closed set."""

    def __init__(self, settings: ShopifySettings, context: ChannelContext) -> None:
        self._context = context
        secrets = [settings.access_token, *([settings.client_secret] if settings.client_secret else [])]
        self._http = HttpClient(
            context,
            base_url=settings.base_url,
            headers={
                "X-Shopify-Access-Token": settings.access_token.get_secret_value(),
                "Accept": "application/json",
            },
            errors=_HTTP_ERRORS,
            limits=[STANDARD],
            secrets=secrets,
            observe=_follow_bucket,
        )

    def close(self) -> None:
        """Release every connection."""
        self._http.close()

    def send(self, document: Document, **variables: Any) -> Answer:
        """Send one document.

        Raises:
            ChannelError: one of the closed set.
            PageCursorRefused: Shopify refuses the `after` of a page.
        """
        for attempt in range(1, _THROTTLED_TRIES + 1):
            body = self._http.json(
                "POST",
                "/graphql.json",
                operation=document.name,
                write=document.write,
                json={"query": document.text, "operationName": document.name, "variables": variables},
                cost=document.cost,
            )
            try:
                return self._read(document, body)
            except RateLimited:
                # A throttled document was not executed. The budget has taken over Shopify's figures, so that the next
                # call waits for as long as the points need, or says that it would be too long.
                if document.write or attempt == _THROTTLED_TRIES:
                    raise
        raise AssertionError("unreachable")  # pragma: no cover

    def _read(self, document: Document, body: Any) -> Answer:
        if not isinstance(body, dict):
            raise self._unclear(document, "the answer is no object")
        errors = body.get("errors") or []
        if isinstance(errors, str):
            errors = [{"message": errors}]
        data = body.get("data")
        if not errors:
            if not isinstance(data, dict):
                raise self._unclear(document, "the answer holds no data")
            return Answer(data)
        denied = _denied_fields(errors)
        if not document.write and isinstance(data, dict) and len(denied) == len(errors):
            return Answer(data, denied)
        raise self._failure(document, body, errors[0])

    def _failure(self, document: Document, body: Mapping[str, Any], error: Mapping[str, Any]) -> ChannelError:
        code = str((error.get("extensions") or {}).get("code") or "") or None
        text = self._http.redact(str(error.get("message") or "no message"))[:300]
        detail = f"{document.name}: {text}"
        if code == "THROTTLED":
            return RateLimited(detail, retry_at=_points_back(self._context.now(), body), code=code)
        if code in _SERVER_FAILED:
            return self._unclear(document, text, code)
        # Without `data` nothing was executed (GraphQL specification, 7.1); with it a write may have begun.
        if document.write and "data" in body and code not in _REFUSALS:
            return Ambiguous(detail, code=code)
        if not document.write and "cursor" in text.lower():
            return PageCursorRefused(detail)
        hint = "; give the app the scopes that the plugin's README lists" if code == "ACCESS_DENIED" else ""
        return _REFUSALS.get(code or "", Invalid)(detail + hint, code=code)

    @staticmethod
    def _unclear(document: Document, text: str, code: str | None = None) -> ChannelError:
        if document.write:
            return Ambiguous(f"{document.name}: {text}; it may or may not have happened", code=code)
        return Unavailable(f"{document.name}: {text}", code=code)

    def user_error(self, document: Document, errors: Sequence[Mapping[str, Any]]) -> ChannelError:
        """Turn `userErrors` into the right error: the platform refused, so nothing happened."""
        first = errors[0]
        code = first.get("code")
        text = self._http.redact("; ".join(str(error.get("message") or "") for error in errors))[:300]
        said = text.lower()
        detail = f"{document.name}: Shopify refuses: {text}"
        if any(words in said for words in _BUSY) or code == "IDEMPOTENCY_CONCURRENT_REQUEST":
            return InProgress(detail, code=code)
        if any(words in said for words in _KEY_REUSED) or code == "IDEMPOTENCY_KEY_PARAMETER_MISMATCH":
            return Invalid(f"{detail}; a key belongs to one refund and never changes its amount", code=code)
        if any(words in said for words in _TAKEN) or code in {"ALREADY_EXISTS", "TAKEN"}:
            return AlreadyDone(detail, code=code)
        if code in {"INVALID_STATE", "MISSING_PERMISSION", "FEATURE_NOT_ENABLED", "NOT_EDITABLE"}:
            return NotAllowed(detail, code=code)
        if code == "INTERNAL_ERROR":
            return self._unclear(document, text, code)
        return Invalid(detail, code=code)


def _denied_fields(errors: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    denied = (error for error in errors if (error.get("extensions") or {}).get("code") == "ACCESS_DENIED")
    # A path ends in the field that was left out; without a path the whole document was refused.
    return tuple(str(error["path"][-1]) for error in denied if error.get("path"))


def _bucket(body: Any) -> tuple[float, float, float, float] | None:
    try:
        cost = body["extensions"]["cost"]
        status = cost["throttleStatus"]
        return (
            float(cost.get("requestedQueryCost") or 0.0),
            float(status["currentlyAvailable"]),
            float(status["maximumAvailable"]),
            float(status["restoreRate"]),
        )
    except (TypeError, KeyError, ValueError):
        return None


def _points_back(now: datetime, body: Any) -> datetime | None:
    bucket = _bucket(body)
    if bucket is None or bucket[3] <= 0:
        return None
    requested, available, _, rate = bucket
    return now + timedelta(seconds=max(0.0, requested - available) / rate)


def _follow_bucket(budget: Budget, operation: str, response: httpx.Response) -> None:
    del operation
    try:
        bucket = _bucket(response.json())
    except ValueError:
        return
    if bucket is not None:
        _, available, maximum, rate = bucket
        budget.set_level(ANY, available, rate=rate, burst=maximum)
