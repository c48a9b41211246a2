"""Rows from one database into another, SQLite or PostgreSQL, and the proof that they are the same there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core.store.engine import is_sqlite

_ROWS: Final = 500
_BYTES: Final = 8 << 20
_FEW: Final = 20
"""Rows that are fetched at once where they may hold whole files."""
_MODULUS: Final = 1 << 256


class CopyError(Exception):
    """The rows cannot be copied; the text names the table and the fix."""


@dataclass(frozen=True, kw_only=True)
class Sum:
    """How many rows a table has, and a checksum that does not heed their order: databases sort differently."""

    rows: int
    checksum: str


def copy_table(source: sa.Connection, target: sa.Connection, table: sa.Table, progress: Callable[[int], None]) -> None:
    """Copy all rows of a table, in batches; rows that point into their own table get that in a second pass.

    Args:
        source: a transaction that only reads.
        target: the transaction they go into.
        table: empty in the target.
        progress: told how many rows are there.

    Raises:
        CopyError: the target does not take a row.
    """
    own = [column for column in table.c if any(key.column.table is table for key in column.foreign_keys)]
    done = 0
    pointing: list[dict[str, Any]] = []
    key = list(table.primary_key.columns)
    for batch in _batches(_rows(source, table)):
        rows = batch
        if own:
            pointing += [
                {f"_{each.name}": row[each.name] for each in [*key, *own]}
                for row in batch
                if any(row[each.name] is not None for each in own)
            ]
            rows = [row | {each.name: None for each in own} for row in batch]
        _insert(target, table, rows)
        done += len(rows)
        progress(done)
    if pointing:
        same = sa.and_(*(each == sa.bindparam(f"_{each.name}") for each in key))
        target.execute(
            sa.update(table).where(same).values({each: sa.bindparam(f"_{each.name}") for each in own}), pointing
        )


def _insert(target: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    try:
        target.execute(sa.insert(table), rows)
    except (sa.exc.DataError, sa.exc.IntegrityError, sa.exc.StatementError) as error:
        why = str(getattr(error, "orig", error)).splitlines()[0]
        raise CopyError(f"{table.name}: a row is not taken there: {why}; nothing was copied") from None


def sum_of(conn: sa.Connection, table: sa.Table) -> Sum:
    """Count and sum up a table."""
    rows = total = 0
    for row in _rows(conn, table):
        rows += 1
        text = json.dumps(_even(row), default=_plain, sort_keys=True, ensure_ascii=False)
        total += int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    return Sum(rows=rows, checksum=f"{total % _MODULUS:064x}")


def set_sequences(conn: sa.Connection, tables: Iterable[sa.Table]) -> None:
    """Let new rows be numbered behind the copied ones; SQLite does so by itself."""
    if is_sqlite(conn):
        return
    for table in tables:
        column = table.autoincrement_column
        if column is None:
            continue
        sequence = conn.scalar(sa.select(sa.func.pg_get_serial_sequence(table.name, column.name)))
        newest = conn.scalar(sa.select(sa.func.max(column)))
        if sequence is not None and newest is not None:
            conn.execute(sa.select(sa.func.setval(sequence, newest)))


def _rows(conn: sa.Connection, table: sa.Table) -> Iterator[dict[str, Any]]:
    holds_files = any(isinstance(column.type, sa.LargeBinary) for column in table.c)
    options = {"yield_per": _FEW if holds_files else _ROWS}
    result = conn.execute(sa.select(table), execution_options=options)
    for row in result.mappings():
        yield dict(row)


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += sum(len(value) for value in row.values() if isinstance(value, bytes | str))
        if len(batch) >= _ROWS or size >= _BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _even(value: object) -> object:
    """Write whole numbers one way: PostgreSQL gives back 1e16 as 10000000000000000."""
    if isinstance(value, dict):
        return {key: _even(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_even(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _plain(value: object) -> object:
    """Write a value down so that equal ones are equal texts, whichever database they come from."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value.normalize())
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    raise TypeError(f"a column holds {type(value).__name__}, which has no checksum")
