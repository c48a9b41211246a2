"""One SQLAlchemy engine for all tables, the desk's own and the job engine's, so that one transaction can hold both.

How transactions begin is the one thing the two databases do not share, and it is settled here:

- A plain connection is for writing. On SQLite its transaction begins with `BEGIN IMMEDIATE`: it owns the write lock
  before it reads, so what it read is still true when it writes, and it can never fail half-way with "database is
  locked". On PostgreSQL it is READ COMMITTED; whoever reads before writing locks the row (`with_for_update`).
- `reading(engine)` is the same engine, the same pool, for looking only. On SQLite its transaction begins with
  `BEGIN DEFERRED`, which takes no write lock: with WAL the desk reads while the daemon writes. On PostgreSQL it is
  REPEATABLE READ READ ONLY. On both, everything read in one transaction is one consistent moment, and a write is
  refused by the database.

The driver's own way (`BEGIN` only before the first INSERT, UPDATE or DELETE) would leave the reads of a transaction
outside of it, so that two workers could both see the same amount left to refund. Only the job engine, which is
written and tested for it, gets it: `driver_begins(engine)`.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy import event

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BUSY_SECONDS: Final = 30
_LOG_PAGES: Final = 1000
"""SQLite's own default."""
_BEGIN: Final = "aftersail_sqlite_begin"
_POSTGRES_DRIVERS: Final = frozenset({"postgres", "postgresql", "postgresql+psycopg"})
_SQLITE_DRIVERS: Final = frozenset({"sqlite", "sqlite+pysqlite"})
_EXAMPLES: Final = "sqlite:///aftersail.db or postgresql://user:password@host/aftersail"


class DatabaseUrlError(ValueError):
    """The database URL cannot be used; the text names the fix and never holds the password."""


def open_engine(url: str, *, durable: bool = True) -> sa.Engine:
    """Open the database, without connecting to it yet.

    Args:
        url: `sqlite:///path/to/file.db`, or `postgresql://user:password@host/name`.
        durable: whether a commit survives a power cut (SQLite `synchronous=FULL`, PostgreSQL `synchronous_commit=on`).
            False may lose the last commits then, never the database; for simulations and tests.

    Raises:
        DatabaseUrlError: the URL is no URL, names another database or driver, or a folder that does not exist.
    """
    parsed = _parse(url)
    if parsed.drivername in _SQLITE_DRIVERS:
        return _open_sqlite(parsed, durable=durable)
    return _open_postgres(parsed.set(drivername="postgresql+psycopg"), durable=durable)


def is_sqlite(engine: sa.Engine | sa.Connection) -> bool:
    """Tell SQLite from PostgreSQL."""
    return engine.dialect.name == "sqlite"


def reading(engine: sa.Engine) -> sa.Engine:
    """Give the same engine for looking only: no write lock, one consistent moment per transaction, writes refused."""
    if is_sqlite(engine):
        return engine.execution_options(**{_BEGIN: "DEFERRED"})
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def driver_begins(engine: sa.Engine) -> sa.Engine:
    """Give the same engine with the SQLite driver's own transactions, for the job engine only."""
    return engine.execution_options(**{_BEGIN: "DRIVER"}) if is_sqlite(engine) else engine


@contextmanager
def begin_unsettled(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Begin a transaction of a large piece of work that can be done again: a power cut may undo it before `settle`.

    On SQLite its commit does not wait for the disk, which at times takes a second, and all the while it would hold the
    lock that others wait for. Nor does it copy the log into the file, as else every so many pages whoever commits does.
    A later commit of anybody makes it last, too: what follows from it is never kept without it.
    """
    with engine.connect() as conn:
        driver: Any = conn.connection.driver_connection if is_sqlite(engine) else None
        if driver:
            (synchronous,) = driver.execute("PRAGMA synchronous").fetchone()
            driver.execute("PRAGMA synchronous=NORMAL")
            driver.execute("PRAGMA wal_autocheckpoint=0")
        try:
            with conn.begin():
                yield conn
        finally:
            if driver:
                driver.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")
                driver.execute(f"PRAGMA synchronous={synchronous}")


def settle(engine: sa.Engine) -> None:
    """Make sure that what is committed lasts, and copy SQLite's log into the file as far as nobody reads it.

    Nobody who reads or writes is held up by it.
    """
    if is_sqlite(engine):
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")
            file = conn.exec_driver_sql("SELECT file FROM pragma_database_list WHERE name = 'main'").scalar_one()
            # SQLite itself hands its log to the disk only where it may copy, or for a commit, which holds the lock.
            with Path(f"{file}-wal").open("r+b") as log:
                os.fsync(log.fileno())


def _parse(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        # The text is not repeated: what cannot be parsed may hold a password anywhere.
        raise DatabaseUrlError(f"the database URL cannot be read; write it like {_EXAMPLES}") from None
    if parsed.drivername not in _SQLITE_DRIVERS | _POSTGRES_DRIVERS:
        raise DatabaseUrlError(f"the database URL begins with {parsed.drivername!r}; write it like {_EXAMPLES}")
    return parsed


def _open_sqlite(url: sa.URL, *, durable: bool) -> sa.Engine:
    if not url.database or ":memory:" in url.database or url.query.get("mode") == "memory":
        raise DatabaseUrlError(
            "the database URL names a SQLite database in memory, which other threads and processes cannot see; "
            "name a file: sqlite:///aftersail.db"
        )
    if not url.database.startswith("file:"):
        path = Path(url.database)
        if path.is_dir():
            raise DatabaseUrlError(f"the database URL names the folder {path}; name a file: sqlite:///{path}/desk.db")
        if not path.parent.is_dir():
            raise DatabaseUrlError(f"the folder of the database does not exist; create it: mkdir -p {path.parent}")
    engine = sa.create_engine(
        url, pool_size=20, max_overflow=20, hide_parameters=True, connect_args={"timeout": _BUSY_SECONDS}
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        _prepare_sqlite(connection, durable=durable)

    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, *, durable: bool) -> None:
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout={_BUSY_SECONDS * 1000}")
    _switch_to_wal(connection)
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
    if sys.version_info >= (3, 12) and sqlite3.sqlite_version_info < (3, 42):
        # dbos 3.4 asks this SQLite for unixepoch('subsec'), which it answers with NULL before 3.42.
        connection.create_function("unixepoch", 1, lambda _modifier: int(time.time() * 1000) / 1000)


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    # The switch needs the file for itself for a moment and does not heed busy_timeout: of two processes that open a
    # new file together, one is turned away although the other is about to make the switch for both.
    deadline = time.monotonic() + _BUSY_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: sa.Connection) -> None:
    driver: Any = connection.connection.dbapi_connection
    options: Mapping[str, Any] = connection.get_execution_options()
    mode = options.get(_BEGIN, "IMMEDIATE")
    looking_only = mode == "DEFERRED"
    if connection.info.get("looking_only", False) is not looking_only:
        driver.execute(f"PRAGMA query_only={'ON' if looking_only else 'OFF'}")
        connection.info["looking_only"] = looking_only
    driver.isolation_level = "IMMEDIATE" if mode == "DRIVER" else None
    if mode != "DRIVER" and options.get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql(f"BEGIN {mode}")


def _open_postgres(url: sa.URL, *, durable: bool) -> sa.Engine:
    if not url.database:
        raise DatabaseUrlError(f"the database URL names no database; write it like {_EXAMPLES}")
    arguments: dict[str, Any] = {} if "application_name" in url.query else {"application_name": "aftersail"}
    if not durable:
        arguments["options"] = "-c synchronous_commit=off"
    return sa.create_engine(
        url, pool_size=20, max_overflow=20, hide_parameters=True, pool_pre_ping=True, connect_args=arguments
    )
