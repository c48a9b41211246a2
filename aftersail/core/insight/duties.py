"""Estimates duty and import tax of one kind of goods: pure, from a table of rates, with every source shown.

An estimate is no decision: nothing is paid by it, and what the table does not know is said and never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

from aftersail.core.contract import Money, Record
from aftersail.core.insight.duty_table import Component, DutyRate, DutySource, DutyTable, Part, Relief, TaxRate, Via

RowT = TypeVar("RowT", Relief, DutyRate, TaxRate)

Convert = Callable[[Money, str], Money | None]
"""Gives an amount in another currency; None where there is no rate."""


class Goods(Record):
    """One order line that crosses a border.

    Attributes:
        to: country it goes to (ISO 3166-1 alpha-2).
        region: its subdivision (ISO 3166-2), where the tax depends on it.
        shipped_from: country it is shipped from; not where it was made.
        hs: Harmonized System code, digits only; None where nobody has classified it.
        value: what was paid for the line.
        freight: its part of transport and insurance, in the same currency; None for nothing.
        consignment: value of all goods of the parcel; None where this line is all of it.
    """

    to: str
    region: str | None = None
    shipped_from: str
    hs: str | None = None
    value: Money
    freight: Money | None = None
    consignment: Money | None = None
    via: Via | None = None


class UsedRow(Record):
    """A row of the table that was used, with its rate and where it was read."""

    row: str
    rate: str
    source: DutySource


class DutyEstimate(Record):
    """What customs would ask.

    Attributes:
        duty: None where it is not known.
        tax: import tax; None where it is not known.
        total: None unless both are known.
        payer: who bears it: the party that is liable for the return, as it was given.
        used: the rows, each with rate, source and the day it was checked.
        steps: the arithmetic, one line each.
        unknown: what could not be told and why.
        certain: whether everything is known from verified sources that were checked within a year.
    """

    duty: Money | None
    tax: Money | None
    total: Money | None
    payer: str
    used: tuple[UsedRow, ...]
    steps: tuple[str, ...]
    unknown: tuple[str, ...]
    certain: bool


@dataclass
class _Work:
    """What an estimate has come to so far."""

    table: DutyTable
    goods: Goods
    on: date
    convert: Convert
    used: list[UsedRow] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def use(self, row: Relief | DutyRate | TaxRate, rate: str) -> None:
        self.used.append(UsedRow(row=row.id, rate=rate, source=self.table.sources[row.source]))

    def part(self, name: Part, duty: Money | None) -> Money | None:
        return {"value": self.goods.value, "freight": self.goods.freight or self.nothing, "duty": duty}[name]

    @property
    def nothing(self) -> Money:
        return Money.of(0, self.goods.value.currency)

    def converted(self, amount: Money) -> Money | None:
        currency = self.goods.value.currency
        return amount if amount.currency == currency else self.convert(amount, currency)


def estimate(
    table: DutyTable, goods: Goods, *, on: date, payer: str, convert: Convert = lambda _amount, _currency: None
) -> DutyEstimate:
    """Estimate duty and import tax.

    Args:
        table: the rates.
        goods: what crosses the border.
        on: the day of import.
        payer: the party that is liable: duties follow fault.
        convert: rates of exchange, for limits in another currency than the goods'.

    Raises:
        CurrencyMismatchError: freight or consignment are in another currency than the goods.
    """
    work = _Work(table=table, goods=goods, on=on, convert=convert)
    duty: Money | None = work.nothing
    tax: Money | None = work.nothing
    if table.one_customs_area(goods.shipped_from, goods.to):
        work.steps.append(f"nothing is imported on the way from {goods.shipped_from} to {goods.to}")
    else:
        duty = _duty(work)
        tax = _tax(work, duty)
    fresh = all(row.source.verified and not row.source.stale(on) for row in work.used)
    return DutyEstimate(
        duty=duty,
        tax=tax,
        total=duty + tax if duty is not None and tax is not None else None,
        payer=payer,
        used=tuple(work.used),
        steps=tuple(work.steps),
        unknown=tuple(work.unknown),
        certain=fresh and not work.unknown,
    )


def _duty(work: _Work) -> Money | None:
    known = len(work.unknown)
    relief = _relief(work, "duty")
    if relief is not None:
        return _relieved(work, relief, "duty")
    if len(work.unknown) > known:
        return None
    rate = _duty_rate(work)
    if rate is None:
        goods = work.goods
        what = f"HS {goods.hs}" if goods.hs else "goods without an HS code"
        work.unknown.append(f"no rate of duty into {goods.to} is known for {what}")
        return None
    return _percentage(work, rate, "duty", None)


def _tax(work: _Work, duty: Money | None) -> Money | None:
    known = len(work.unknown)
    relief = _relief(work, "tax")
    if relief is not None:
        return _relieved(work, relief, "tax")
    if len(work.unknown) > known:
        return None
    rate = next(iter(_nearest(work, work.table.taxes)), None)
    if rate is None:
        work.unknown.append(f"no import tax of {work.goods.region or work.goods.to} is known")
        return None
    if "duty" in rate.base and duty is None:
        work.unknown.append("the import tax is taken of the duty too, which is not known")
        return None
    return _percentage(work, rate, "import tax", duty)


def _percentage(work: _Work, rate: DutyRate | TaxRate, name: str, duty: Money | None) -> Money:
    base = work.nothing
    for part in rate.base:
        base += work.part(part, duty) or work.nothing
    amount = base.share(rate.percent)
    work.use(rate, f"{rate.percent.normalize():f} %")
    work.steps.append(f"{name}: {rate.percent.normalize():f} % of {base} ({' + '.join(rate.base)}) = {amount}")
    return amount


def _relieved(work: _Work, relief: Relief, component: Component) -> Money | None:
    if relief.flat is None:
        work.use(relief, f"free up to {relief.up_to}")
        work.steps.append(f"{component}: free, the consignment is worth no more than {relief.up_to}")
        return work.nothing
    amount = work.converted(relief.flat)
    work.use(relief, f"{relief.flat} a kind of goods up to {relief.up_to}")
    if amount is None:
        work.unknown.append(f"there is no rate from {relief.flat.currency} to {work.goods.value.currency}")
        return None
    work.steps.append(f"{component}: {relief.flat} for each kind of goods, up to {relief.up_to} = {amount}")
    return amount


def _relief(work: _Work, component: Component) -> Relief | None:
    """Find the relief that holds, the narrowest first; of two as narrow the one with the lower limit."""
    goods = work.goods
    fitting = [
        relief
        for relief in _nearest(work, work.table.reliefs)
        if component in relief.applies
        and (not relief.origins or goods.shipped_from in relief.origins)
        and (relief.via is None or relief.via == goods.via)
    ]
    undecided: list[str] = []
    for relief in sorted(fitting, key=lambda row: (row.via is None, not row.origins, row.up_to.amount)):
        limit = work.converted(relief.up_to)
        if limit is None:
            missing = f"there is no rate from {relief.up_to.currency} to {goods.value.currency}"
            undecided.append(f"{missing}, so nobody can tell whether {relief.id} frees it of {component}")
            continue
        whole = goods.consignment or goods.value
        measured = whole + goods.freight if relief.measured == "cif" and goods.freight is not None else whole
        if measured <= limit:
            return relief
    work.unknown += undecided
    return None


def _duty_rate(work: _Work) -> DutyRate | None:
    code = work.goods.hs or ""
    fitting = [rate for rate in _nearest(work, work.table.duties) if code.startswith(rate.hs)]
    return max(fitting, key=lambda rate: len(rate.hs), default=None)


def _nearest(work: _Work, rows: Iterable[RowT]) -> list[RowT]:
    """List the rows in force for the destination, region before country before union."""
    places = work.table.places(work.goods.to, work.goods.region)
    ranked = [
        (min(places.index(place) for place in row.to if place in places), row)
        for row in rows
        if row.holds(work.on) and set(row.to) & set(places)
    ]
    return [row for _, row in sorted(ranked, key=lambda pair: pair[0])]
