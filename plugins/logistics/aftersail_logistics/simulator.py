"""17TRACK in a box: the three calls this plugin makes, with key, quota, limits and per-number refusals."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx

from aftersail.sdk.testing.simulator import Simulator, route
from aftersail_logistics.api import ALREADY_REGISTERED, BATCH, NOT_REGISTERED, NOTHING_YET, QUOTA_USED_UP

_KEY_REFUSED, _NO_DATA, _BAD_FORMAT, _TOO_MANY = -18010002, -18010010, -18010012, -18010014
_SECOND, _PER_SECOND = timedelta(seconds=1), 3
_SHORTEST = 5


@dataclass
class SimulatedParcel:
    """A parcel on its way, as carriers tell 17TRACK; the newest event last.

    Attributes:
        carrier: 17TRACK's number of the carrier.
        status: main status and sub-status.
        events: instant, sub-status, description, place.
        eta: latest expected delivery.
    """

    carrier: int
    status: tuple[str, str] = ("NotFound", "NotFound_Other")
    events: list[tuple[datetime, str, str, str]] = field(default_factory=list)
    eta: datetime | None = None


class LogisticsSimulator(Simulator):
    """Keeps what carriers know (`parcels`) apart from what the account has registered (`registered`).

    Args:
        key: the access key it takes.
        quota: registrations the account may still make.
        clock: what it thinks the time is.
    """

    def __init__(
        self, *, key: str = "simulated-key", quota: int = 100, clock: Callable[[], datetime] | None = None
    ) -> None:
        super().__init__(clock=clock)
        self.key = key
        self.total = quota
        self.parcels: dict[str, SimulatedParcel] = {}
        self.registered: dict[str, int] = {}
        self._recent: list[datetime] = []

    def move(
        self, number: str, sub_status: str, description: str, place: str, *, at: datetime, carrier: int = 100003
    ) -> None:
        """Let a parcel be scanned once more."""
        parcel = self.parcels.setdefault(number, SimulatedParcel(carrier=carrier))
        parcel.events.append((at, sub_status, description, place))
        parcel.status = (sub_status.partition("_")[0], sub_status)

    @route("POST", "/track/v2.4/getquota")
    def getquota(self, request: httpx.Request) -> httpx.Response:
        """Answer the account's quota."""
        used = len(self.registered)
        data = {"quota_total": self.total, "quota_used": used, "quota_remain": self.total - used, "today_used": used}
        return self._refusal(request) or httpx.Response(200, json={"code": 0, "data": data})

    @route("POST", "/track/v2.4/register")
    def register(self, request: httpx.Request) -> httpx.Response:
        """Take numbers into the account, each for 1 of the quota."""
        return self._refusal(request) or self._each(request, self._register_one)

    @route("POST", "/track/v2.4/gettrackinfo")
    def gettrackinfo(self, request: httpx.Request) -> httpx.Response:
        """Answer what is known of registered numbers."""
        return self._refusal(request) or self._each(request, self._info_of)

    def _refusal(self, request: httpx.Request) -> httpx.Response | None:
        if request.headers.get("17token") != self.key:
            return _errors(_KEY_REFUSED, "Invalid security key.", status=401)
        now = self.now()
        self._recent = [at for at in self._recent if now - at < _SECOND]
        if len(self._recent) >= _PER_SECOND:
            return httpx.Response(429)
        self._recent.append(now)
        return None

    def _each(self, request: httpx.Request, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> httpx.Response:
        try:
            items: Sequence[dict[str, Any]] = json.loads(request.content)
        except ValueError:
            items = []
        if not items:
            return _errors(_NO_DATA, "Please provide the data.")
        if len(items) > BATCH:
            return _errors(_TOO_MANY, "Tracking numbers exceed the 40 limit.")
        answers = [answer(item) for item in items]
        data = {
            "accepted": [item for item in answers if "error" not in item],
            "rejected": [item for item in answers if "error" in item],
        }
        return httpx.Response(200, json={"code": 0, "data": data})

    def _register_one(self, item: dict[str, Any]) -> dict[str, Any]:
        number = str(item.get("number", ""))
        if len(number) < _SHORTEST or not number.isalnum():
            return _rejected(number, _BAD_FORMAT, f"The format of '{number}' is invalid.")
        if number in self.registered:
            return _rejected(number, ALREADY_REGISTERED, f"Tracking number {number} is already registered.")
        if len(self.registered) >= self.total:
            return _rejected(number, QUOTA_USED_UP, "The quota is used up.")
        known = self.parcels.get(number)
        self.registered[number] = item.get("carrier") or (known.carrier if known else 0)
        return {"origin": 1, "number": number, "carrier": self.registered[number], "email": None, "tag": None}

    def _info_of(self, item: dict[str, Any]) -> dict[str, Any]:
        number = str(item.get("number", ""))
        if number not in self.registered:
            return _rejected(
                number, NOT_REGISTERED, f"The tracking number '{number}' does not register, please register first."
            )
        parcel = self.parcels.get(number)
        if parcel is None:
            return _rejected(number, NOTHING_YET, "No tracking information at this time.")
        events = [_event(*event) for event in reversed(parcel.events)]
        info = {
            "latest_status": {"status": parcel.status[0], "sub_status": parcel.status[1], "sub_status_descr": None},
            "latest_event": events[0] if events else None,
            "time_metrics": {
                "estimated_delivery_date": {
                    "source": None,
                    "from": None,
                    "to": parcel.eta.isoformat() if parcel.eta else None,
                }
            },
            "tracking": {"providers_hash": 1, "providers": [{"provider": {"key": parcel.carrier}, "events": events}]},
        }
        return {"number": number, "carrier": parcel.carrier, "tag": None, "track_info": info}


def _event(at: datetime, sub_status: str, description: str, place: str) -> dict[str, Any]:
    local = at.astimezone(timezone(timedelta(hours=8)))
    return {
        "time_iso": local.isoformat(),
        "time_utc": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "time_raw": {"date": local.date().isoformat(), "time": local.strftime("%H:%M:%S"), "timezone": "+08:00"},
        "description": description,
        "location": place,
        "stage": None,
        "sub_status": sub_status,
    }


def _rejected(number: str, code: int, message: str) -> dict[str, Any]:
    return {"number": number, "carrier": 0, "error": {"code": code, "message": message}}


def _errors(code: int, message: str, *, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json={"code": 0, "data": {"errors": [{"code": code, "message": message}]}})
