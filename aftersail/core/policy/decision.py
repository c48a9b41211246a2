"""What a policy decides, and the trace of why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from aftersail.core.clocks import Target
from aftersail.core.contract import Instant, Record
from aftersail.core.policy.entitlement import Entitlement
from aftersail.core.policy.expressions import ClauseResult, Outcome
from aftersail.core.policy.planned import AskPerson, PlannedAction, PlannedRefund, PlannedReply


@dataclass(frozen=True, slots=True)
class RowTrace:
    """One row of the pack as it came out. No `Record`, since a decision makes hundreds of them.

    Attributes:
        section: the part of the pack it stands in; `pack` for all rows of a pack that does not bind here.
        where: file and line.
        clauses: the clauses that decided it.
        notes: what became of it where that is not plain.
        pack: the pack it stands in, as `id@version`, where that is not plain.
        source: where it was read and when, for a row of a law or a marketplace.
    """

    section: Literal[
        "tier", "target", "rule", "pack", "window", "exception", "liability", "cost", "refund_due", "route", "remedy"
    ]
    row: str
    where: str
    outcome: Outcome
    clauses: tuple[ClauseResult, ...] = ()
    notes: tuple[str, ...] = ()
    pack: str = ""
    source: str = ""


class Trace(Record):
    """Why a decision came out as it did.

    Attributes:
        facts: every fact that was known, as a person reads it.
        missing: why a fact is not known, where there is more to say than that.
        money: every conversion and share, as arithmetic.
    """

    parents: tuple[str, ...] = ()
    facts: dict[str, str] = Field(default_factory=dict)
    missing: dict[str, str] = Field(default_factory=dict)
    rows: tuple[RowTrace, ...] = ()
    money: tuple[str, ...] = ()

    def with_outcome(self, outcome: Outcome) -> tuple[RowTrace, ...]:
        """Return the rows that came out so: those that matched, those that were rejected, those nobody can tell."""
        return tuple(row for row in self.rows if row.outcome is outcome)


class Decision(Record):
    """What one version of a pack says about one ticket at one instant. Equal arguments give equal decisions.

    Attributes:
        at: the instant it was made for (UTC), as the caller gave it.
        tier: None where no row of the grading table holds.
        targets: the promises that now run, of every source.
        summary: one line of why.
        entitlement: what law, marketplace and the seller's offer add up to; None where nothing is claimed, or the pack
            has no rows about that.
    """

    pack_id: str
    pack_version: int
    pack_hash: str
    at: Instant
    tier: str | None
    targets: tuple[Target, ...]
    actions: tuple[PlannedAction, ...]
    summary: str
    entitlement: Entitlement | None = None
    trace: Trace

    @property
    def refund(self) -> PlannedRefund | None:
        """The refund that is planned, if any."""
        return next((action for action in self.actions if isinstance(action, PlannedRefund)), None)

    @property
    def reply(self) -> PlannedReply | None:
        """The reply that is planned, if any."""
        return next((action for action in self.actions if isinstance(action, PlannedReply)), None)

    @property
    def asks(self) -> tuple[AskPerson, ...]:
        """What a person has to decide."""
        return tuple(action for action in self.actions if isinstance(action, AskPerson))
