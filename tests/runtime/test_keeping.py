"""What connectors must not forget, as all processes of a desk see it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import SecretStr

from aftersail.core.runtime.channels import ChannelDirectory
from aftersail.core.runtime.keeping import StoredHolds
from aftersail.core.runtime.settings import ChannelSettings


@pytest.fixture
def app(desk):
    opened = desk.open(shop=ChannelSettings(connector="scripted"), other=ChannelSettings(connector="scripted"))
    opened.secrets.put("shop", {"token": SecretStr("first")})
    return opened


def token(channel):
    return channel._connector.settings.token.get_secret_value()


def test_a_hold_is_seen_by_all_and_only_grows(app, clock):
    one, two = StoredHolds(app.engine, "shop"), StoredHolds(app.engine, "shop")
    assert two.until("pay") is None
    one.hold("pay", clock.now() + timedelta(minutes=5))
    one.hold("pay", clock.now() + timedelta(minutes=1))
    assert two.until("pay") == clock.now() + timedelta(minutes=5)
    assert two.until("answer") is StoredHolds(app.engine, "other").until("pay") is None


def test_a_channel_that_a_person_renewed_is_noticed_while_the_daemon_runs(app):
    before, other = app.channels.get("shop"), app.channels.get("other")
    app.secrets.put("shop", {"token": SecretStr("second")})
    after = app.channels.get("shop")
    assert (token(before), token(after)) == ("first", "second")
    assert app.channels.get("shop") is after
    assert app.channels.get("other") is other


def test_a_secret_that_the_platform_replaced_makes_no_channel_anew(app):
    second = ChannelDirectory(app.host, app.settings, app.secrets, app.now, app.engine)
    channel = app.channels.get("shop")
    second.get("shop")._connector.context.keeper.replace("token", SecretStr("rotated"))
    assert app.channels.get("shop") is channel
    assert channel._connector.context.keeper.read("token").get_secret_value() == "rotated"
    second.close()


def test_a_file_of_secrets_that_cannot_be_read_stops_nothing_that_runs(app, tmp_path):
    channel = app.channels.get("shop")
    (tmp_path / "aftersail.secrets").write_bytes(b"not what it was")
    assert app.channels.get("shop") is channel
