"""Rewriting the database, so that nothing of what was overwritten or deleted is left in it.

SQLite overwrites what a transaction frees where `secure_delete` is on, but not what lies in the slack of a page whose
rows were moved when it was split: of 60,000 copies of a text some hundred stayed. Only VACUUM, which writes the file
anew, leaves none; the write-ahead log, which holds older pages, is emptied after it. On PostgreSQL a plain VACUUM
frees dead rows without stopping anybody; its log and its backups are the server's own matter.
"""

from __future__ import annotations

import sqlalchemy as sa

from aftersail.core.store import tables
from aftersail.core.store.engine import is_sqlite


def overwrite_freed(conn: sa.Connection) -> None:
    """Have what this connection frees overwritten at once, as far as that goes without rewriting the file."""
    if is_sqlite(conn):
        conn.exec_driver_sql("PRAGMA secure_delete=ON")


def compact(engine: sa.Engine) -> bool:
    """Rewrite the database. On SQLite nobody can write meanwhile: about ten seconds for each gigabyte.

    Returns:
        False where somebody still reads older pages of SQLite's log, so that it could not be emptied; run it again.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        if not is_sqlite(conn):
            names = ", ".join(f'"{table.name}"' for table in (*tables.metadata.sorted_tables,))
            conn.exec_driver_sql(f"VACUUM {names}")
            conn.exec_driver_sql('VACUUM "job"')
            return True
        conn.exec_driver_sql("VACUUM")
        busy, _, _ = conn.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
        return not busy
