from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from aftersail.sdk.testing.context import FixedClock
from aftersail.sdk.testing.contract import ConnectorContract, Scene
from aftersail_amazon.connector import AmazonConnector
from aftersail_amazon.settings import AmazonSettings
from aftersail_amazon.simulator import AmazonSimulator


def settings(token):
    return AmazonSettings(
        seller_id="A0SIMULATED",
        client_id="amzn1.simulated-app",
        client_secret=SecretStr("lwa-secret-of-the-contract"),
        refresh_token=SecretStr(token),
        endpoint="https://amazon.example",
    )


class TestAmazonContract(ConnectorContract):
    connector_class = AmazonConnector
    recordings = Path(__file__).parent.parent / "recordings"

    def make_empty(self) -> Scene:
        clock = FixedClock()
        simulator = AmazonSimulator(
            client_secret="lwa-secret-of-the-contract", refresh_token="right-authorisation", clock=clock
        )
        return Scene(
            settings=settings("right-authorisation"),
            bad_settings=settings("wrong-authorisation"),
            simulator=simulator,
            clock=clock,
        )

    def make(self) -> Scene:
        scene = self.make_empty()
        for index in range(5):
            at = scene.clock() - timedelta(hours=index + 1)
            scene.simulator.place_order(f"302-0000000-000000{index}", price="19.99", at=at)
        return scene
