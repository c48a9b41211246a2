"""What a clock is to measure: metric, basis, length, and who says so."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Self

from pydantic import model_validator

from aftersail.core.contract import Instant, Record

_DAY = timedelta(days=1)


class Metric(StrEnum):
    """What is timed."""

    FIRST_RESPONSE = "first_response"
    NEXT_RESPONSE = "next_response"
    RESOLUTION = "resolution"
    REFUND_PAID = "refund_paid"
    RETURN_ANSWERED = "return_answered"
    APPEAL_ANSWERED = "appeal_answered"
    PLATFORM_DEADLINE = "platform_deadline"


class Basis(StrEnum):
    """How time is counted."""

    ELAPSED = "elapsed"
    """Physical time: 24 hours are 24 hours, on weekends and when the clocks change."""
    BUSINESS_TIME = "business_time"
    """Time during which the calendar is open."""
    BUSINESS_DAYS = "business_days"
    """Until the end of the n-th business day after the start; the day of the start does not count."""
    CALENDAR_DAYS = "calendar_days"
    """Until the end of the n-th date after the start, in the calendar's zone; the day of the start does not count."""


DAY_BASES = frozenset({Basis.BUSINESS_DAYS, Basis.CALENDAR_DAYS})


class SourceKind(StrEnum):
    """Who demands it, from what cannot be bargained with to what the seller chose."""

    LAW = "law"
    MARKETPLACE = "marketplace"
    OWN = "own"


class Source(Record):
    """Who demands it, by name."""

    kind: SourceKind
    name: str

    @property
    def label(self) -> str:
        """The name with its kind before it, as people read it: `marketplace: amazon`."""
        return self.name if self.name.startswith(f"{self.kind}:") else f"{self.kind}: {self.name}"


class Target(Record):
    """One thing to be done in time, as a policy pack's row sets it."""

    metric: Metric
    duration: timedelta
    """With a basis of days, that many whole days."""
    basis: Basis
    calendar: str | None = None
    """A calendar's id; every basis but elapsed needs one."""
    warn_lead: timedelta | None = None
    """How long before the due instant the warning comes; None for no warning."""
    warn_basis: Basis | None = None
    """Elapsed or business time; None for the target's own basis, and for elapsed where that one counts days."""
    source: Source
    effect: str = "metric"
    """What an expiry sets off beyond being counted; the policy's word."""
    row: str = ""
    """The pack's row it came from."""
    start_at: Instant | None = None
    """The event it is counted from (UTC), where that is another one than the one that starts the other clocks."""
    hold: str | None = None
    """What may be waited for, in words, such as `the goods`: it is not due before that has come; None for nothing."""
    released_at: Instant | None = None
    """When that came (UTC); None while it has not."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.duration <= timedelta():
            raise ValueError(f"a target of {self.duration} is over when it begins; give it some time")
        if self.basis in DAY_BASES and self.duration % _DAY:
            raise ValueError(f"{self.basis} counts whole days, {self.duration} is not; use business_time for hours")
        if self.warn_lead is not None and self.warn_lead <= timedelta():
            raise ValueError(f"a warning lead of {self.warn_lead} warns too late; make it longer or leave it out")
        if self.warn_basis in DAY_BASES:
            raise ValueError(f"warn_basis cannot be {self.warn_basis}; use elapsed or business_time")
        if self.calendar is None and not {self.basis, self.lead_basis} <= {Basis.ELAPSED}:
            raise ValueError(f"{self.basis} with a warning in {self.lead_basis} needs a calendar; name one")
        return self

    @property
    def days(self) -> int:
        """The whole days of a target that counts days."""
        return self.duration // _DAY

    @property
    def lead_basis(self) -> Basis:
        """What the warning lead is counted in."""
        return self.warn_basis or (Basis.BUSINESS_TIME if self.basis is Basis.BUSINESS_TIME else Basis.ELAPSED)
