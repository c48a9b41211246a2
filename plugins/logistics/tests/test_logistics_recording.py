"""The recording, replayed without a simulator. Made anew by running this file: `python test_logistics_recording.py`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from aftersail.sdk import Parcel
from aftersail.sdk.testing.context import FixedClock, make_context
from aftersail.sdk.testing.recordings import Recording, RecordingTransport, replay
from aftersail_logistics.connector import LogisticsConnector
from aftersail_logistics.settings import LogisticsSettings
from aftersail_logistics.simulator import LogisticsSimulator

RECORDING = Path(__file__).parent.parent / "recordings" / "register_and_track.json"
SETTINGS = LogisticsSettings(api_key=SecretStr("key-of-the-recording"))
PARCELS = (
    Parcel(tracking_number="RR123456785CN", carrier="chinapost"),
    Parcel(tracking_number="XX000000001XX"),
    Parcel(tracking_number="??"),
)


def scenario(connector):
    """Check the account, meet two new parcels and a wrong number, and look again."""
    return (
        connector.check_account(),
        connector.track_shipment(parcels=PARCELS),
        connector.track_shipment(parcels=PARCELS),
    )


def record(path):
    clock = FixedClock()
    simulator = LogisticsSimulator(key="key-of-the-recording", clock=clock)
    simulator.move("RR123456785CN", "InTransit_PickedUp", "Picked up", "SHENZHEN", at=clock() - timedelta(days=3))
    simulator.move("RR123456785CN", "Delivered_Other", "Delivered", "LISBOA", at=clock() - timedelta(hours=2))
    transport = RecordingTransport(
        simulator.transport(), path, api_version="v2.4", origin="simulator", secrets=(SETTINGS.api_key,), now=clock
    )
    connector = LogisticsConnector(SETTINGS, make_context(transport=transport, clock=clock))
    found = scenario(connector)
    connector.close()
    return found


def test_the_recording_replays_to_what_the_simulator_says(tmp_path):
    expected = record(tmp_path / "again.json")
    with replay(RECORDING, secrets=(SETTINGS.api_key,)):
        connector = LogisticsConnector(SETTINGS, make_context())
        assert scenario(connector) == expected
        connector.close()
    assert [len(trackings) for trackings in expected[1:]] == [2, 2]


def test_the_recording_is_what_the_simulator_answers_today(tmp_path):
    record(tmp_path / "again.json")
    assert Recording.load(tmp_path / "again.json").exchanges == Recording.load(RECORDING).exchanges


if __name__ == "__main__":
    record(RECORDING)
