"""The settings loader: every key, the environment, and paths that count from the file."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from aftersail.core.runtime.app import App
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


PEOPLE = """\
desk:
  manager: mia
  appeal_within: 12h
  teams:
    berlin: {lead: ann, calendar: desk}
  agents:
    - {id: ann, role: supervisor, team: berlin, languages: en, absent: [2026-12-24, [2026-12-27, 2026-12-31]]}
    - {id: mia, role: admin, skills: [negotiation]}
  routing:
    - {when: {amount_from: 100.00 USD, reasons: damaged}, skills: negotiation}
"""


def test_f41_the_people_are_read(path):
    path.write_text(PEOPLE)
    desk = load_settings(path).desk
    ann, mia = desk.agents
    assert (ann.role, ann.team, ann.languages, mia.skills) == ("supervisor", "berlin", ("en",), ("negotiation",))
    assert [day for day in range(20, 32) if ann.is_absent(date(2026, 12, day))] == [24, 27, 28, 29, 30, 31]
    assert (desk.manager, desk.teams["berlin"].lead, desk.appeal_within) == ("mia", "ann", timedelta(hours=12))
    assert str(desk.routing[0].when.amount_from) == "100.00 USD"


@pytest.mark.parametrize(
    ("line", "wrong", "blamed", "what", "fix"),
    [
        ("manager: mia", "manager: mai", "mai", "there is no agent 'mai'", "did you mean 'mia'?"),
        ("lead: ann", "lead: anna", "anna", "there is no agent 'anna'", "did you mean 'ann'?"),
        ("calendar: desk", "calender: desk", "calender", "unknown key 'calender'", "did you mean 'calendar'?"),
        ("role: admin", "role: boss", "boss", "Input should be 'read_only', 'agent', 'supervisor' or 'admin'", ""),
        ("id: mia", "id:  ann", " ann, role: ad", "there are two agents called 'ann'", "give one of them another id"),
        ("team: berlin", "team: berln", "berln", "there is no team 'berln'", "did you mean 'berlin'?"),
        ("role: admin", "channels: shop", "shop", "there is no channel 'shop'", "one of: none"),
        (
            "skills: neg",
            "skills: ng",
            "ngotiation}",
            "nobody has the skill 'ngotiation'",
            "did you mean 'negotiation'?",
        ),
        ("reasons: damaged", "reasons: damage", "damage}", "Input should be", ""),
        ("100.00 USD", "100", "100,", "this is no amount", ""),
    ],
)
def test_f41_a_mistake_about_people_is_told_with_its_place(path, line, wrong, blamed, what, fix):
    text = wrong.join(PEOPLE.rsplit(line, 1))
    path.write_text(text)
    with pytest.raises(SettingsError) as error:
        load_settings(path)
    at = text.index(blamed) + blamed.startswith(" ")
    row, column = text.count("\n", 0, at) + 1, at - text.rindex("\n", 0, at)
    assert f"{path}:{row}:{column}: {what}" in str(error.value)
    assert fix in str(error.value)


def test_f41_a_calendar_the_pack_does_not_have_is_told_with_its_place(path):
    path.write_text(PEOPLE.replace("calendar: desk", "calendar: dsk"))
    with (
        App.open(path, plugins=False) as app,
        pytest.raises(SettingsError, match=r"has no calendar 'dsk'; did you mean 'desk'\?") as error,
    ):
        _ = app.services
    assert str(error.value).startswith(f"{path}:5:")


SAID = """\
goods:
  - {skus: ["CARD-*", MUG-NAME], custom: true, categories: []}
  - {skus: "*", categories: kitchen, custom: false, perishable: false, sealed: false, digital: false}
delivery:
  standard: {DE: 4.90 EUR, "*": 9.90 EUR}
customers:
  - {value: vip, orders: 10, spent: 500.00 EUR}
  - {value: regular}
"""


def test_what_the_seller_says_is_read_and_reaches_the_desk(path):
    path.write_text(SAID)
    with App.open(path, plugins=False) as app:
        said = app.services.declared
    card, mug = said.of("CARD-7"), said.of("MUG-1")
    assert (card.custom, card.categories, card.perishable) == (True, (), False)
    assert (mug.custom, mug.categories, mug.sealed, mug.digital) == (False, ("kitchen",), False, False)
    assert [str(said.delivery.cheapest(country)) for country in ("DE", "FR", None)] == ["4.90 EUR", "9.90 EUR", "None"]
    assert [row.value for row in said.customers] == ["vip", "regular"]


@pytest.mark.parametrize(
    ("line", "wrong", "blamed", "what", "fix"),
    [
        ("custom: true", "costum: true", "costum", "unknown key 'costum'", "did you mean 'custom'?"),
        ("custom: true", "custom: maybe", "maybe", "Input should be a valid boolean", ""),
        ("kitchen", "Kitchen", "Kitchen", "`Kitchen` is no category", "write it in small letters"),
        (", custom: true, categories: []", "", '{skus: ["CARD', "the row says nothing of its goods", "add one of cat"),
        ('["CARD-*", MUG-NAME]', "[]", "[]", "Value should have at least 1 item", ""),
        ("DE: 4", "UK: 4", "UK", "`UK` is no country", 'did you mean GB? "*" stands for all others'),
        ("4.90 EUR", "4.90", "4.90,", "this is no amount", 'write amount and currency, as in "20.00 USD"'),
        ("standard", "standart", "standart", "unknown key 'standart'", "did you mean 'standard'?"),
        ("orders: 10", "orders: 0", "0, spent", "Input should be greater than or equal to 1", ""),
        ("orders: 10, spent: 500.00 EUR", "", "{value: regular", "nobody comes to this row", "put the row without"),
        ("value: vip, ", "", "{orders", "the key 'value' is missing here", "add: value: …"),
    ],
)
def test_a_mistake_in_what_the_seller_says_is_told_with_its_place(path, line, wrong, blamed, what, fix):
    text = SAID.replace(line, wrong, 1).replace("{value: vip, }", "{value: vip}")
    path.write_text(text)
    with pytest.raises(SettingsError) as error:
        load_settings(path)
    at = text.index(blamed)
    row, column = text.count("\n", 0, at) + 1, at - text.rindex("\n", 0, at)
    assert f"{path}:{row}:{column}: {what}" in str(error.value)
    assert fix in str(error.value)
