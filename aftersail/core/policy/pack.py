"""What a pack file says: plain, validated values. `Pack` in `compiled.py` is what decisions are made with."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from aftersail.core.clocks import Basis, HolidayRule, Metric, SourceKind
from aftersail.core.contract import CurrencyCode, Instant, Money, Record, exponent
from aftersail.core.policy.actions import REMEDIES, Action, ApproveAction, AskAction, RefundAction
from aftersail.core.policy.example_rows import ExampleRow
from aftersail.core.policy.rights import (
    AppliesRow,
    CostRow,
    ExceptionRow,
    HighRisk,
    LiabilityRow,
    RefundDueRow,
    RemedyRow,
    RouteRow,
    SourceEntry,
    WindowRow,
)
from aftersail.core.policy.scope import TargetWhen
from aftersail.core.policy.values import Amount, Duration, Language, Name, Raw, read_start

TEMPLATE_VARIABLES: Final = frozenset(
    {"buyer_name", "order_number", "refund_amount", "tracking_number", "shop_name"},
)
"""Everything a reply template may speak of."""


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


class SourceRow(Record):
    """Who demands it: law, marketplace or the seller, and where and when that was read.

    Attributes:
        kind: None for the pack's own kind.
        name: empty for the pack's own id.
        page: the page or paragraph that says so.
        checked_on: when somebody last looked.
        entry: a key of the pack's `sources`, in place of page and day; what a word alone under `source` means.
    """

    kind: SourceKind | None = None
    name: str = ""
    page: str = ""
    checked_on: date | None = None
    entry: str = ""


def _read_source(value: object) -> object:
    return {"entry": value} if isinstance(value, str) else value


class TargetRow(Record):
    """Promises for the tickets that match."""

    id: Name
    when: TargetWhen = TargetWhen()
    source: Annotated[SourceRow, BeforeValidator(_read_source)] = SourceRow()
    effect: str = "metric"
    clocks: Annotated[tuple[ClockRow, ...], Field(min_length=1)]


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

    @property
    def approvals(self) -> tuple[ApproveAction, ...]:
        """The approvals it asks for."""
        return tuple(action.approve for action in self.then if action.approve is not None)

    @property
    def remedies(self) -> tuple[str, ...]:
        """What it gives the buyer, as its actions are called; of all rules that match, one gives something."""
        return tuple(name for action in self.then for name, value in action if value is not None and name in REMEDIES)


class TemplateText(Record):
    """A template in one language."""

    subject: Annotated[str, Field(min_length=1)]
    text: Annotated[str, Field(min_length=1)]


class Reopen(StrEnum):
    """What the clock of the solution does when a closed ticket is opened again."""

    RESUME = "resume"
    """It runs on with the time it had left."""
    RESTART = "restart"
    """It begins anew."""
    NONE = "none"
    """It stays as it was."""


class TeamMove(StrEnum):
    """What the seller's own clocks do when a ticket moves to another team."""

    KEEP = "keep"
    """They run on as they are."""
    RESTART = "restart"
    """They begin anew at the move, with the new team's targets."""


class PauseRow(Record):
    """Which clocks stand still while the ball is in the buyer's court: the seller's own, never a law's or a platform's.

    Attributes:
        states: of a ticket: `need_info` (a person asked for something), `waiting` (answered, the buyer's turn),
            `waiting_carrier` (a carrier searches).
    """

    states: Annotated[tuple[Literal["need_info", "waiting", "waiting_carrier"], ...], Field(min_length=1)]
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1)] = (Metric.RESOLUTION,)


class PackFile(Record):
    """A pack as its file says it, or as it is after its parents were merged in.

    Attributes:
        effective_from: judges every request filed at or after this instant, until the next version does.
        currency: what amounts in conditions are in; other currencies are converted by `rates`.
        kind: who speaks: a law, a marketplace, or the seller.
        applies: whom a law or a marketplace pack binds.
        sources: where rows were read; each row of a law or marketplace pack names one.
        extends: packs whose rows are added: `id` for the version in force at the time, `id@version` for a fixed one.
        languages: each template must have every one of them.
        authority: the most each role may pay without asking; `automation` is aftersail itself.
        forbidden_links: hosts no reply may link to, their subdomains included; `*` forbids every link.
        pause: which clocks pause and when; without it, here and in the parents, none does.
        reopen: what the clock of the solution does when a ticket is opened again; `resume` where nobody says.
        team_move: what clocks do when a ticket moves to another team; `keep` where nobody says.
        examples: what the pack must decide, for `policy test`; they decide nothing and are no part of its hash.
    """

    id: Name
    version: Annotated[int, Field(strict=True, ge=1)]
    title: Annotated[str, Field(min_length=1)]
    effective_from: Annotated[Instant, BeforeValidator(read_start)]
    currency: CurrencyCode
    kind: SourceKind = SourceKind.OWN
    applies: AppliesRow = AppliesRow()
    sources: dict[Name, SourceEntry] = Field(default_factory=dict)
    rates: Rates | None = None
    extends: tuple[str, ...] = ()
    calendars: dict[Name, CalendarRow] = Field(default_factory=dict)
    tiers: tuple[TierRow, ...] = ()
    targets: tuple[TargetRow, ...] = ()
    windows: tuple[WindowRow, ...] = ()
    exceptions: tuple[ExceptionRow, ...] = ()
    liability: tuple[LiabilityRow, ...] = ()
    costs: tuple[CostRow, ...] = ()
    refund_due: tuple[RefundDueRow, ...] = ()
    routes: tuple[RouteRow, ...] = ()
    remedies: tuple[RemedyRow, ...] = ()
    high_risk: HighRisk | None = None
    rules: tuple[RuleRow, ...] = ()
    default_language: Language = "en"
    languages: Annotated[tuple[Language, ...], Field(min_length=1)] = ("en",)
    templates: dict[Name, dict[Language, TemplateText]] = Field(default_factory=dict)
    authority: dict[Name, Amount] = Field(default_factory=dict)
    forbidden_links: tuple[str, ...] = ()
    pause: PauseRow | None = None
    reopen: Reopen | None = None
    team_move: TeamMove | None = None
    examples: tuple[ExampleRow, ...] = Field(default=(), exclude=True)

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
