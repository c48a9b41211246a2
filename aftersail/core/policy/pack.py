"""What a pack file says: plain, validated values. `Pack` in `compiled.py` is what decisions are made with."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from aftersail.core.clocks import Basis, HolidayRule, Metric, SourceKind
from aftersail.core.contract import CurrencyCode, Instant, Money, Record, exponent
from aftersail.core.policy.reasons import Reason

TEMPLATE_VARIABLES: Final = frozenset(
    {"buyer_name", "order_number", "refund_amount", "tracking_number", "shop_name"},
)
"""Everything a reply template may speak of."""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _refuse(what: str, fix: str) -> PydanticCustomError:
    return PydanticCustomError("pack", "{what}", {"what": what, "fix": fix})


def _read_money(value: object) -> object:
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ([A-Z]{3})", value) if isinstance(value, str) else None
    if match is None:
        raise _refuse("this is no amount", 'write amount and currency, as in "20.00 USD"')
    try:
        return Money.of(match[1], match[2])
    except ValueError as error:
        raise _refuse(str(error), f"use at most {exponent(match[2])} decimals") from None


def _read_duration(value: object) -> object:
    match = re.fullmatch(r"(\d{1,6})([smhd])", value) if isinstance(value, str) else None
    if match is None or int(match[1]) == 0:
        raise _refuse("this is no duration", "write a number and a unit: 30s, 15m, 4h or 3d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _read_start(value: object) -> object:
    """A date alone means its first second in UTC."""
    try:
        if isinstance(value, str) and len(value) == len("2026-11-22"):
            day = date.fromisoformat(value)
            return datetime(day.year, day.month, day.day, tzinfo=UTC)
        start = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        start = None
    if start is None or start.tzinfo is None:
        raise _refuse("this is no date", "write 2026-11-22 (midnight UTC) or 2026-11-22T00:00:00+01:00")
    return start


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=80)]
"""A word in small letters, digits, `-` and `_`."""

Amount = Annotated[Money, BeforeValidator(_read_money)]
Duration = Annotated[timedelta, BeforeValidator(_read_duration)]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
Words = Annotated[tuple[str, ...], BeforeValidator(_as_list), Field(min_length=1)]
Reasons = Annotated[tuple[Reason, ...], BeforeValidator(_as_list), Field(min_length=1)]
Raw = Any
"""A condition as written; the loader compiles it, since only the loader knows where it stands."""


class Rates(Record):
    """The seller's own exchange rates, from the day and the source they write down.

    Attributes:
        values: what one unit of a currency is worth in the pack's currency.
    """

    date: date
    source: Annotated[str, Field(min_length=1)]
    values: dict[CurrencyCode, Annotated[Decimal, Field(gt=0)]]


class CalendarRow(Record):
    """A calendar as a pack writes it; `CalendarSpec` of the clocks explains the fields."""

    timezone: str
    hours: str
    holidays: tuple[HolidayRule, ...] = ()
    closed: tuple[date | tuple[date, date], ...] = ()
    exceptions: dict[date, str] = Field(default_factory=dict)


class TierRow(Record):
    """One row of the grading table: the first row whose condition holds gives the tier."""

    tier: Name
    when: Raw


class ClockRow(Record):
    """One promise: how long a metric may take, counted how, and how long before its end to warn."""

    metric: Metric
    duration: Duration
    basis: Basis
    calendar: str | None = None
    warn: Duration | None = None
    warn_basis: Basis | None = None


class TargetWhen(Record):
    """Which tickets a row of targets is for. Every key given must match; more keys go before fewer."""

    tier: Words | None = None
    channel: Words | None = None
    connector: Words | None = None
    reason: Reasons | None = None
    language: Words | None = None
    country: Words | None = None

    def keys(self) -> dict[str, tuple[str, ...]]:
        """Return what is asked for, without the keys that are not."""
        return {key: value for key, value in self if value is not None}


class SourceRow(Record):
    """Who demands it: law, marketplace or the seller, and where and when that was read.

    Attributes:
        name: empty for the pack's own id.
        page: the page or paragraph that says so.
        checked_on: when somebody last looked.
    """

    kind: SourceKind = SourceKind.OWN
    name: str = ""
    page: str = ""
    checked_on: date | None = None


class TargetRow(Record):
    """Promises for the tickets that match."""

    id: Name
    when: TargetWhen = TargetWhen()
    source: SourceRow = SourceRow()
    effect: str = "metric"
    clocks: Annotated[tuple[ClockRow, ...], Field(min_length=1)]


class RefundAction(Record):
    """Money back: a share of the claim, or a fixed amount."""

    percent: Annotated[Decimal, Field(gt=0, le=100)] | None = None
    amount: Amount | None = None

    @model_validator(mode="after")
    def _one(self) -> RefundAction:
        if (self.percent is None) == (self.amount is None):
            raise _refuse("a refund is a share or an amount", 'write {percent: 50} or {amount: "5.00 USD"}')
        return self


class ReplyAction(Record):
    """An answer to the buyer."""

    template: Name


class AskAction(Record):
    """Leave it to a person. What rules of lower priority would pay or answer is left to that person too."""

    why: Annotated[str, Field(min_length=1)]


class Action(Record):
    """One thing a rule does; exactly one of the fields is given."""

    refund: RefundAction | None = None
    reply: ReplyAction | None = None
    ask_person: AskAction | None = None
    flag: Name | None = None
    tag: Name | None = None

    @model_validator(mode="after")
    def _one(self) -> Action:
        if len([name for name, value in self if value is not None]) != 1:
            raise _refuse("an action does one thing", "begin a new list item for each: refund, reply, ask_person, flag")
        return self


class RuleRow(Record):
    """When something holds, do something. A higher priority goes first."""

    id: Name
    title: str = ""
    priority: Annotated[int, Field(strict=True)]
    when: Raw
    then: Annotated[tuple[Action, ...], Field(min_length=1)]

    @property
    def refunds(self) -> tuple[RefundAction, ...]:
        """The refunds among its actions."""
        return tuple(action.refund for action in self.then if action.refund is not None)

    @property
    def asks(self) -> tuple[AskAction, ...]:
        """The questions to a person among its actions."""
        return tuple(action.ask_person for action in self.then if action.ask_person is not None)


class TemplateText(Record):
    """A template in one language."""

    subject: Annotated[str, Field(min_length=1)]
    text: Annotated[str, Field(min_length=1)]


class PackFile(Record):
    """A pack as its file says it, or as it is after its parents were merged in.

    Attributes:
        effective_from: judges every request filed at or after this instant, until the next version does.
        currency: what amounts in conditions are in; other currencies are converted by `rates`.
        extends: packs whose rows are added: `id` for the version in force at the time, `id@version` for a fixed one.
        languages: each template must have every one of them.
        authority: the most each role may pay without asking; `automation` is aftersail itself.
        forbidden_links: hosts no reply may link to, their subdomains included; `*` forbids every link.
    """

    id: Name
    version: Annotated[int, Field(strict=True, ge=1)]
    title: Annotated[str, Field(min_length=1)]
    effective_from: Annotated[Instant, BeforeValidator(_read_start)]
    currency: CurrencyCode
    rates: Rates | None = None
    extends: tuple[str, ...] = ()
    calendars: dict[Name, CalendarRow] = Field(default_factory=dict)
    tiers: tuple[TierRow, ...] = ()
    targets: tuple[TargetRow, ...] = ()
    rules: tuple[RuleRow, ...] = ()
    default_language: Language = "en"
    languages: Annotated[tuple[Language, ...], Field(min_length=1)] = ("en",)
    templates: dict[Name, dict[Language, TemplateText]] = Field(default_factory=dict)
    authority: dict[Name, Amount] = Field(default_factory=dict)
    forbidden_links: tuple[str, ...] = ()

    def converted(self, money: Money, currency: str) -> Money | None:
        """Convert by the pack's own rates, rounded half up to the smallest unit; None where a rate is missing."""
        if money.currency == currency:
            return money
        into, out_of = self._rate(money.currency), self._rate(currency)
        if into is None or out_of is None:
            return None
        unit = Decimal(1).scaleb(-exponent(currency))
        amount = (money.amount * into / out_of).quantize(unit, rounding=ROUND_HALF_UP)
        return Money(amount=amount, currency=currency)

    def _rate(self, currency: str) -> Decimal | None:
        if currency == self.currency:
            return Decimal(1)
        return self.rates.values.get(currency) if self.rates else None

    def explain_rate(self, currency: str) -> str:
        """Say which rate a conversion from `currency` used, with its day and source."""
        rate = self._rate(currency)
        if rate is None or self.rates is None:
            return f"no rate for {currency} to {self.currency}"
        return f"1 {currency} = {rate} {self.currency} (rates of {self.rates.date}, {self.rates.source})"
