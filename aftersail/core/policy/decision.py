"""What a policy decides, and the trace of why."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from aftersail.core.clocks import Target
from aftersail.core.contract import Instant, Money, Record
from aftersail.core.policy.expressions import ClauseResult, Outcome


class PlannedRefund(Record):
    """Money the pack wants to give back without asking anybody.

    Attributes:
        rule: the rule that says so.
        amount: in the currency of the claim.
        percent: the share of the claim; None where the rule names a fixed amount.
        why: the arithmetic, for a person.
    """

    kind: Literal["refund"] = "refund"
    rule: str
    amount: Money
    percent: Decimal | None = None
    why: str


class PlannedReply(Record):
    """An answer the pack wants to send without asking anybody."""

    kind: Literal["reply"] = "reply"
    rule: str
    template: str


class AskPerson(Record):
    """What a person has to decide.

    Attributes:
        rule: the rule, or the rules with commas between, that led here; `tier ...` for a row of the grading table.
        proposed: the refund that would have been planned, capped at what is left; a person may approve it.
    """

    kind: Literal["ask_person"] = "ask_person"
    rule: str
    why: str
    proposed: PlannedRefund | None = None


class Flag(Record):
    """A mark for people to see, such as `high-risk`."""

    kind: Literal["flag"] = "flag"
    rule: str
    name: str


class Tag(Record):
    """A label on the ticket."""

    kind: Literal["tag"] = "tag"
    rule: str
    name: str


PlannedAction: TypeAlias = Annotated[PlannedRefund | PlannedReply | AskPerson | Flag | Tag, Field(discriminator="kind")]


class RowTrace(Record):
    """One row of the pack as it came out.

    Attributes:
        section: `tier`, `target` or `rule`.
        where: file and line.
        clauses: the clauses that decided it.
        notes: what became of its actions where that is not plain.
    """

    section: Literal["tier", "target", "rule"]
    row: str
    where: str
    outcome: Outcome
    clauses: tuple[ClauseResult, ...] = ()
    notes: tuple[str, ...] = ()


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
    """

    pack_id: str
    pack_version: int
    pack_hash: str
    at: Instant
    tier: str | None
    targets: tuple[Target, ...]
    actions: tuple[PlannedAction, ...]
    summary: str
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
