"""`aftersail audit` and `aftersail privacy` as a person calls them."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from aftersail.core.store import tables
from aftersail.core.store.audit import GENESIS
from aftersail.core.store.engine import open_engine

ADA = "ada@buyer.example"


@pytest.fixture
def closed(desk):
    """A desk with one channel and one closed ticket of Ada's."""
    path = desk.config.parent / "aftersail.db"
    engine = open_engine(f"sqlite:///{path}")
    at = datetime(2024, 1, 5, tzinfo=UTC)
    ticket = {
        "channel": "shop", "subject": "A cracked teapot", "state": "closed", "language": "en", "reason": "damaged",
        "reason_because": "says cracked", "escalation": False, "buyer_key": ADA, "buyer_email": ADA,
        "buyer_name": "Ada Example", "token": "t", "filed_at": at, "opened_at": at, "updated_at": at, "closed_at": at,
    }  # fmt: skip
    said = {"at": at, "kind": "decided", "channel": "shop", "ticket": 1, "actor": "ann"}
    with engine.begin() as conn:
        conn.execute(sa.insert(tables.channel).values(id="shop", kind="scripted", poll_seconds=60))
        conn.execute(sa.insert(tables.ticket).values(**ticket))
        conn.execute(sa.insert(tables.event).values(**said, data={"why": "Ada Example asks", "tier": "defect"}))
    engine.dispose()
    return desk


def tamper(desk, statement):
    with sqlite3.connect(desk.config.parent / "aftersail.db") as conn:
        conn.execute("DROP TRIGGER IF EXISTS event_unchanged")
        conn.execute("DROP TRIGGER IF EXISTS event_kept")
        conn.execute(statement)


def test_the_audit_log_is_listed_by_person_ticket_and_time(closed):
    (row,) = closed.json("audit", "list", "--ticket", "1", "--actor", "ann")
    assert (row["kind"], row["data"]["tier"], row["seq"]) == ("decided", "defect", None)
    assert "tier defect" in closed("audit", "list").stdout
    assert closed.json("audit", "list", "--since", "2024-01-06") == []
    assert closed.json("audit", "list", "--actor", "eve") == []


def test_verify_says_what_holds_and_what_is_not_sealed_yet(closed):
    assert "1 rows are not sealed yet" in closed("audit", "verify").stdout
    sealed = closed.json("audit", "seal")
    assert (sealed["sealed"], sealed["rows"]) == (1, 1)
    found = closed.json("audit", "verify", "--expect", sealed["head"])
    assert found == {"rows": 1, "unsealed": 0, "erased": 0, "head": sealed["head"], "broken": None}


def test_verify_names_the_first_broken_row_and_ends_with_code_1(closed):
    head = closed.json("audit", "seal")["head"]
    tamper(closed, "UPDATE event SET actor = 'eve'")
    assert "row 1 (event 1) was changed" in closed("audit", "verify", code=1).stderr
    assert closed.json("audit", "verify", code=1)["broken"]["what"] == "changed"
    tamper(closed, "DELETE FROM event")
    assert closed.json("audit", "verify")["head"] == GENESIS
    assert "was cut" in closed("audit", "verify", "--expect", head, code=1).stderr


def test_the_export_is_lines_of_json_without_personal_data(closed, tmp_path):
    closed("audit", "seal")
    assert "1 rows written" in closed("audit", "export", str(tmp_path / "log.jsonl")).stdout
    (line,) = (tmp_path / "log.jsonl").read_text().splitlines()
    assert json.loads(line)["content"]["hidden"] == ["why"]
    assert "Ada" not in line


def test_a_buyer_is_exported_and_that_is_written_down(closed, tmp_path):
    closed("privacy", "export", "--buyer", ADA, str(tmp_path / "ada.json"))
    found = json.loads((tmp_path / "ada.json").read_text())
    assert (found["tickets"][0]["subject"], found["events"][0]["data"]["why"]) == (
        "A cracked teapot",
        "Ada Example asks",
    )
    assert closed.json("audit", "list")[0]["kind"] == "privacy_exported"
    assert "nothing is known" in closed.fails("privacy", "export", "--buyer", "eve@x.example", str(tmp_path / "e.json"))


def test_an_erasure_asks_first(closed):
    assert "Aborted" in closed.fails("privacy", "erase", "--buyer", ADA, typed="n\n")
    assert closed.json("audit", "list")[0]["kind"] == "decided"
    assert "erased: 1 tickets" in closed("privacy", "erase", "--buyer", ADA, typed="y\n").stdout
    database = (closed.config.parent / "aftersail.db").read_bytes()
    assert b"Ada" not in database
    assert b"teapot" not in database
    closed("audit", "verify")
    assert "nothing is known" in closed.fails("privacy", "erase", "--buyer", ADA, "--yes")


def test_an_open_ticket_is_refused_until_it_is_forced(closed):
    tamper(closed, "UPDATE ticket SET state = 'open', closed_at = NULL")
    assert "ticket 1 is open" in closed.fails("privacy", "erase", "--buyer", ADA, "--yes")
    assert closed.json("privacy", "erase", "--buyer", ADA, "--yes", "--force")["tickets"] == 1
    assert [row["state"] for row in closed.json("inbox", "--all")] == ["closed"]


def test_a_purge_follows_the_settings(closed):
    assert "retention" in closed.fails("privacy", "purge")
    with closed.config.open("a") as config:
        config.write("\nprivacy:\n  retention:\n    - {connector: amazon, after: delivered, days: 30}\n")
        config.write("    - {after: closed, days: 730}\n")
    dry = closed.json("privacy", "purge", "--dry-run")
    assert (dry["tickets"], dry["dry_run"]) == (1, True)
    assert "forgotten: 1 tickets" in closed("privacy", "purge", "--compact").stdout
    assert closed.json("privacy", "purge")["tickets"] == 0
    assert b"Ada" not in (closed.config.parent / "aftersail.db").read_bytes()
    assert closed.json("audit", "list")[0]["data"]["rule"] == "730 days after closed"


@pytest.mark.parametrize(
    ("rule", "told"),
    [("{after: opened, days: 3}", "delivered"), ("{after: closed, days: 0}", "greater"), ("{day: 3}", "day")],
)
def test_a_wrong_rule_is_told_with_its_place(desk, rule, told):
    with desk.config.open("a") as config:
        config.write(f"\nprivacy:\n  retention:\n    - {rule}\n")
    said = desk.fails("privacy", "purge")
    assert told in said
    assert "aftersail.yaml:" in said
