"""What a buyer is entitled to, as law, marketplace and the seller's own offer add up to."""

from __future__ import annotations

from decimal import Decimal

from aftersail.core.clocks import Source
from aftersail.core.contract import Instant, Money, Record
from aftersail.core.policy.reasons import Right
from aftersail.core.policy.rights import Choice, Component, Hold, Party, Remedy, RouteKind


class Ground(Record):
    """The row an answer rests on.

    Attributes:
        row: its id.
        source: the pack it stands in, with its kind.
        page: where it was read; empty for the seller's own word.
    """

    row: str
    source: Source
    page: str = ""

    def __str__(self) -> str:
        return f"{self.source.label}, row {self.row}" + (f", {self.page}" if self.page else "")


class Window(Record):
    """Whether the claim was filed in time.

    Attributes:
        open: None where nobody can tell.
        ends_at: the first instant (UTC) at which it would have been too late; None where that is not known, or never.
        unlimited: it never ends.
        days_left: dates left when the claim was filed, the last one not counted; negative when it was late.
        estimated: a start event that is not known was estimated.
        ground: the row that decided; None where no row gives such a right.
        why: the arithmetic, or why nobody can tell.
    """

    open: bool | None
    ends_at: Instant | None = None
    unlimited: bool = False
    days_left: int | None = None
    estimated: bool = False
    ground: Ground | None = None
    why: str


class Liability(Record):
    """Who answers for the matter; None where nobody can tell."""

    party: Party | None
    ground: Ground | None = None
    why: str = ""


class Share(Record):
    """Who pays one component.

    Attributes:
        payer: None where nobody can tell.
        amount: where it is known.
        percent: for restocking: the share of the price that is kept back.
        estimated: the amount is an estimate; `why` tells the rate, where it was read and when.
    """

    component: Component
    payer: Party | None
    amount: Money | None = None
    percent: Decimal | None = None
    estimated: bool = False
    ground: Ground | None = None
    why: str = ""


class RefundDue(Record):
    """By when money must be back.

    Attributes:
        due_at: the instant (UTC); None while the event it is counted from has not happened, or is not known.
        held: what may be waited for has not come yet; until then the money is not due.
        hold_until: what that is.
    """

    due_at: Instant | None
    held: bool = False
    hold_until: Hold = Hold.NONE
    ground: Ground
    why: str


class Routes(Record):
    """How money goes back, the first way first."""

    order: tuple[RouteKind, ...]
    store_credit_needs_consent: bool
    ground: Ground


class RemedyChoice(Record):
    """Whose choice it is, and among what."""

    choice: Choice
    options: tuple[Remedy, ...]
    ground: Ground


class Entitlement(Record):
    """Everything that follows from the rows about rights.

    Attributes:
        right: what is asked for.
        window: None where no row of the pack speaks of that right.
        liable: None where it has none about liability.
        costs: one per component that some row speaks of.
        refund_due: the earliest of all that apply.
        warnings: rows that nobody has looked up for more than a year, or that nobody verified.
    """

    right: Right
    window: Window | None = None
    liable: Liability | None = None
    costs: tuple[Share, ...] = ()
    refund_due: RefundDue | None = None
    routes: Routes | None = None
    remedies: RemedyChoice | None = None
    warnings: tuple[str, ...] = ()

    def share(self, component: str) -> Share | None:
        """Return who pays a component, or None where no row speaks of it."""
        return next((share for share in self.costs if share.component == component), None)
