"""A world per test, on both databases."""

from __future__ import annotations

import pytest

from tests.databases import Databases
from tests.remedies.world import World, create_tables


@pytest.fixture
def database_url(databases: Databases) -> str:
    return databases.fresh("remedies", create_tables)


@pytest.fixture
def world(engine, clock) -> World:
    return World(engine, clock)
