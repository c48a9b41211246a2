"""Simulating, activating and rolling back a policy, as a seller calls it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aftersail.core import packs as shipped
from tests.cli.letters import complain

STARTER = (Path(shipped.__file__).parent / "starter.yaml").read_text(encoding="utf-8")
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0).isoformat()


@pytest.fixture
def seller(desk):
    """A desk with a folder for packs, and a draft that pays more, beside it."""
    text = desk.config.read_text(encoding="utf-8")
    desk.config.write_text(text.replace("# packs: packs", "packs: packs"), encoding="utf-8")
    (desk.config.parent / "packs").mkdir()
    write(desk, ("percent: 50", "percent: 60"))
    return desk


def write(desk, *changes, begin=TOMORROW):
    """Write the second version of the starter pack."""
    text = STARTER.replace("version: 1", "version: 2").replace("effective_from: 2023-11-01", f"effective_from: {begin}")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = desk.config.parent / "draft.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def draft(desk):
    return str(desk.config.parent / "draft.yaml")


def versions(desk):
    return {row["version"]: row for row in desk.json("policy", "list") if row["id"] == "starter"}


def test_f26_simulating_shows_what_changes_and_writes_nothing(open_desk, shop):
    complain(shop, 3001)
    open_desk("sync", "--channel", "shop", "--channel", "mail")
    changed = write(open_desk, ("percent: 100", "percent: 50"), ("duration: 4h", "duration: 3h"))
    database = open_desk.config.parent / "aftersail.db"
    before = open_desk.json("ticket", "show", "1")
    found = open_desk.json("policy", "simulate", changed)
    assert (found["pack_id"], found["pack_version"], found["requests"], found["changed"]) == ("starter", 2, 1, 1)
    assert {change["kind"]: change["count"] for change in found["changes"]} == {"proposal": 1, "promise": 1}
    assert found["changes"][0]["examples"] == [{"ticket": 1, "before": "80.00 USD", "after": "40.00 USD"}]
    (money,) = found["money"]
    assert (money["by"], money["before"]["amount"], money["after"]["amount"]) == ("person", "80.00", "40.00")
    shown = open_desk("policy", "simulate", changed).stdout
    assert "1 of 1 requests would have come out otherwise" in shown
    assert "another amount for a person to approve" in shown
    assert "ticket 1: 80.00 USD → 40.00 USD" in shown
    assert "waits for a person: 80.00 USD → 40.00 USD (-40.00 USD)" in shown
    assert "first_response: 1 due earlier, 0 later; missed 0 → 0" in shown
    assert open_desk.json("ticket", "show", "1") == before
    assert versions(open_desk).keys() == {1}
    assert database.exists()
    assert open_desk.json("policy", "simulate", changed, "--until", "1d")["requests"] == 0
    assert open_desk.json("policy", "simulate", changed, "--since", "2026-01-01", "--examples", "0")["requests"] == 1


def test_a_pack_that_changes_nothing_is_said_to(seller):
    shown = seller("policy", "simulate", "starter@1").stdout
    assert "0 of 0 requests would have come out otherwise" in shown


@pytest.mark.parametrize("since", ["yesterday", "2026-13-01", "2026-11-22T12:00:00", "9d9", "999999d"])
def test_a_time_that_is_none_is_refused_with_the_form(seller, since):
    message = seller.fails("policy", "simulate", draft(seller), "--since", since, code=2)
    assert "is no instant" in message
    assert "90d" in message


def test_f26_activating_shows_what_changes_and_asks_first(seller):
    shown = seller("policy", "activate", draft(seller), typed="n\n", code=1).stdout
    assert "rules minor-defect-small, then.refund.percent: 50 becomes 60" in shown
    assert "0 of 0 requests would have come out otherwise" in shown
    assert "judges what is filed from" in shown
    assert versions(seller).keys() == {1}
    seller("policy", "activate", draft(seller), typed="y\n")
    found = versions(seller)
    assert (found[1]["in_force"], found[2]["in_force"]) == (True, False)
    assert found[2]["effective_from"] == TOMORROW
    assert found[1]["activated_at"] is None
    assert found[2]["activated_at"] is not None
    assert found[2]["activated_by"]
    assert "starter@2 is active already" in seller.fails("policy", "activate", draft(seller), "--yes")


def test_f26_going_back_makes_a_new_version(seller):
    seller("policy", "activate", write(seller, ("percent: 50", "percent: 60"), begin="2026-01-01"), "--yes")
    shown = seller("policy", "rollback", "--yes").stdout
    assert "percent: 60 becomes 50" in shown
    assert versions(seller).keys() == {1, 2, 3}
    assert (seller.config.parent / "packs" / "starter-3.yaml").exists()


def test_f26_activating_now_leaves_what_was_filed_before_as_it_is(open_desk, shop):
    text = open_desk.config.read_text(encoding="utf-8")
    open_desk.config.write_text(f"packs: packs\n{text}", encoding="utf-8")
    (open_desk.config.parent / "packs").mkdir()
    complain(shop, 3001)
    open_desk("sync", "--channel", "shop", "--channel", "mail")
    path = write(open_desk, ("percent: 100", "percent: 50"), begin="2026-01-01")
    message = open_desk.fails("policy", "activate", path, "--yes")
    assert "ticket 1, filed since, is decided already; begin later: --from now" in message
    open_desk("policy", "activate", path, "--yes", "--from", "now")
    assert open_desk.json("policy", "explain", "1")["pack_version"] == 1
    assert versions(open_desk)[2]["activated_by"]


def test_a_file_that_was_changed_after_it_was_activated_is_told(seller):
    seller("policy", "activate", draft(seller), "--yes")
    assert versions(seller)[2]["note"] == ""
    path = seller.config.parent / "packs" / "starter-2.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("percent: 60", "percent: 70"), encoding="utf-8")
    assert versions(seller)[2]["note"] == "its file was changed after it was activated"
    assert "its file was changed" in seller("policy", "list").stdout


def test_a_pack_whose_own_examples_do_not_hold_is_not_activated(seller):
    path = seller.config.parent / "draft.examples.yaml"
    path.write_text("examples:\n  - {name: One, given: {}, expect: {tier: gold}}\n", encoding="utf-8")
    message = seller.fails("policy", "activate", draft(seller), "--yes")
    assert "1 of the pack's own examples do not hold" in message
    assert f"{path}:2:" in message
    assert versions(seller).keys() == {1}


def test_a_pack_that_is_not_in_use_says_how_to_use_it(seller):
    path = write(seller, ("id: starter", "id: mine"))
    shown = seller("policy", "activate", path, "--yes").stdout
    assert "mine@2 is the first version of its pack" in shown
    assert "write `pack: mine` into the settings" in shown


def test_what_cannot_be_activated_says_why(desk):
    path = write(desk)
    assert "name it in aftersail.yaml: `packs: packs`" in desk.fails("policy", "activate", path, "--yes")
    assert "names no file and no version" in desk.fails("policy", "activate", "starter", "--yes", code=2)
    assert "it has 1" in desk.fails("policy", "activate", "starter@7", "--yes")
    assert "goes with a FILE" in desk.fails("policy", "activate", "starter@1", "--from", "now", code=2)
    assert "is the first version of its pack; there is nothing to go back to" in desk.fails("policy", "rollback")
    assert "no pack is called started; did you mean starter?" in desk.fails("policy", "rollback", "started")
