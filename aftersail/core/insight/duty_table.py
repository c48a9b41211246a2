"""The table of duty and import tax rates: what a row says, and where it was read.

It stands here and not among the packs because an estimate decides nothing: no pack extends it, and no rule may read it.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from aftersail.core.contract import Money, Record
from aftersail.core.policy.document import read_document
from aftersail.core.policy.problems import PackError

SHIPPED: Final = Path(__file__).parent / "duties.yaml"

FRESH: Final = timedelta(days=366)
"""How long after it was checked a source counts as fresh."""

Component = Literal["duty", "tax"]
Part = Literal["value", "freight", "duty"]
Via = Literal["courier", "post"]
Code = Annotated[str, Field(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")]
"""A country (ISO 3166-1 alpha-2), a subdivision of one (ISO 3166-2), or a union of the table."""


def read_money(value: object) -> object:
    """Read `10.00 EUR`.

    Raises:
        ValueError: that is no amount with a currency.
    """
    if not isinstance(value, str):
        return value
    amount, _, currency = value.strip().partition(" ")
    try:
        return Money.of(Decimal(amount), currency.strip())
    except (InvalidOperation, ValueError):
        raise ValueError(f"{value!r} is no amount of money; write it as 10.00 EUR") from None


Amount = Annotated[Money, BeforeValidator(read_money)]
Percent = Annotated[Decimal, Field(ge=0, le=1000)]


class DutySource(Record):
    """Where a row was read.

    Attributes:
        verified: whether the official source says all of the row; else it was read elsewhere, or only in part.
    """

    page: str
    url: str
    checked_on: date
    verified: bool

    def stale(self, on: date) -> bool:
        """Tell whether it was checked too long ago."""
        return on - self.checked_on > FRESH


class _Row(Record):
    """What all rows have in common.

    Attributes:
        to: where it holds; a union stands for its members.
        since: first day it holds; None for always.
        until: last day it holds; None for until further notice.
        source: key of the source.
    """

    id: str
    to: tuple[Code, ...] = Field(min_length=1)
    since: date | None = None
    until: date | None = None
    source: str

    def holds(self, on: date) -> bool:
        """Tell whether the row is in force on a day."""
        return (self.since is None or self.since <= on) and (self.until is None or on <= self.until)


class Relief(_Row):
    """Consignments of little value.

    Attributes:
        applies: what they are free of, or pay the flat amount for.
        up_to: the highest value it holds for, inclusive.
        measured: what is compared: the goods' own value, or with freight (`cif`).
        flat: what is due for each kind of goods instead of a rate; None where nothing is.
        origins: countries it is shipped from; empty for any.
        via: how it comes; None where that does not matter.
    """

    applies: tuple[Component, ...] = Field(min_length=1)
    up_to: Amount
    measured: Literal["value", "cif"] = "value"
    flat: Amount | None = None
    origins: tuple[Code, ...] = ()
    via: Via | None = None

    @model_validator(mode="after")
    def _flat_is_duty(self) -> Self:
        if self.flat is not None and self.applies != ("duty",):
            raise ValueError("a flat amount stands for duty only; write applies: [duty]")
        return self


class DutyRate(_Row):
    """A rate of duty.

    Attributes:
        hs: beginning of the Harmonized System code, two digits for a chapter.
        percent: of `base`.
    """

    hs: Annotated[str, Field(pattern=r"^\d{2}(\d{2}){0,4}$")]
    percent: Percent
    base: tuple[Part, ...] = ("value", "freight")


class TaxRate(_Row):
    """A rate of import tax: value added tax, or goods and services tax."""

    percent: Percent
    base: tuple[Part, ...] = Field(min_length=1)


class DutyTable(Record):
    """All rows."""

    version: int
    unions: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    sources: dict[str, DutySource]
    reliefs: tuple[Relief, ...] = ()
    duties: tuple[DutyRate, ...] = ()
    taxes: tuple[TaxRate, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        rows = (*self.reliefs, *self.duties, *self.taxes)
        ids = [row.id for row in rows]
        twice = sorted({each for each in ids if ids.count(each) > 1})
        if twice:
            raise ValueError(f"two rows are called {twice[0]!r}")
        lost = [f"{row.id} names the source {row.source!r}" for row in rows if row.source not in self.sources]
        if lost:
            raise ValueError(f"{lost[0]}, which is not there")
        return self

    def places(self, country: str, region: str | None) -> tuple[str, ...]:
        """Name what a row may call a destination, the narrowest first."""
        unions = (name for name, members in self.unions.items() if country in members)
        return (*([region] if region else []), country, *unions)

    def one_customs_area(self, first: str, second: str) -> bool:
        """Tell whether nothing is imported on the way between two countries."""
        return first == second or any(first in members and second in members for members in self.unions.values())


def load_duty_table(path: Path = SHIPPED) -> DutyTable:
    """Read a table.

    Raises:
        PackError: it is no YAML or says what no row can say; with file, line and column.
        OSError: it cannot be read.
    """
    document = read_document(path.read_bytes(), str(path))
    try:
        return DutyTable.model_validate(document.data)
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise PackError(document.problem(tuple(each["loc"]), each["msg"]) for each in found) from None
