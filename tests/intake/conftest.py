"""A desk with one shop and its feed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.builders import Desk, Script, migrate
from tests.databases import Databases, PostgresDatabases, SqliteDatabases


@pytest.fixture
def desk(databases: Databases) -> Iterator[Desk]:
    desk = Desk(databases.fresh("store", migrate))
    yield desk
    desk.close()


@pytest.fixture
def shop(desk: Desk) -> Script:
    return desk.add("shop")


@pytest.fixture
def postgres_databases(_postgres_server: PostgresDatabases) -> Iterator[PostgresDatabases]:
    """PostgreSQL only, for a test that asks for many databases and runs on SQLite elsewhere."""
    yield _postgres_server
    _postgres_server.drop_made()


@pytest.fixture
def sqlite_databases(_sqlite_databases: SqliteDatabases) -> SqliteDatabases:
    """SQLite only, likewise."""
    return _sqlite_databases
