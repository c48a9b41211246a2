"""Writes that mean the same on both databases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite


def _insert(conn: sa.Connection, table: sa.Table) -> Any:
    return (sqlite if conn.dialect.name == "sqlite" else postgresql).insert(table)


def upsert(
    conn: sa.Connection,
    table: sa.Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    key: Sequence[str],
    newer: str | None = None,
) -> int:
    """Insert rows, or update those whose key is there.

    `key` names the columns of a unique constraint, each at most once among the rows; `newer` names a column that must
    have grown for an update to happen, None updates always.

    Returns:
        how many rows are new or changed.
    """
    if not rows:
        return 0
    statement = _insert(conn, table)
    changed = {name: statement.excluded[name] for name in rows[0] if name not in key}
    where = statement.excluded[newer] > table.c[newer] if newer else None
    statement = statement.on_conflict_do_update(index_elements=list(key), set_=changed, where=where)
    return len(conn.execute(statement.returning(*table.primary_key.columns), list(rows)).all())


def insert_once(conn: sa.Connection, table: sa.Table, row: Mapping[str, Any], *, key: Sequence[str]) -> bool:
    """Insert a row unless one with the same key is there; tell whether it is new."""
    statement = _insert(conn, table).values(**row).on_conflict_do_nothing(index_elements=list(key))
    return conn.execute(statement.returning(*table.primary_key.columns)).first() is not None
