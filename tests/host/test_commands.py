"""`aftersail plugins`, on distributions that are really installed, and that a broken one never stops the desk."""

from __future__ import annotations

import json
import sys

import pytest

BROKEN = "raise RuntimeError('no licence')\n"
SOUND = """
    from aftersail.sdk import Account, Capabilities, Connector, ConnectorSettings, hookimpl

    class MarketConnector(Connector[ConnectorSettings]):
        kind = "{kind}"
        title = "Market"
        settings_model = ConnectorSettings
        capabilities = Capabilities()

        def check_account(self):
            return Account(external_id="1", title="Market")

    @hookimpl
    def aftersail_connectors():
        yield MarketConnector.declare()
    """


def rows(result, name):
    return [row for row in json.loads(result.stdout) if row["name"] == name]


def test_list_names_what_a_plugin_brings(aftersail, install):
    install("aftersail-market", "market", SOUND.format(kind="market"), version="2.5")
    result = aftersail("plugins", "list", "--json")
    assert result.exit_code == 0
    (row,) = rows(result, "market")
    assert (row["distribution"], row["state"], row["kinds"]) == ("aftersail-market 2.5", "loaded", ["market"])


def test_doctor_names_cause_and_fix_and_ends_with_one(aftersail, install):
    install("aftersail-broken", "broken", BROKEN)
    result = aftersail("plugins", "doctor", "--json")
    assert result.exit_code == 1
    (row,) = rows(result, "broken")
    assert row["state"] == "failed"
    assert row["cause"] == "it raised at import: RuntimeError: no licence"
    assert row["fix"] == "pip install --upgrade aftersail-broken"


def test_doctor_is_content_with_sound_plugins(aftersail, install):
    install("aftersail-market", "market", SOUND.format(kind="market"))
    assert aftersail("plugins", "doctor").exit_code == 0


def test_a_person_reads_cause_and_fix_in_a_table(aftersail, install):
    install("aftersail-broken", "broken", BROKEN)
    text = aftersail("plugins", "doctor").stdout
    assert "no licence" in text
    assert "pip install --upgrade aftersail-broken" in text


def test_disable_and_enable(aftersail, install):
    install("aftersail-broken", "broken", BROKEN)
    assert "broken is disabled" in aftersail("plugins", "disable", "broken").stdout
    assert "broken was disabled before" in aftersail("plugins", "disable", "broken").stdout
    result = aftersail("plugins", "doctor", "--json")
    assert result.exit_code == 0
    (row,) = rows(result, "broken")
    assert (row["state"], row["fix"]) == ("disabled", "aftersail plugins enable broken")
    assert "broken is enabled" in aftersail("plugins", "enable", "broken").stdout
    assert aftersail("plugins", "doctor").exit_code == 1


def test_disable_of_an_unknown_plugin_names_those_installed(aftersail, install):
    install("aftersail-market", "market", SOUND.format(kind="market"))
    result = aftersail("plugins", "disable", "marked")
    assert result.exit_code == 1
    assert "no plugin is called 'marked'" in result.stderr
    assert "market" in result.stderr


def test_a_disabled_plugin_is_not_imported(aftersail, install):
    install("aftersail-market", "market", SOUND.format(kind="market"))
    aftersail("plugins", "disable", "market")
    sys.modules.pop("aftersail_market_of_test", None)
    aftersail("plugins", "list")
    assert "aftersail_market_of_test" not in sys.modules


def test_no_plugins_leaves_every_plugin_alone(aftersail, install):
    install("aftersail-broken", "broken", BROKEN)
    result = aftersail("--no-plugins", "plugins", "doctor", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, [])


def test_two_distributions_with_one_entry_point_are_both_named(aftersail, install):
    install("aftersail-market", "market", SOUND.format(kind="market"))
    install("aftersail-rival", "market", SOUND.format(kind="rival"))
    result = aftersail("plugins", "doctor", "--json")
    assert result.exit_code == 1
    found = {row["distribution"]: row for row in rows(result, "market")}
    assert found["aftersail-market 1.0"]["state"] == "loaded"
    assert found["aftersail-rival 1.0"]["state"] == "failed"
    assert "aftersail-market 1.0" in found["aftersail-rival 1.0"]["cause"]


def test_entry_points_of_other_groups_are_none_of_ours(aftersail, install):
    install("flask-broken", "broken", BROKEN, group="flask.extensions")
    assert rows(aftersail("plugins", "list", "--json"), "broken") == []


def test_a_settings_file_that_is_no_yaml_is_named(aftersail, tmp_path):
    (tmp_path / "desk" / "aftersail.yaml").write_text("plugins: [", encoding="utf-8")
    result = aftersail("plugins", "list")
    assert result.exit_code == 1
    assert "is no YAML" in result.stderr


@pytest.mark.parametrize("source", [BROKEN, "raise SystemExit(9)\n"])
def test_a_broken_plugin_never_stops_the_desk(aftersail, install, source):
    install("aftersail-broken", "broken", source)
    assert aftersail("init").exit_code == 0
    inbox = aftersail("inbox", "--json")
    assert (inbox.exit_code, json.loads(inbox.stdout)) == (0, [])
    doctor = aftersail("doctor", "--json")
    assert doctor.exit_code == 1
    (row,) = [row for row in json.loads(doctor.stdout) if row["what"] == "plugin broken"]
    assert not row["ok"]
    assert all(row["ok"] for row in json.loads(doctor.stdout) if row["what"] != "plugin broken")
