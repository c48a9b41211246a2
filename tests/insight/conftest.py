"""A filled store on both databases."""

from __future__ import annotations

import pytest

from tests.builders import migrate
from tests.databases import Databases
from tests.web.filling import Filling


@pytest.fixture
def database_url(databases: Databases) -> str:
    return databases.fresh("store", migrate)


@pytest.fixture
def filling(engine, clock) -> Filling:
    return Filling(engine, clock.now())
