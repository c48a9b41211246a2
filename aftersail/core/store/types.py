"""Column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SCALE = 4  # the finest minor unit in ISO 4217 has four decimals (CLF, UYW)


class Instant(sa.types.TypeDecorator[datetime]):
    """A point in time as whole microseconds since 1970 UTC: exact, ordered, the same on every database."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        """Refuse a naive value, since nobody could say later which zone it meant."""
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return micros(value)

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:
        """Return UTC."""
        del dialect
        return None if value is None else instant(value)


def micros(value: datetime) -> int:
    """Return what an instant is stored as."""
    return (value - _EPOCH) // _MICROSECOND


def instant(value: int) -> datetime:
    """Return what a stored instant means, in UTC."""
    return _EPOCH + timedelta(microseconds=value)


class Amount(sa.types.TypeDecorator[Decimal]):
    """An exact amount as whole ten-thousandths, so that the database itself can add up one currency exactly."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: sa.Dialect) -> int | None:
        """Refuse what is finer than any currency."""
        del dialect
        if value is None:
            return None
        scaled = value.scaleb(_SCALE)
        if scaled != scaled.to_integral_value():
            raise ValueError(f"{value} is finer than a ten-thousandth")
        return int(scaled)

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> Decimal | None:
        """Return the amount with four decimals at most."""
        del dialect
        return None if value is None else Decimal(value).scaleb(-_SCALE)


Key = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""A number the database gives out; SQLite does so only for INTEGER."""

Json: sa.types.TypeEngine[Any] = sa.JSON(none_as_null=True).with_variant(
    postgresql.JSONB(none_as_null=True), "postgresql"
)
"""A JSON document."""
