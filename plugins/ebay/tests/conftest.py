from __future__ import annotations

from collections.abc import Callable

import pytest

from aftersail.sdk.testing.context import FixedClock, make_context
from aftersail_ebay.connector import EbayConnector
from aftersail_ebay.settings import EbaySettings
from aftersail_ebay.simulator import EbaySimulator


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def simulator(clock: FixedClock) -> EbaySimulator:
    return EbaySimulator(clock=clock)


@pytest.fixture
def connect(simulator: EbaySimulator, clock: FixedClock) -> Callable[..., EbayConnector]:
    def build(**changes: object) -> EbayConnector:
        values = {
            "username": "sim_shop",
            "client_id": "sim-app",
            "client_secret": "sim-cert",
            "refresh_token": "sim-consent",
        }
        settings = EbaySettings.model_validate(values | changes)
        return EbayConnector(settings, make_context(transport=simulator.transport(), clock=clock))

    return build
