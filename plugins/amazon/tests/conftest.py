from __future__ import annotations

from collections.abc import Callable

import pytest

from aftersail.sdk.testing.context import FixedClock, make_context
from aftersail_amazon.connector import AmazonConnector
from aftersail_amazon.settings import AmazonSettings
from aftersail_amazon.simulator import AmazonSimulator


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def simulator(clock: FixedClock) -> AmazonSimulator:
    return AmazonSimulator(clock=clock)


@pytest.fixture
def connect(simulator: AmazonSimulator, clock: FixedClock) -> Callable[..., AmazonConnector]:
    def build(**changes: object) -> AmazonConnector:
        values = {
            "seller_id": "A0SIMULATED",
            "client_id": "amzn1.simulated-app",
            "client_secret": "simulated-lwa-secret",
            "refresh_token": "simulated-authorisation",
            "endpoint": "https://amazon.example",
        }
        settings = AmazonSettings.model_validate(values | changes)
        return AmazonConnector(settings, make_context(transport=simulator.transport(), clock=clock))

    return build
