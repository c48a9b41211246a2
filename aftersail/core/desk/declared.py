"""What the seller says of the goods, of delivery and of the buyers, which no platform tells: parts of the settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, model_validator

from aftersail.core.contract import Money, Record
from aftersail.core.policy.places import COUNTRIES, USUAL_SLIPS
from aftersail.core.policy.values import Amount, Words, refuse

ANYWHERE: Final = "*"
"""Stands for every country that is not named."""

_PROPERTIES: Final = ("categories", "custom", "perishable", "sealed", "digital")
_CATEGORY: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")


def _as_categories(value: object) -> object:
    words = [value] if isinstance(value, str) else value
    for word in words if isinstance(words, list) else ():
        if not isinstance(word, str) or not _CATEGORY.fullmatch(word):
            raise refuse(f"`{word}` is no category", "write it in small letters, digits, `-` and `_`, as in: hygiene")
    return words


def _read_place(value: object) -> object:
    if isinstance(value, str) and value != ANYWHERE and value not in COUNTRIES:
        meant = USUAL_SLIPS.get(value.upper(), value.upper())
        known = f"did you mean {meant}?" if meant in COUNTRIES else "write the two capitals of ISO 3166-1, such as DE"
        raise refuse(f"`{value}` is no country", f'{known} "*" stands for all others')
    return value


class GoodsRow(Record):
    """What is true of some goods; a property that is left out is not known by this row.

    Attributes:
        skus: the seller's article numbers, `*`, `?` and `[…]` as in file names, capitals told apart.
        categories: in the seller's own words; the laws ask for `hygiene`, `media`, `software` and `press`.
        custom: made to the buyer's specification.
        perishable: goes bad or expires soon.
        sealed: loses the right of withdrawal once its seal is broken.
        digital: digital content without a physical carrier.
    """

    skus: Words
    categories: Annotated[tuple[str, ...], BeforeValidator(_as_categories)] | None = None
    custom: bool | None = None
    perishable: bool | None = None
    sealed: bool | None = None
    digital: bool | None = None

    @model_validator(mode="after")
    def _says_something(self) -> GoodsRow:
        if all(getattr(self, name) is None for name in _PROPERTIES):
            raise refuse("the row says nothing of its goods", f"add one of {', '.join(_PROPERTIES)}")
        return self

    def covers(self, sku: str) -> bool:
        """Tell whether the row is about an article number; goods without one are empty, which only `*` means too."""
        return any(fnmatchcase(sku, pattern) for pattern in self.skus)


class Goods(Record):
    """What all rows together say of one article; None where none of them says it."""

    categories: tuple[str, ...] | None = None
    custom: bool | None = None
    perishable: bool | None = None
    sealed: bool | None = None
    digital: bool | None = None


class Delivery(Record):
    """What delivery costs.

    Attributes:
        standard: the cheapest delivery on offer, by country (ISO 3166-1 alpha-2), `*` for all others.
    """

    standard: dict[Annotated[str, BeforeValidator(_read_place)], Amount] = Field(default_factory=dict)

    def cheapest(self, country: str | None) -> Money | None:
        """Return what the cheapest delivery to a country costs; None where nobody said, or the country is unknown."""
        return None if country is None else self.standard.get(country) or self.standard.get(ANYWHERE)


class CustomerRow(Record):
    """What a buyer is worth, by the orders we know of them on the channel.

    Attributes:
        value: the seller's own word, such as `vip`.
        orders: so many at least.
        spent: so much at least, paid and not refunded.
    """

    value: Annotated[str, Field(min_length=1, max_length=64)]
    orders: Annotated[int, Field(ge=1)] | None = None
    spent: Amount | None = None

    def fits(self, orders: int, spent: Mapping[str, Money]) -> bool | None:
        """Tell whether a buyer is meant; None where some of their orders are in another currency than `spent`.

        Args:
            orders: how many orders of theirs we know.
            spent: what they came to, by currency.
        """
        if self.orders is not None and orders < self.orders:
            return False
        if self.spent is None:
            return True
        sum_ = spent.get(self.spent.currency)
        if sum_ is not None and self.spent <= sum_:
            return True
        return False if spent.keys() <= {self.spent.currency} else None


class Declared(Record):
    """Everything the seller says; what is not said stays unknown, and a person decides."""

    goods: tuple[GoodsRow, ...] = ()
    delivery: Delivery = Delivery()
    customers: tuple[CustomerRow, ...] = ()

    def of(self, sku: str | None) -> Goods:
        """Put together what is said of an article: for each property the first row that is about it and says it."""
        found: dict[str, object] = {}
        for row in self.goods:
            if row.covers(sku or ""):
                said = {name: getattr(row, name) for name in _PROPERTIES}
                found = {**{name: value for name, value in said.items() if value is not None}, **found}
        return Goods.model_validate(found)

    def value_of(self, orders: int, spent: Mapping[str, Money]) -> str | None:
        """Say what a buyer is worth: the first row that fits; None where none does, or nobody can tell."""
        for row in self.customers:
            fits = row.fits(orders, spent)
            if fits is None:
                return None
            if fits:
                return row.value
        return None


NOTHING: Final = Declared()
"""A seller who says nothing."""


def unreached(customers: tuple[CustomerRow, ...]) -> Iterator[int]:
    """Find the rows about customers that come behind one without conditions, which fits everybody."""
    everybody = [index for index, row in enumerate(customers) if row.orders is None and row.spent is None]
    if everybody:
        yield from range(everybody[0] + 1, len(customers))
