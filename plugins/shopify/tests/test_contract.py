from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from aftersail.sdk import CaseAction, CaseDecision, Money, RefundRequest
from aftersail.sdk.testing.context import FixedClock
from aftersail.sdk.testing.contract import ConnectorContract, Scene, Write
from aftersail_shopify.connector import ShopifyConnector
from aftersail_shopify.settings import ShopifySettings
from aftersail_shopify.simulator import ShopifySimulator

RECORDINGS = Path(__file__).parent.parent / "recordings"


def settings(token):
    return ShopifySettings(
        shop="demo-shop.myshopify.com",
        access_token=SecretStr(token),
        client_secret=SecretStr("client-secret-for-tests"),
    )


class TestShopifyContract(ConnectorContract):
    connector_class = ShopifyConnector
    recordings = RECORDINGS

    def make_empty(self) -> Scene:
        clock = FixedClock()
        simulator = ShopifySimulator(
            token="shop-access-token-for-tests", client_secret="client-secret-for-tests", clock=clock
        )
        return Scene(
            settings=settings("shop-access-token-for-tests"),
            bad_settings=settings("an-old-access-token"),
            simulator=simulator,
            clock=clock,
        )

    def make(self) -> Scene:
        scene = self.make_empty()
        simulator, clock = scene.simulator, scene.clock
        orders = [
            simulator.add_order(placed_at=clock() - timedelta(hours=hours), tracking=("DHL", f"JJD{hours}"))
            for hours in (9, 8, 7, 6, 5)
        ]
        returns = [simulator.add_return_request(order, requested_at=clock()) for order in orders[:4]]
        refund = RefundRequest(
            key="refund-1", order_id=orders[0].id, amount=Money.of("7.50", "EUR"), planned_at=clock(), note="Sorry"
        )
        decision = CaseDecision(key="decision-1", case_id=returns[0].id, action=CaseAction.APPROVE)
        writes = (
            Write(
                hook="issue_refund",
                arguments={"refund": refund},
                operation="AftersailRefund",
                effects=lambda: len(simulator.ledger),
            ),
            Write(
                hook="decide_case",
                arguments={"decision": decision},
                operation="AftersailReturnApprove",
                effects=lambda: sum(item.status == "OPEN" for item in returns),
            ),
        )
        webhook = simulator.webhook("returns/request", {"id": 1})
        return Scene(
            settings=scene.settings,
            bad_settings=scene.bad_settings,
            simulator=simulator,
            writes=writes,
            webhook=webhook,
            clock=clock,
        )
