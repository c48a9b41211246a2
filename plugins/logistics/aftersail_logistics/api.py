"""17TRACK's Tracking API v2.4: calls, errors, limits. Sources are listed in the README, checked 2026-11-22."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx

from aftersail.sdk import AuthExpired, ChannelContext, Invalid, NotAllowed, RateLimited, Unavailable
from aftersail.sdk.http import ErrorMap, ErrorRule, HttpClient, Limit
from aftersail_logistics.settings import LogisticsSettings

BATCH: Final = 40
"""Numbers per call."""

LIMITS: Final = (Limit(operation="*", rate=2.5, burst=1),)
"""17TRACK takes three calls in any second for the whole account and answers 429 to the fourth: a burst of three would
be followed by three more within the same second, so calls are spaced, with some room for the way there."""

ALREADY_REGISTERED: Final = -18019901
NOT_REGISTERED: Final = -18019902
DAILY_LIMIT: Final = -18019907
QUOTA_USED_UP: Final = -18019908
NOTHING_YET: Final = -18019909

_NEW_KEY = "17TRACK refuses the access key; enter the one shown in its API console"

ERROR_RULES: Final = (
    ErrorRule(
        code="-18010001", error=AuthExpired, message="this address is not on the account's whitelist; add it in 17TRACK"
    ),
    ErrorRule(code="-18010002", error=AuthExpired, message=_NEW_KEY),
    ErrorRule(code="-18010003", error=Unavailable, message="17TRACK failed", retry=True),
    ErrorRule(code="-18010004", error=AuthExpired, message="17TRACK has disabled the account; ask its support"),
    ErrorRule(code="-18010005", error=AuthExpired, message=_NEW_KEY),
    *(
        ErrorRule(code=str(code), error=Invalid, message="17TRACK refuses the request as wrong")
        for code in (*range(-18010016, -18010009), -18010018, -18010019, -18010020, -18010022)
    ),
    ErrorRule(code=str(DAILY_LIMIT), error=RateLimited, message="the account's daily limit is reached"),
    ErrorRule(
        code=str(QUOTA_USED_UP),
        error=NotAllowed,
        message="the account's quota is used up; buy more in 17TRACK's console",
    ),
)
"""Codes that refuse a whole request, also with HTTP 200; those that refuse one number are data (`Rejected`)."""


@dataclass(frozen=True)
class Rejected:
    """Why 17TRACK refuses one number."""

    number: str
    code: int
    message: str


@dataclass(frozen=True)
class Batch:
    """The answer to one call about many numbers: what was taken, and what was refused."""

    accepted: tuple[Mapping[str, Any], ...]
    rejected: tuple[Rejected, ...]


@dataclass(frozen=True)
class Quota:
    """How many registrations the account has, and how many are left."""

    total: int
    remain: int


def _errors(body: Any) -> list[Any]:
    data = body.get("data")
    errors = data.get("errors") if isinstance(data, dict) else None
    return errors if isinstance(errors, list) else []


def _code_of(response: httpx.Response) -> str | None:
    body = response.json()
    if body.get("code") not in {0, None}:
        return str(body["code"])
    errors = _errors(body)
    return str(errors[0]["code"]) if errors else None


def _message_of(response: httpx.Response) -> str | None:
    errors = _errors(response.json())
    return str(errors[0]["message"]) if errors else None


class TrackApi:
    """The calls of one account."""

    def __init__(self, settings: LogisticsSettings, context: ChannelContext) -> None:
        self._http = HttpClient(
            context,
            base_url=settings.endpoint,
            headers={"17token": settings.api_key.get_secret_value(), "Accept": "application/json"},
            errors=ErrorMap(ERROR_RULES, code_of=_code_of, message_of=_message_of),
            limits=LIMITS,
            secrets=(settings.api_key,),
        )

    def close(self) -> None:
        """Release every connection."""
        self._http.close()

    def quota(self) -> Quota:
        """Ask for the account's quota; costs nothing.

        Raises:
            AuthExpired: the key is refused.
            Unavailable: no answer, or one of another shape.
        """
        data = self._call("getquota", [])
        try:
            return Quota(total=int(data["quota_total"]), remain=int(data["quota_remain"]))
        except (KeyError, TypeError, ValueError) as error:
            raise Unavailable(f"getquota: the answer lacks the quota ({error})") from error

    def register(self, items: Sequence[Mapping[str, Any]]) -> Batch:
        """Register up to 40 numbers. A second time is refused and costs nothing, so it is retried like a read."""
        return self._batch("register", items)

    def track_info(self, numbers: Sequence[str]) -> Batch:
        """Read what is known of up to 40 registered numbers; costs nothing."""
        return self._batch("gettrackinfo", [{"number": number} for number in numbers])

    def _batch(self, operation: str, items: Sequence[Mapping[str, Any]]) -> Batch:
        data = self._call(operation, list(items))
        accepted, rejected = data.get("accepted"), data.get("rejected")
        try:
            return Batch(
                accepted=tuple(item for item in accepted or () if isinstance(item["number"], str)),
                rejected=tuple(_rejected(item) for item in rejected or ()),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise Unavailable(f"{operation}: the answer has another shape than API v2.4 ({error!r})") from error

    def _call(self, operation: str, body: list[Any]) -> Mapping[str, Any]:
        answer = self._http.json("POST", f"/track/v2.4/{operation}", operation=operation, json=body)
        data = answer.get("data") if isinstance(answer, dict) else None
        code = answer.get("code") if isinstance(answer, dict) else None
        if isinstance(code, int) and code != 0:
            raise Invalid(
                f"{operation}: 17TRACK refuses the request with a code this plugin does not know", code=str(code)
            )
        if not isinstance(data, dict):
            raise Unavailable(f"{operation}: the answer has another shape than API v2.4")
        return data


def _rejected(item: Mapping[str, Any]) -> Rejected:
    error = item["error"]
    return Rejected(number=str(item["number"]), code=int(error["code"]), message=str(error.get("message", "")))
