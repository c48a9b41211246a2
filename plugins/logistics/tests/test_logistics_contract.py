from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from aftersail.sdk.testing.context import FixedClock
from aftersail.sdk.testing.contract import ConnectorContract, Scene
from aftersail_logistics.connector import LogisticsConnector
from aftersail_logistics.settings import LogisticsSettings
from aftersail_logistics.simulator import LogisticsSimulator


class TestLogisticsContract(ConnectorContract):
    connector_class = LogisticsConnector
    recordings = Path(__file__).parent.parent / "recordings"

    def make(self) -> Scene:
        clock = FixedClock()
        simulator = LogisticsSimulator(key="seventeen-right-key", clock=clock)
        simulator.move("AB000000001XX", "Delivered_Other", "Delivered", "PORTO", at=clock() - timedelta(hours=5))
        return Scene(
            settings=LogisticsSettings(api_key=SecretStr("seventeen-right-key")),
            bad_settings=LogisticsSettings(api_key=SecretStr("seventeen-wrong-key")),
            simulator=simulator,
            clock=clock,
        )
