"""The settings loader: every key, the environment, and paths that count from the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from aftersail.core.runtime.edit import add_channel, remove_channel
from aftersail.core.runtime.settings import ChannelSettings, SettingsError, load_settings

EVERYTHING = """\
# Of a shop by the sea.
database: sqlite:///data/desk.db
pack: mine
packs: packs
plugins: {disabled: [ebay, amazon]}
web: {listen: "127.0.0.1:8080"}
log: {level: debug, json_lines: true}
channels:
  mail:
    connector: email
    settings: {address: help@shop.example, timeout: 30.5, ports: [1, 2]}
  shop:
    connector: shopify   # the new one
    poll_seconds: 30
    mailbox: mail
    signature: "Harbour & Pine"
"""


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    monkeypatch.delenv("AFTERSAIL_DATABASE", raising=False)


@pytest.fixture
def path(tmp_path):
    written = tmp_path / "aftersail.yaml"
    written.write_text(EVERYTHING, encoding="utf-8")
    return written


def test_every_key_is_read(path, tmp_path):
    settings = load_settings(path)
    assert settings.database == f"sqlite:///{tmp_path / 'data' / 'desk.db'}"
    assert (settings.pack, settings.packs) == ("mine", tmp_path / "packs")
    assert settings.plugins.disabled == ("ebay", "amazon")
    assert settings.web.listen == "127.0.0.1:8080"
    assert (settings.log.level, settings.log.json_lines) == ("debug", True)
    assert list(settings.channels) == ["mail", "shop"]
    shop = settings.channels["shop"]
    assert (shop.connector, shop.poll_seconds, shop.mailbox, shop.signature) == (
        "shopify",
        30,
        "mail",
        "Harbour & Pine",
    )
    assert float(settings.channels["mail"].settings["timeout"]) == 30.5
    assert settings.channels["mail"].poll_seconds == 60


def test_every_key_has_a_default_but_what_only_the_seller_knows(path, tmp_path):
    path.write_text("pack: starter\n")
    settings = load_settings(path)
    assert settings.database == f"sqlite:///{tmp_path / 'aftersail.db'}"
    assert (settings.packs, settings.web.listen, settings.channels) == (None, None, {})


def test_the_environment_wins_for_the_database(path, tmp_path, monkeypatch):
    monkeypatch.setenv("AFTERSAIL_DATABASE", "postgresql://shop:pass@db/desk")
    assert load_settings(path).database == "postgresql://shop:pass@db/desk"
    monkeypatch.setenv("AFTERSAIL_DATABASE", "sqlite:///other.db")
    assert load_settings(path).database == f"sqlite:///{tmp_path / 'other.db'}"
    monkeypatch.setenv("AFTERSAIL_DATABASE", "")
    assert load_settings(path).database.endswith("desk.db")


def test_an_absolute_path_stays(path, tmp_path):
    path.write_text("database: sqlite:////var/lib/desk.db\npacks: /etc/packs\n")
    settings = load_settings(path)
    assert (settings.database, settings.packs) == ("sqlite:////var/lib/desk.db", Path("/etc/packs"))


def test_paths_count_from_the_file_and_not_from_where_one_stands(path, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert load_settings(Path("../aftersail.yaml")).database == f"sqlite:///{tmp_path / 'data' / 'desk.db'}"


def test_a_channel_is_added_the_way_a_person_would(path):
    add_channel(path, "ebay", ChannelSettings(connector="ebay", settings={"site": "de"}))
    text = path.read_text(encoding="utf-8")
    assert "# Of a shop by the sea." in text
    assert "connector: shopify   # the new one" in text
    assert '"Harbour & Pine"' in text
    assert "poll_seconds: 60" not in text
    assert load_settings(path).channels["ebay"].settings == {"site": "de"}
    remove_channel(path, "ebay")
    assert "ebay" not in load_settings(path).channels
    assert "# Of a shop by the sea." in path.read_text(encoding="utf-8")


def test_a_mailbox_that_is_not_configured_is_refused_with_its_place(path):
    path.write_text(EVERYTHING.replace("mailbox: mail", "mailbox: mial"))
    with pytest.raises(SettingsError, match=r":15:14: there is no channel 'mial'(?s:.*)did you mean 'mail'\?"):
        load_settings(path)
