"""Money: exact decimals that know their currency."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated

from pydantic import Field, field_validator

from aftersail.core.contract.base import Record

# ISO 4217, checked 2026-11-22: every active currency whose minor unit is not 1/100.
_EXPONENTS = {
    **dict.fromkeys(
        (
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    "CLF": 4,
    "UYW": 4,
}

CurrencyCode = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
"""An ISO 4217 code in capitals, such as `USD`."""


def exponent(currency: str) -> int:
    """Tell how many decimals the currency's smallest unit has (ISO 4217): 2 for USD, 0 for JPY, 3 for KWD."""
    return _EXPONENTS.get(currency, 2)


class CurrencyMismatchError(ValueError):
    """Two amounts of different currencies were added or compared; the caller must convert first."""


class Money(Record):
    """An exact amount in one currency.

    A float is refused: `0.1 + 0.2` is not `0.3`, and a refund must be. An amount finer than the currency's smallest
    unit is refused too, since no platform could pay it.
    """

    amount: Decimal
    currency: CurrencyCode

    @field_validator("amount", mode="before")
    @classmethod
    def _no_float(cls, value: object) -> object:
        if isinstance(value, float):
            raise ValueError("a float cannot hold money exactly; give a string or a Decimal")  # noqa: TRY004 - pydantic reports ValueError
        return value

    @field_validator("amount")
    @classmethod
    def _finite(cls, value: Decimal) -> Decimal:
        if not value.is_finite():
            raise ValueError("an amount must be a finite number")
        return value

    @classmethod
    def of(cls, amount: str | int | Decimal, currency: str) -> Money:
        """Build an amount, padded to the currency's smallest unit.

        Raises:
            ValueError: the amount is finer than the smallest unit, or no number, or the code is no currency code.
        """
        parsed = Money(amount=Decimal(amount), currency=currency)
        padded = parsed.rounded()
        if padded.amount != parsed.amount:
            raise ValueError(f"{amount} is finer than the smallest unit of {currency}")
        return padded

    def rounded(self) -> Money:
        """Round to the currency's smallest unit, half up, as receipts do."""
        unit = Decimal(1).scaleb(-exponent(self.currency))
        return Money(amount=self.amount.quantize(unit, rounding=ROUND_HALF_UP), currency=self.currency)

    def share(self, percent: Decimal) -> Money:
        """Take `percent` of the amount, rounded half up to the smallest unit: 50 % of 19.99 USD is 10.00 USD."""
        return Money(amount=self.amount * percent / 100, currency=self.currency).rounded()

    def _other(self, other: Money) -> Decimal:
        if other.currency != self.currency:
            raise CurrencyMismatchError(f"{self} and {other} are of different currencies")
        return other.amount

    def __add__(self, other: Money) -> Money:
        return Money(amount=self.amount + self._other(other), currency=self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(amount=self.amount - self._other(other), currency=self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.amount < self._other(other)

    def __le__(self, other: Money) -> bool:
        return self.amount <= self._other(other)

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"
