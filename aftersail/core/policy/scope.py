"""Whom a row is for: the keys under `when` of targets, windows, costs and their like."""

from __future__ import annotations

from typing import TypeAlias

from pydantic import Field, model_validator

from aftersail.core.contract import Money, Record
from aftersail.core.policy.values import Amount, Claims, Countries, Reasons, Regions, Words, refuse


class AmountBand(Record):
    """Order totals from an amount on, below another one, or between the two.

    Attributes:
        start: the smallest amount that belongs; written `from`.
        below: the smallest amount that does not.
    """

    start: Amount | None = Field(default=None, alias="from")
    below: Amount | None = None

    @model_validator(mode="after")
    def _some(self) -> AmountBand:
        if self.start is None and self.below is None:
            raise refuse("the band has no end", 'write {from: "20.00 USD", below: "50.00 USD"}, or one of them')
        if self.start and self.below:
            if self.start.currency != self.below.currency:
                raise refuse("the ends of the band are of two currencies", f"write both in {self.start.currency}")
            if self.below <= self.start:
                raise refuse("the band is empty", "`below` must be more than `from`")
        return self

    @property
    def currency(self) -> str:
        """What both ends are in."""
        return next(end.currency for end in (self.start, self.below) if end is not None)

    def holds(self, money: Money) -> bool:
        """Tell whether an amount of the band's currency is inside."""
        return not (self.start and money < self.start) and not (self.below and self.below <= money)

    def meets(self, other: AmountBand) -> bool:
        """Tell whether some amount may be inside both; bands of two currencies may always meet."""
        if self.currency != other.currency:
            return True
        starts = [band.start for band in (self, other) if band.start]
        ends = [band.below for band in (self, other) if band.below]
        return all(start < end for start in starts for end in ends)

    def within(self, other: AmountBand) -> bool:
        """Tell whether every amount inside this band is inside the other one too."""
        if self.currency != other.currency:
            return False
        low = other.start is None or (self.start is not None and other.start <= self.start)
        high = other.below is None or (self.below is not None and self.below <= other.below)
        return low and high

    def __str__(self) -> str:
        return " ".join(
            part
            for part in (f"from {self.start}" if self.start else "", f"below {self.below}" if self.below else "")
            if part
        )


Wanted: TypeAlias = "tuple[str, ...] | AmountBand"
"""What a key asks for: one of some words, or an amount inside a band."""


class TargetWhen(Record):
    """Which tickets a row is for. Every key given must match; a row with more keys goes before one with fewer.

    Attributes:
        region: ISO 3166-2 of the buyer's address, such as US-CA.
        category: the categories of the goods; one of them is enough.
        amount: of the order's total.
        customer_value: the seller's own word for the buyer, such as vip.
        claim: how the matter came in, as a message or as a formal case.
    """

    tier: Words | None = None
    channel: Words | None = None
    connector: Words | None = None
    reason: Reasons | None = None
    language: Words | None = None
    country: Countries | None = None
    region: Regions | None = None
    category: Words | None = None
    amount: AmountBand | None = None
    customer_value: Words | None = None
    claim: Claims | None = None

    def keys(self) -> dict[str, Wanted]:
        """Return what is asked for, without the keys that are not."""
        return {key: value for key, value in self if value is not None}

    def __str__(self) -> str:
        return "; ".join(
            f"{key} {value if isinstance(value, AmountBand) else ' or '.join(value)}"
            for key, value in self.keys().items()
        )
