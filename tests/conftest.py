"""What all tests share: databases of both kinds, a clock that only moves when told, and Hypothesis profiles."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings

from aftersail.core.store.engine import open_engine
from tests.databases import Databases, PostgresDatabases, SqliteDatabases, postgres

# A slow machine is no defect of the code, so neither profile measures time.
settings.register_profile("dev", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("dev"), max_examples=200, derandomize=True, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))


class FakeClock:
    """Stands still until a test advances it."""

    def __init__(self, at: datetime = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at

    def advance(self, seconds: float) -> None:
        self._at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def _postgres_server() -> Iterator[PostgresDatabases]:
    with postgres() as databases:
        yield databases


@pytest.fixture(scope="session")
def _sqlite_databases(tmp_path_factory: pytest.TempPathFactory) -> SqliteDatabases:
    return SqliteDatabases(tmp_path_factory.mktemp("databases"))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def databases(request: pytest.FixtureRequest) -> Iterator[Databases]:
    """Where a test that needs more than one database, or one from a template, gets them: see `tests/databases.py`."""
    if request.param == "sqlite":
        yield request.getfixturevalue("_sqlite_databases")
        return
    server: PostgresDatabases = request.getfixturevalue("_postgres_server")
    yield server
    server.drop_made()


@pytest.fixture
def postgres_databases(_postgres_server: PostgresDatabases) -> Iterator[PostgresDatabases]:
    """PostgreSQL only, for a test that asks for many databases and runs on SQLite elsewhere."""
    yield _postgres_server
    _postgres_server.drop_made()


@pytest.fixture
def sqlite_databases(_sqlite_databases: SqliteDatabases) -> SqliteDatabases:
    """SQLite only, likewise."""
    return _sqlite_databases


@pytest.fixture
def database_url(databases: Databases) -> str:
    """An empty database."""
    return databases.fresh()


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    """An engine on an empty database."""
    engine = open_engine(database_url, durable=False)
    yield engine
    engine.dispose()
