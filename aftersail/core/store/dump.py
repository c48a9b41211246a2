"""The whole database into one file and back: SQLite by its online backup, PostgreSQL by its own tools."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core.store.engine import is_sqlite, reading

Progress = Callable[[int, int], None]
"""How much is done, of how much."""

_PAGES: Final = 2048
_DUMP: Final = ("pg_dump", "--format=custom", "--no-owner", "--no-privileges")
_RESTORE: Final = ("pg_restore", "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction")
_REPLACE: Final = ("--clean", "--if-exists")
_VERSION: Final = re.compile(r"\) (\d+)")


class DumpError(Exception):
    """The database cannot be written into a file or read from one; the text says why and what to run instead."""


def dump(engine: sa.Engine, tables: Mapping[str, sa.Table], path: Path, progress: Progress) -> dict[str, int]:
    """Write the database as it stands at one instant, while others go on writing to it.

    Args:
        engine: the database.
        tables: whose rows are counted, where the database has them.
        path: a file that is not there yet.
        progress: told of SQLite's pages; PostgreSQL's tool says nothing while it works.

    Returns:
        rows by table, at that same instant.

    Raises:
        DumpError: PostgreSQL's tool is not there, is too old, or failed.
    """
    with reading(engine).connect() as conn:
        if is_sqlite(engine):
            counts = count_rows(conn, tables)
            _copy_sqlite(conn, path, progress)
        else:
            snapshot = conn.scalar(sa.text("SELECT pg_export_snapshot()"))
            counts = count_rows(conn, tables)
            tool = _tool(_DUMP, engine, path)
            _run([*tool, f"--snapshot={snapshot}", f"--file={path}", f"--dbname={_address(engine)}"], engine)
    return counts


def count_rows(conn: sa.Connection, tables: Mapping[str, sa.Table]) -> dict[str, int]:
    """Count the rows of those tables that the database has."""
    there = set(sa.inspect(conn).get_table_names())
    return {
        name: conn.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
        for name, table in sorted(tables.items())
        if name in there
    }


def _copy_sqlite(conn: sa.Connection, path: Path, progress: Progress) -> None:
    # The transaction is open and has read: each step copies what it sees, so that no writer makes it begin again.
    source: Any = conn.connection.dbapi_connection
    with closing(sqlite3.connect(path)) as target:
        source.backup(target, pages=_PAGES, progress=lambda _, left, total: progress(total - left, total))
        target.execute("PRAGMA journal_mode=DELETE")  # one file, without a journal beside it


def check_sqlite(path: Path) -> None:
    """Make sure that a file is a sound SQLite database.

    Raises:
        DumpError: it is not.
    """
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as conn:
            said = [row[0] for row in conn.execute("PRAGMA integrity_check")]
            broken = conn.execute("PRAGMA foreign_key_check").fetchall()
    except sqlite3.DatabaseError as error:
        raise DumpError(f"its database cannot be read: {error}; take another one") from None
    if said != ["ok"]:
        raise DumpError(f"its database is damaged: {said[0]}; take another one")
    if broken:
        raise DumpError(f"its database is damaged: rows of {broken[0][0]} point nowhere; take another one")


def load_postgres(engine: sa.Engine, path: Path, *, replace: bool) -> None:
    """Read a dump into a PostgreSQL database, whole or not at all.

    Args:
        engine: the database.
        path: the dump.
        replace: drop what it holds first; else it must be empty.

    Raises:
        DumpError: the tool is not there, is too old, or failed.
    """
    tool = _tool(_RESTORE, engine, path)
    _run([*tool, *(_REPLACE if replace else ()), f"--dbname={_address(engine)}", str(path)], engine)


def holds_tables(engine: sa.Engine) -> bool:
    """Tell whether the database is more than an empty one."""
    with reading(engine).connect() as conn:
        return bool(sa.inspect(conn).get_table_names())


def _address(engine: sa.Engine) -> str:
    """The URL without its password, which other users of the machine would see among a command's arguments."""
    return engine.url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)


def _tool(command: tuple[str, ...], engine: sa.Engine, path: Path) -> tuple[str, ...]:
    """The command, once its program is there and as new as the server."""
    with engine.connect() as conn:
        server = int(conn.execute(sa.text("SHOW server_version_num")).scalar_one()) // 10000
    name, *options = command
    program = shutil.which(name)
    if program is not None:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603 - found on PATH by its fixed name
        version = _VERSION.search(said)
        if version is not None and int(version[1]) >= server:
            return (program, *options)
    where = f"is PostgreSQL {version[1]}'s" if program and version else "is not on the PATH"
    file = f"--file={path.name}" if command is _DUMP else path.name
    by_hand = shlex.join([name, *options, f"--dbname={_address(engine)}", file])
    raise DumpError(
        f"{name} {where}, and the server is PostgreSQL {server}; install its client programs, or run where they are:"
        f" {by_hand}"
    )


def _run(command: list[str], engine: sa.Engine) -> None:
    password = {"PGPASSWORD": str(engine.url.password)} if engine.url.password else {}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **password})  # noqa: S603 - no shell; program and options are ours
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"it ended with code {done.returncode}"]
        raise DumpError(f"{Path(command[0]).name} failed, and nothing was kept of it: {lines[0]}")
