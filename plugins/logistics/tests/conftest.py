from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from aftersail.sdk.testing.context import FixedClock, make_context
from aftersail_logistics.connector import LogisticsConnector
from aftersail_logistics.settings import LogisticsSettings
from aftersail_logistics.simulator import LogisticsSimulator

RECORDINGS = Path(__file__).parent.parent / "recordings"


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def simulator(clock: FixedClock) -> LogisticsSimulator:
    made = LogisticsSimulator(key="key-of-the-test", clock=clock)
    made.move("RR123456785CN", "InTransit_PickedUp", "Picked up", "SHENZHEN", at=clock() - timedelta(days=3))
    made.move("RR123456785CN", "InTransit_CustomsProcessing", "Held", "MADRID", at=clock() - timedelta(days=1))
    return made


@pytest.fixture
def connect(simulator: LogisticsSimulator, clock: FixedClock) -> Callable[..., LogisticsConnector]:
    def build(**changes: object) -> LogisticsConnector:
        settings = LogisticsSettings.model_validate({"api_key": "key-of-the-test"} | changes)
        return LogisticsConnector(settings, make_context(transport=simulator.transport(), clock=clock))

    return build
