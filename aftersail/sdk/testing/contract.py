"""The contract suite: subclass `ConnectorContract` in a test file, and every rule is tried on your connector.

Example:
    ```python
    class TestShop(ConnectorContract):
        connector_class = ShopConnector
        recordings = Path(__file__).parent.parent / "recordings"

        def make(self) -> Scene:
            simulator = ShopSimulator(token="right")
            simulator.add_order(number="1001")
            return Scene(
                settings=ShopSettings(token="right"), bad_settings=ShopSettings(token="wrong"), simulator=simulator
            )
    ```
"""

from __future__ import annotations

from aftersail.sdk.testing.reads import ReadRules
from aftersail.sdk.testing.scene import Scene, Write
from aftersail.sdk.testing.writes import RecordingRules, WriteRules

__all__ = ["ConnectorContract", "Scene", "Write"]


class ConnectorContract(ReadRules, WriteRules, RecordingRules):
    """Subclass this as `Test...`, name the connector, make scenes; pytest runs the rules and prints the tier."""
