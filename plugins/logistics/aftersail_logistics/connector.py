"""The connector: parcels in, movements out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from aftersail.sdk import (
    Account,
    Capabilities,
    ChannelContext,
    Connector,
    NotAllowed,
    Parcel,
    RateLimited,
    Sandbox,
    Tracking,
)
from aftersail_logistics.api import (
    ALREADY_REGISTERED,
    BATCH,
    DAILY_LIMIT,
    NOT_REGISTERED,
    NOTHING_YET,
    QUOTA_USED_UP,
    TrackApi,
)
from aftersail_logistics.mapping import carrier_code, pending, to_tracking
from aftersail_logistics.settings import LogisticsSettings

_CONSOLE = "https://api.17track.net"
ItemT = TypeVar("ItemT")


class LogisticsConnector(Connector[LogisticsSettings]):
    """Follows parcels over 17TRACK. It has no buyers, orders or refunds."""

    kind: ClassVar[str] = "logistics"
    title: ClassVar[str] = "17TRACK"
    settings_model: ClassVar = LogisticsSettings
    capabilities: ClassVar[Capabilities] = Capabilities(sandbox=Sandbox.NONE)

    def __init__(self, settings: LogisticsSettings, context: ChannelContext) -> None:
        super().__init__(settings, context)
        self._api = TrackApi(settings, context)

    def close(self) -> None:
        """Release every connection."""
        self._api.close()

    def check_account(self) -> Account:
        """Ask for the quota, which costs nothing. 17TRACK names no account, so the id is the same for every key."""
        quota = self._api.quota()
        warnings = ("the quota is used up: parcels not followed yet cannot be registered",) if quota.remain <= 0 else ()
        return Account(
            external_id="17track",
            title=f"17TRACK, {quota.remain} of {quota.total} registrations left",
            warnings=warnings,
        )

    def track_shipment(self, parcels: tuple[Parcel, ...]) -> tuple[Tracking, ...]:
        """Look parcels up, 40 a call; register those that 17TRACK does not follow yet.

        A parcel registered just now, or of which no carrier has told anything, comes back as `unknown` without events;
        one whose number no carrier takes is left out. When the quota ends half-way, the parcels already followed are
        answered and the others wait for the next look.

        Raises:
            RateLimited: the daily limit is reached and nothing could be answered.
            NotAllowed: the quota is used up and nothing could be answered.
        """
        asked: dict[str, list[Parcel]] = defaultdict(list)
        for parcel in dict.fromkeys(parcels):
            asked[_plain(parcel.tracking_number)].append(parcel)
        known, waiting, missing = self._look_up(list(asked))
        refused = 0
        if missing and self.settings.register_parcels:
            registered, refused = self._register([parcel for number in missing for parcel in asked[number]])
            waiting |= registered
        found = tuple(
            to_tracking(parcel, known[number]) if number in known else pending(parcel)
            for number, same in asked.items()
            if number in known or number in waiting
            for parcel in same
        )
        if not found and refused:
            raise _refusal(refused)
        return found

    def _look_up(self, numbers: Sequence[str]) -> tuple[Mapping[str, list[Mapping[str, Any]]], set[str], list[str]]:
        known: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        waiting: set[str] = set()
        missing: list[str] = []
        for some in _chunks(numbers):
            batch = self._api.track_info(some)
            for answer in batch.accepted:
                known[_plain(answer["number"])].append(answer)
            waiting |= {_plain(item.number) for item in batch.rejected if item.code == NOTHING_YET}
            missing += [_plain(item.number) for item in batch.rejected if item.code == NOT_REGISTERED]
        return known, waiting, [number for number in missing if number in numbers]

    def _register(self, parcels: Sequence[Parcel]) -> tuple[set[str], int]:
        """Register parcels; returns the numbers now followed, and the code that refused the rest for want of quota."""
        registered: set[str] = set()
        refused = 0
        for some in _chunks(parcels):
            batch = self._api.register([_registration(parcel) for parcel in some])
            registered |= {_plain(answer["number"]) for answer in batch.accepted}
            registered |= {_plain(item.number) for item in batch.rejected if item.code == ALREADY_REGISTERED}
            refused = next((item.code for item in batch.rejected if item.code in {DAILY_LIMIT, QUOTA_USED_UP}), refused)
        return registered, refused


def _registration(parcel: Parcel) -> Mapping[str, Any]:
    code = carrier_code(parcel.carrier)
    return {"number": _plain(parcel.tracking_number)} | ({} if code is None else {"carrier": code})


def _plain(number: str) -> str:
    # Carriers print spaces into their numbers and people copy them; case carries no meaning.
    return "".join(number.split()).upper()


def _refusal(code: int) -> RateLimited | NotAllowed:
    if code == DAILY_LIMIT:
        return RateLimited("register: the account's daily limit is reached", code=str(code))
    return NotAllowed(
        "register: the account's quota is used up; buy more in 17TRACK's console", alternative=_CONSOLE, code=str(code)
    )


def _chunks(items: Sequence[ItemT]) -> Iterator[Sequence[ItemT]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]
