"""Statements for rows by the hundred thousand: compiled once, their values and rows as the driver has them.

So an instant is its microseconds, and JSON is text (`json_text`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql


def json_text(dialect: sa.Dialect, name: str) -> sa.ColumnElement[Any]:
    """Bind a parameter that is JSON text already, for a column of the type `Json`."""
    text = sa.bindparam(name, type_=sa.Text)
    return text if dialect.name == "sqlite" else sa.cast(text, postgresql.JSONB)


def one_of(dialect: sa.Dialect, column: sa.ColumnElement[int], name: str) -> sa.ColumnElement[bool]:
    """Tell whether a column is one of many numbers that are bound as one parameter, as `numbers` makes it."""
    if dialect.name == "sqlite":
        listed = sa.func.json_each(sa.bindparam(name, type_=sa.Text)).table_valued("value")
        return column.in_(sa.select(listed.c.value))
    return column == sa.func.any(sa.bindparam(name, type_=postgresql.ARRAY(sa.BigInteger)))


def numbers(dialect: sa.Dialect, values: Iterable[int]) -> Any:
    """Bring numbers into the form that `one_of` takes."""
    return json.dumps(list(values)) if dialect.name == "sqlite" else list(values)


class Prepared:
    """One such statement.

    Args:
        dialect: the database.
        statement: what to compile.
        order: the parameters as each row for `rows` has them; a driver that takes rows as they are is fastest where the
            statement has them in this order, too.
    """

    def __init__(self, dialect: sa.Dialect, statement: sa.Executable, order: tuple[str, ...] = ()) -> None:
        compiled: Any = statement.compile(dialect=dialect)  # type: ignore[attr-defined]  # every statement has it
        self._text = str(compiled)
        self._order = order
        self._positions: tuple[str, ...] | None = compiled.positiontup and tuple(compiled.positiontup)
        self._constants = {name: value for name, value in compiled.params.items() if value is not None}

    def rows(self, values: Iterable[tuple[Any, ...]]) -> list[Any]:
        """Bring rows into the driver's form: to be done before the transaction begins."""
        if self._positions is None:
            return [dict(zip(self._order, row, strict=True)) for row in values]
        if self._positions == self._order:
            return list(values)
        take = itemgetter(*map(self._order.index, self._positions))
        return [take(row) for row in values]

    def write(self, conn: sa.Connection, rows: list[Any]) -> None:
        """Execute it for every row; they come from `rows`."""
        if rows:
            conn.exec_driver_sql(self._text, rows)

    def fetch(self, conn: sa.Connection, **values: Any) -> list[tuple[Any, ...]]:
        """Execute a query, and read all of it."""
        named = self._constants | values
        bound = named if self._positions is None else tuple(named[name] for name in self._positions)
        with conn.exec_driver_sql(self._text, bound) as result:
            cursor: Any = result.cursor
            return list(cursor.fetchall())
