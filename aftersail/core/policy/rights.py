"""The rows of a pack about a buyer's rights: how long, who is liable, who pays what, by when, and whose choice."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from aftersail.core.clocks import Basis
from aftersail.core.contract import Record
from aftersail.core.policy.reasons import Right
from aftersail.core.policy.scope import TargetWhen
from aftersail.core.policy.values import Countries, Day, Duration, Name, Raw, Reasons, Regions, Words, refuse


class Party(StrEnum):
    """Who answers for something, or pays for it."""

    MERCHANT = "merchant"
    BUYER = "buyer"
    CARRIER = "carrier"
    PLATFORM = "platform"


class Component(StrEnum):
    """The parts of what a return costs."""

    ITEM = "item"
    OUTBOUND_STANDARD = "outbound_standard"
    """What the cheapest delivery on offer cost."""
    OUTBOUND_EXPRESS = "outbound_express"
    """What the buyer paid beyond that for a faster one."""
    RETURN_FREIGHT = "return_freight"
    DUTY = "duty"
    TAX = "tax"
    RESTOCKING = "restocking"
    """A share of the price that is kept back."""


class Start(StrEnum):
    """The event a window begins with."""

    PLACED = "placed"
    CONTRACT = "contract"
    FULFILLED = "fulfilled"
    DELIVERED_FIRST = "delivered_first"
    DELIVERED_LINE = "delivered_line"
    DELIVERED_LAST = "delivered_last"


class DueStart(StrEnum):
    """The event from which the time to pay back is counted."""

    NOTICE = "notice"
    AGREED = "agreed"
    ELIGIBLE = "eligible"
    GOODS_OR_PROOF = "goods_or_proof"
    """The goods, or the proof that they are on their way, whichever comes first."""
    GOODS_BACK = "goods_back"


class Hold(StrEnum):
    """What the seller may wait for before paying back."""

    NONE = "none"
    GOODS_OR_PROOF = "goods_or_proof"
    """The goods, or the proof that they are on their way, whichever comes first."""
    GOODS = "goods"


class RouteKind(StrEnum):
    """A way money goes back."""

    ORIGINAL = "original"
    BALANCE = "balance"
    STORE_CREDIT = "store_credit"


class Remedy(StrEnum):
    """What can be offered."""

    REFUND = "refund"
    PARTIAL_REFUND = "partial_refund"
    REPLACEMENT = "replacement"
    REPAIR = "repair"
    STORE_CREDIT = "store_credit"


class Choice(StrEnum):
    """Who chooses among the remedies."""

    BUYER = "buyer"
    MERCHANT = "merchant"


class AppliesRow(Record):
    """Whom a law or a marketplace pack binds. Every key given must match; none means everybody who extends it."""

    countries: Countries | None = None
    regions: Regions | None = None
    connectors: Words | None = None


class SourceEntry(Record):
    """Where a row was read.

    Attributes:
        page: the paragraph or page, as a person would look it up.
        url: empty where there is none.
        checked_on: when somebody last looked.
        verified: somebody has read it there; a row that is not verified never decides alone.
    """

    page: Annotated[str, Field(min_length=1)]
    url: Annotated[str, Field(pattern=r"^(https?://\S+)?$")] = ""
    checked_on: Day
    verified: bool


class RightsRow(Record):
    """What all of these rows have.

    Attributes:
        source: a key of the pack's `sources`; a row of a law or marketplace pack must have one.
        yields: the row gives way where a law or a marketplace demands more; without it, such a row is refused.
    """

    id: Name
    source: Name | None = None
    yields: bool = False


class Estimate(Record):
    """Stands in for a start event that is not known: another event, and how long after it.

    Attributes:
        start: the event that is known; written `from`.
    """

    start: Start = Field(alias="from")
    add: Duration


class Season(Record):
    """What was bought between two days (both included) may come back until the end of a third. Never shortens."""

    bought_from: Day
    bought_until: Day
    until: Day

    @model_validator(mode="after")
    def _in_order(self) -> Season:
        if not self.bought_from <= self.bought_until <= self.until:
            raise refuse("the days of the season are out of order", "bought_from, then bought_until, then until")
        return self


class WindowRow(RightsRow):
    """How long a buyer may ask for something.

    Attributes:
        days: whole days; the last one counts to its end.
        unlimited: for as long as the buyer likes, in place of `days`.
        count_start_day: the day of the event is the first of the days (Japan); else the day after it is.
        roll_over: an end on a day the calendar is closed on runs to the end of the next one it opens on.
        timezone: whose midnight ends a day; empty for the calendar's, else UTC.
    """

    right: Right
    when: TargetWhen = TargetWhen()
    days: Annotated[int, Field(strict=True, ge=1, le=36_500)] | None = None
    unlimited: bool = False
    start: Start
    count_start_day: bool = False
    roll_over: bool = False
    calendar: str | None = None
    timezone: str = ""
    estimate: Estimate | None = None
    seasons: tuple[Season, ...] = ()

    @model_validator(mode="after")
    def _one(self) -> WindowRow:
        if (self.days is None) is not self.unlimited:
            raise refuse("a window has days or is unlimited", "write days: 14, or unlimited: true")
        return self


class ExceptionRow(RightsRow):
    """Where a right of this pack does not exist. It says nothing about the rights other packs give.

    Attributes:
        when: a condition, as in rules.
        needs: facts that must be known for it to count; while one is missing, a person decides.
    """

    right: Right
    when: Raw
    needs: Words | tuple[()] = ()


class LiabilityRow(RightsRow):
    """Who answers for some reasons."""

    reasons: Reasons
    party: Party
    when: TargetWhen = TargetWhen()

    @model_validator(mode="after")
    def _reasons_once(self) -> LiabilityRow:
        if self.when.reason is not None:
            raise refuse("the reasons stand twice", "name them under `reasons` only")
        return self


class CostRow(RightsRow):
    """Who pays one component.

    Attributes:
        liable: the row is for these liable parties; None for whoever is.
        percent: for `restocking`: the share of the item's price that is kept back.
        estimate: for `duty` and `tax`: the rate by which an amount nobody knows is estimated, in percent of the item's
            price; the row's source says where the rate was read, and when.
    """

    component: Component
    when: TargetWhen = TargetWhen()
    liable: Annotated[tuple[Party, ...], Field(min_length=1)] | None = None
    payer: Party | None = None
    percent: Annotated[Decimal, Field(gt=0, le=100)] | None = None
    estimate: Annotated[Decimal, Field(gt=0, le=1000)] | None = None

    @model_validator(mode="after")
    def _one(self) -> CostRow:
        if self.estimate is not None and self.component not in {Component.DUTY, Component.TAX}:
            raise refuse(f"{self.component} is not estimated by a rate", "only duty and tax have an estimate")
        if self.estimate is not None and self.source is None:
            raise refuse("an estimate without a source", "name where the rate was read: source: tariff")
        if self.percent is not None and self.component is not Component.RESTOCKING:
            raise refuse(f"a percentage of {self.component} means nothing", "only restocking has a percent")
        if (self.payer is None) is (self.percent is None):
            fix = "write payer: merchant" if self.component is not Component.RESTOCKING else "write percent or payer"
            raise refuse("who pays must be said once", fix)
        if self.component is Component.RESTOCKING and self.payer is Party.BUYER:
            raise refuse("how much is kept back must be said", "write percent: 15")
        return self

    @property
    def by_buyer(self) -> bool:
        """Whether the buyer bears it."""
        return self.percent is not None or self.payer is Party.BUYER


class RefundDueRow(RightsRow):
    """By when money must be back.

    Attributes:
        hold_until: what may be waited for; the time then does not end before that has come.
    """

    right: Right
    when: TargetWhen = TargetWhen()
    duration: Duration
    basis: Basis
    calendar: str | None = None
    start: DueStart
    hold_until: Hold = Hold.NONE
    warn: Duration | None = None


class RouteRow(RightsRow):
    """How money goes back, the first way first."""

    right: Right
    when: TargetWhen = TargetWhen()
    order: Annotated[tuple[RouteKind, ...], Field(min_length=1)]
    store_credit_needs_consent: bool = False


class RemedyRow(RightsRow):
    """Whose choice it is, and among what."""

    right: Right
    when: TargetWhen = TargetWhen()
    choice: Choice
    options: Annotated[tuple[Remedy, ...], Field(min_length=1)]


class HighRisk(Record):
    """Which buyers are flagged.

    Attributes:
        refund_rate_over: refunds in a hundred orders, beyond which a buyer is.
        minimum_orders: with fewer orders nobody can say.
        below_sample: what counts then: `no`, or `ask` a person.
    """

    refund_rate_over: Annotated[int, Field(strict=True, ge=0, lt=100)]
    minimum_orders: Annotated[int, Field(strict=True, ge=1)]
    below_sample: Annotated[str, Field(pattern=r"^(no|ask)$")] = "no"
