"""What eBay's declared error codes mean here, as data.

Codes: the tables `x-response-codes` of commerce_message_v1 and sell_fulfillment_v1 (OpenAPI), for the calls this plugin
makes, and eBay's codes of the OAuth gateway (1001 to 1100, 2001). Checked 2026-11-22.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import httpx

from aftersail.sdk import AuthExpired, ChannelError, Invalid, RateLimited, Unavailable
from aftersail.sdk.http import ErrorMap, ErrorRule

_Row = tuple[type[ChannelError], str]
_NEW_CONSENT = "eBay refuses the token; connect the account again"

CODES: Final[Mapping[int, _Row]] = MappingProxyType(
    {
        1001: (AuthExpired, _NEW_CONSENT),
        1002: (AuthExpired, _NEW_CONSENT),
        1003: (AuthExpired, _NEW_CONSENT),
        1100: (
            AuthExpired,
            "the token lacks a scope; connect the account again with the scopes the README lists",
        ),
        2001: (RateLimited, "the app's calls of the day are used up"),
        30500: (Unavailable, "eBay's order service failed"),
        30700: (Invalid, "eBay does not know the filter"),
        30800: (Invalid, "eBay refuses a filter's value"),
        30810: (Invalid, "eBay refuses a date's format"),
        30820: (Invalid, "a start date is missing"),
        30830: (Invalid, "the time range is longer than eBay allows"),
        30840: (Invalid, "the start date lies after the end date"),
        30850: (Invalid, "a date lies in the future; check this machine's clock"),
        30900: (Invalid, "too many order ids in one call"),
        31000: (Invalid, "eBay refuses the offset"),
        31100: (Invalid, "eBay refuses the page size"),
        32100: (Invalid, "eBay does not know the order"),
        32800: (Invalid, "eBay does not know the field group"),
        335000: (Unavailable, "eBay's message service failed"),
        355001: (Invalid, "eBay does not know the conversation status"),
        355002: (Invalid, "eBay does not know the conversation type"),
        355003: (Invalid, "eBay does not know the reference type"),
        355004: (Invalid, "the start time lies after the end time"),
        355005: (Invalid, "eBay refuses a date's format"),
        355006: (Invalid, "eBay does not know the user name"),
        355007: (Invalid, "eBay does not know the conversation"),
        355008: (Invalid, "eBay refuses the offset"),
        355009: (Invalid, "eBay refuses the page size"),
        355010: (Invalid, "too many attachments in one message"),
        355011: (Invalid, "eBay does not know the kind of attachment"),
        355012: (Invalid, "an attachment lacks a field"),
        355013: (Invalid, "the text is longer than eBay allows; shorten it"),
        355014: (Invalid, "eBay refuses an attachment's address"),
        355015: (Invalid, "the message has neither text nor attachment"),
        355016: (Invalid, "eBay refuses the item number"),
        355017: (Invalid, "the conversation type is missing"),
        355018: (Invalid, "neither conversation nor user name was given"),
        355020: (Invalid, "eBay does not know the item"),
        355021: (Invalid, "the reference to the item is incomplete"),
        355022: (Invalid, "the reference type is missing"),
    }
)
"""Error of ours and its sentence, by eBay's `errorId`. After a write, `Unavailable` becomes `Ambiguous`."""


def _first(response: httpx.Response) -> Mapping[str, Any] | None:
    errors = response.json().get("errors") if response.is_error else None
    return errors[0] if isinstance(errors, list) and errors else None


def _code_of(response: httpx.Response) -> str | None:
    first = _first(response)
    return None if first is None else str(first["errorId"])


def _message_of(response: httpx.Response) -> str | None:
    first = _first(response) or {}
    return first.get("longMessage") or first.get("message")


ERRORS: Final = ErrorMap(
    [
        ErrorRule(code=str(code), error=error, message=message, retry=error is Unavailable)
        for code, (error, message) in CODES.items()
    ],
    code_of=_code_of,
    message_of=_message_of,
)
