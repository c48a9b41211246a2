from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from aftersail.sdk import Reply
from aftersail.sdk.testing.context import FixedClock
from aftersail.sdk.testing.contract import ConnectorContract, Scene, Write
from aftersail_ebay.connector import EbayConnector
from aftersail_ebay.settings import EbaySettings
from aftersail_ebay.simulator import EbaySimulator


def settings(token):
    return EbaySettings(
        username="sim_shop",
        client_id="sim-app",
        client_secret=SecretStr("sim-cert-of-the-contract"),
        refresh_token=SecretStr(token),
    )


class TestEbayContract(ConnectorContract):
    connector_class = EbayConnector
    recordings = Path(__file__).parent.parent / "recordings"

    def scene(self, simulator, clock, writes=()):
        return Scene(
            settings=settings("sim-consent-right"),
            bad_settings=settings("sim-consent-wrong"),
            simulator=simulator,
            writes=writes,
            clock=clock,
        )

    def empty(self):
        clock = FixedClock()
        simulator = EbaySimulator(
            client_secret="sim-cert-of-the-contract", refresh_token="sim-consent-right", clock=clock
        )
        return simulator, clock

    def make_empty(self) -> Scene:
        return self.scene(*self.empty())

    def make(self) -> Scene:
        simulator, clock = self.empty()
        for index in range(4):
            at = clock() - timedelta(hours=index + 1)
            conversation = simulator.open_conversation(f"buyer{index}", "Where is it?", item="1100", at=at)
            simulator.write(conversation, "On its way", sender="sim_shop", at=at + timedelta(minutes=3))
            simulator.place_order(f"01-0000{index}", buyer=f"buyer{index}", price="19.99")
        simulator.ship("01-00001", "9400100000000000000001", "USPS")
        reply = Reply(key="reply-1", thread_id=conversation, text="It is on its way.")
        write = Write(
            hook="post_reply",
            arguments={"reply": reply},
            operation="send_message",
            effects=lambda: sum(
                message["messageBody"] == reply.text for message in simulator.conversations[conversation].messages
            ),
        )
        return self.scene(simulator, clock, (write,))
