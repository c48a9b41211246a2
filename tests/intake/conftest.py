"""A desk with one shop and its feed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.builders import Desk, Script, migrate
from tests.databases import Databases


@pytest.fixture
def desk(databases: Databases) -> Iterator[Desk]:
    desk = Desk(databases.fresh("store", migrate))
    yield desk
    desk.close()


@pytest.fixture
def shop(desk: Desk) -> Script:
    return desk.add("shop")
