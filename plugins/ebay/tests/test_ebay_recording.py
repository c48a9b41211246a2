"""The recording, replayed without a simulator. Made anew by running this file."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from aftersail.sdk import Reply
from aftersail.sdk.testing.context import FixedClock, make_context
from aftersail.sdk.testing.recordings import Recording, RecordingTransport, replay
from aftersail_ebay.connector import EbayConnector
from aftersail_ebay.settings import EbaySettings
from aftersail_ebay.simulator import EbaySimulator

RECORDING = Path(__file__).parent.parent / "recordings" / "messages_reply_orders.json"
SETTINGS = EbaySettings(
    username="sim_shop",
    client_id="sim-app",
    client_secret=SecretStr("cert-of-the-recording"),
    refresh_token=SecretStr("consent-of-the-recording"),
)
SECRETS = (SETTINGS.client_secret, SETTINGS.refresh_token)


def scenario(connector):
    """Read everything in small pages, answer, and read the orders."""
    account, found, cursor, more = connector.check_account(), [], None, True
    while more:
        page = connector.fetch_messages(cursor=cursor, limit=2)
        found += page.items
        cursor, more = page.cursor, page.more
    thread = found[-1].thread_id
    receipt = connector.post_reply(reply=Reply(key="reply-1", thread_id=thread, text="It left today."))
    return account, found, receipt, connector.fetch_orders(cursor=None, limit=10).items


def record(path):
    clock = FixedClock()
    simulator = EbaySimulator(
        client_secret="cert-of-the-recording", refresh_token="consent-of-the-recording", clock=clock
    )
    for index in range(3):
        at = clock() - timedelta(hours=index + 1)
        conversation = simulator.open_conversation(f"buyer_{index}", "Where is my lamp?", item="110012345678", at=at)
        simulator.write(conversation, "Still waiting", at=at + timedelta(minutes=20))
    simulator.place_order("01-00001-00001", buyer="buyer_0", price="19.99")
    simulator.ship("01-00001-00001", "9400100000000000000001", "USPS")
    transport = RecordingTransport(
        simulator.transport(),
        path,
        api_version="commerce/message v1, sell/fulfillment v1",
        origin="simulator",
        secrets=SECRETS,
        now=clock,
    )
    connector = EbayConnector(SETTINGS, make_context(transport=transport, clock=clock))
    found = scenario(connector)
    connector.close()
    return found


def test_the_recording_replays_to_what_the_simulator_says(tmp_path):
    expected = record(tmp_path / "again.json")
    with replay(RECORDING, secrets=SECRETS):
        connector = EbayConnector(SETTINGS, make_context())
        assert scenario(connector) == expected
        connector.close()
    assert [len(expected[1]), len(expected[3])] == [6, 1]


def test_the_recording_is_what_the_simulator_answers_today(tmp_path):
    record(tmp_path / "again.json")
    assert Recording.load(tmp_path / "again.json").exchanges == Recording.load(RECORDING).exchanges


if __name__ == "__main__":
    record(RECORDING)
