"""The recording, replayed without a simulator. Made anew by running this file."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from aftersail.sdk.testing.context import FixedClock, make_context
from aftersail.sdk.testing.recordings import Recording, RecordingTransport, replay
from aftersail_amazon.connector import AmazonConnector
from aftersail_amazon.settings import AmazonSettings
from aftersail_amazon.simulator import AmazonSimulator

RECORDING = Path(__file__).parent.parent / "recordings" / "orders.json"
SETTINGS = AmazonSettings(
    seller_id="A0SIMULATED",
    client_id="amzn1.simulated-app",
    client_secret=SecretStr("lwa-secret-of-the-recording"),
    refresh_token=SecretStr("authorisation-of-the-recording"),
    endpoint="https://amazon.example",
)
SECRETS = (SETTINGS.client_secret, SETTINGS.refresh_token)


def scenario(connector):
    """Check the account and read three orders in two pages."""
    account, found, cursor, more = connector.check_account(), [], None, True
    while more:
        page = connector.fetch_orders(cursor=cursor, limit=2)
        found += page.items
        cursor, more = page.cursor, page.more
    return account, found


def record(path):
    clock = FixedClock()
    simulator = AmazonSimulator(
        client_secret="lwa-secret-of-the-recording", refresh_token="authorisation-of-the-recording", clock=clock
    )
    for index in range(3):
        at = clock() - timedelta(hours=index + 1)
        simulator.place_order(f"302-0000000-000000{index}", price="19.99", quantity=index + 1, at=at)
    transport = RecordingTransport(
        simulator.transport(), path, api_version="orders 2026-01-01", origin="simulator", secrets=SECRETS, now=clock
    )
    connector = AmazonConnector(SETTINGS, make_context(transport=transport, clock=clock))
    found = scenario(connector)
    connector.close()
    return found


def test_the_recording_replays_to_what_the_simulator_says(tmp_path):
    expected = record(tmp_path / "again.json")
    with replay(RECORDING, secrets=SECRETS):
        connector = AmazonConnector(SETTINGS, make_context())
        assert scenario(connector) == expected
        connector.close()
    assert len(expected[1]) == 3


def test_the_recording_is_what_the_simulator_answers_today(tmp_path):
    record(tmp_path / "again.json")
    assert Recording.load(tmp_path / "again.json").exchanges == Recording.load(RECORDING).exchanges


if __name__ == "__main__":
    record(RECORDING)
