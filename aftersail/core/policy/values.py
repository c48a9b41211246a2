"""The kinds of values that rows of a pack file hold: amounts, durations, names, places."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from aftersail.core.contract import Money, exponent
from aftersail.core.policy.facts import CATALOGUE, nearest
from aftersail.core.policy.places import COUNTRIES, USUAL_SLIPS
from aftersail.core.policy.reasons import Reason

_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 2199
"""As far as calendars reach."""
_REGION: Final = re.compile(r"[A-Z]{2}-[A-Z0-9]{1,3}")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def refuse(what: str, fix: str) -> PydanticCustomError:
    """Make the error by which a row's validator says what is wrong and what mends it."""
    return PydanticCustomError("pack", "{what}", {"what": what, "fix": fix})


def _read_money(value: object) -> object:
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ([A-Z]{3})", value) if isinstance(value, str) else None
    if match is None:
        raise refuse("this is no amount", 'write amount and currency, as in "20.00 USD"')
    try:
        return Money.of(match[1], match[2])
    except ValueError as error:
        raise refuse(str(error), f"use at most {exponent(match[2])} decimals") from None


def _read_duration(value: object) -> object:
    match = re.fullmatch(r"(\d{1,6})([smhd])", value) if isinstance(value, str) else None
    if match is None or int(match[1]) == 0:
        raise refuse("this is no duration", "write a number and a unit: 30s, 15m, 4h or 3d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def read_start(value: object) -> object:
    """Read the instant something begins; a date alone means its first second in UTC."""
    try:
        if isinstance(value, str) and len(value) == len("2026-11-22"):
            day = date.fromisoformat(value)
            return datetime(day.year, day.month, day.day, tzinfo=UTC)
        start = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        start = None
    if start is None or start.tzinfo is None:
        raise refuse("this is no date", "write 2026-11-22 (midnight UTC) or 2026-11-22T00:00:00+01:00")
    return start


def _read_day(value: object) -> object:
    try:
        day = date.fromisoformat(value) if isinstance(value, str) else date.min
    except ValueError:
        day = date.min
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise refuse("this is no day", f"write it as 2026-11-22, between {_FIRST_YEAR} and {_LAST_YEAR}")
    return day


def _read_country(value: object) -> object:
    if isinstance(value, str) and value not in COUNTRIES:
        meant = USUAL_SLIPS.get(value.upper(), value.upper())
        fix = f"did you mean {meant}?" if meant in COUNTRIES else "write the two capitals of ISO 3166-1, such as DE"
        raise refuse(f"`{value}` is no country", fix)
    return value


def _read_region(value: object) -> object:
    if isinstance(value, str) and (not _REGION.fullmatch(value) or value[:2] not in COUNTRIES):
        raise refuse(f"`{value}` is no region", "write the code of ISO 3166-2, such as US-CA")
    return value


def _read_claim(value: object) -> object:
    known = CATALOGUE["claim.kind"].values
    if isinstance(value, str) and value not in known:
        guess = nearest(value, known)
        fix = f"did you mean {guess}?" if guess else f"one of {', '.join(sorted(known))}"
        raise refuse(f"`{value}` is no way a matter comes in", fix)
    return value


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=80)]
"""A word in small letters, digits, `-` and `_`."""

Amount = Annotated[Money, BeforeValidator(_read_money)]
Duration = Annotated[timedelta, BeforeValidator(_read_duration)]
Day = Annotated[date, BeforeValidator(_read_day)]
Country = Annotated[str, BeforeValidator(_read_country)]
Region = Annotated[str, BeforeValidator(_read_region)]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
Words = Annotated[tuple[str, ...], BeforeValidator(_as_list), Field(min_length=1)]
Countries = Annotated[tuple[Country, ...], BeforeValidator(_as_list), Field(min_length=1)]
Regions = Annotated[tuple[Region, ...], BeforeValidator(_as_list), Field(min_length=1)]
Claims = Annotated[
    tuple[Annotated[str, BeforeValidator(_read_claim)], ...], BeforeValidator(_as_list), Field(min_length=1)
]
Names = Annotated[tuple[Name, ...], BeforeValidator(_as_list), Field(min_length=1)]
Reasons = Annotated[tuple[Reason, ...], BeforeValidator(_as_list), Field(min_length=1)]
Raw = Any
"""A condition as written; the loader compiles it, since only the loader knows where it stands."""
