"""Triggers that keep the history append-only: a sealed row is never deleted and never changed.

One change is let through: once the salt of a row's hidden values is gone, the values may be blanked. That is how an
erasure works, and `aftersail audit verify` wants to see an erasure behind each such row. Whoever owns the database
can drop a trigger; the triggers stop mistakes, the chain shows the rest.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from aftersail.core.store.engine import is_sqlite

_KEPT: Final = ("id", "at", "kind", "channel", "ticket", "actor", "seq", "hidden", "hash")
"""What stands for ever once a row is sealed."""

_REFUSED: Final = "the history is append-only"

_SQLITE_CHANGED: Final = " OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in _KEPT)
_SQLITE: Final = (
    f"""CREATE TRIGGER IF NOT EXISTS event_kept BEFORE DELETE ON event WHEN OLD.seq IS NOT NULL
    BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END""",
    f"""CREATE TRIGGER IF NOT EXISTS event_unchanged BEFORE UPDATE ON event
    WHEN OLD.seq IS NOT NULL AND (NEW.salt IS NOT NULL OR NEW.digest IS NULL OR {_SQLITE_CHANGED})
    BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END""",
)

_POSTGRES_CHANGED: Final = " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in _KEPT)
_POSTGRES: Final = (
    f"""CREATE OR REPLACE FUNCTION event_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            IF NEW.salt IS NULL AND NEW.digest IS NOT NULL AND NOT ({_POSTGRES_CHANGED}) THEN RETURN NEW; END IF;
        END IF;
        RAISE EXCEPTION '{_REFUSED}';
    END $$""",
    """CREATE OR REPLACE TRIGGER event_kept BEFORE UPDATE OR DELETE ON event FOR EACH ROW
    WHEN (OLD.seq IS NOT NULL) EXECUTE FUNCTION event_append_only()""",
    """CREATE OR REPLACE TRIGGER event_not_emptied BEFORE TRUNCATE ON event
    EXECUTE FUNCTION event_append_only()""",
)


def install(conn: sa.Connection) -> None:
    """Put the triggers in place; those that are there stay."""
    for statement in _SQLITE if is_sqlite(conn) else _POSTGRES:
        conn.exec_driver_sql(statement)
