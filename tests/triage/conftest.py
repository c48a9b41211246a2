"""The shipped triage, shared by all tests: it never changes."""

from __future__ import annotations

import pytest

from aftersail.core.triage import Triage


@pytest.fixture(scope="session")
def triage() -> Triage:
    return Triage.shipped()
