"""What commands list: for scripts as JSON with keys they can rely on, for people on any terminal."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from aftersail.core import packs
from aftersail.core.cli import output
from aftersail.core.cli.main import cli
from tests.cli.letters import complain, letter

KEYS = {
    ("channel", "list"): {"id", "kind", "synced_at", "due_at", "failures", "attention", "poll_seconds", "active"},
    ("inbox",): {
        "id", "due_at", "due_source", "due_metric", "tier", "reason", "state", "tasks", "language", "channel", "buyer",
        "subject", "escalation", "opened_at", "filed_at",
    },
    ("refund", "list"): {
        "key", "ticket", "channel", "order_id", "money", "amount", "currency", "state", "approved_by", "why", "detail",
        "external_id", "booked", "planned_at", "settled_at",
    },
    ("jobs", "list"): {"job_id", "queue", "partition", "state", "attempts", "due_at", "error"},
    ("policy", "list"): {"id", "version", "effective_from", "title", "used"},
    ("plugins", "list"): {"name", "distribution", "state", "kinds", "wraps", "cause", "fix"},
    ("doctor",): {"what", "ok", "detail"},
}  # fmt: skip


@pytest.fixture
def worked(open_desk, shop):
    """A desk with two tickets, an order, its parked refund, and an answer that waits for the daemon."""
    complain(shop, 3001, subject="Das ist zerstört 東京 [/b] :smile: \x1b[31mred")
    shop.mail.deliver(letter(3002))
    open_desk("sync", "--channel", "shop", "--channel", "mail")
    open_desk("ticket", "reply", "2", "--text", "We look into it.")
    return open_desk


def test_lists_are_json_with_stable_keys(worked):
    for command, keys in KEYS.items():
        # Another plugin of this installation may be broken, of which `doctor` tells by its exit code.
        found = json.loads(CliRunner().invoke(cli, ["--config", str(worked.config), *command, "--json"]).stdout)
        assert found, command
        for row in found:
            assert keys <= row.keys(), command


def test_a_ticket_is_json_with_everything_about_it(worked):
    view = worked.json("ticket", "show", "1")
    for name in ("messages", "cases", "clocks", "decisions", "remedies", "tasks", "events", "order", "shipments"):
        assert name in view
    assert view["messages"][0]["text"]
    decision = worked.json("policy", "explain", "1")
    assert {"pack_id", "pack_version"} <= decision.keys()


def test_what_a_buyer_writes_is_shown_as_it_is_and_steers_no_terminal(worked):
    shown = worked("inbox").stdout
    assert "zerstört 東京 [/b] :smile: " in shown
    assert "\x1b" not in shown
    assert "\x1b" not in worked("ticket", "show", "1").stdout
    assert "\x1b" not in worked("policy", "explain", "1").stdout


@pytest.mark.parametrize("width", [40, 80])
def test_a_narrow_terminal_cuts_lines_and_never_breaks(worked, monkeypatch, width):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")  # a dumb one has 80 columns for rich, whatever COLUMNS says
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    rows = [{"id": 1, "subject": "東京" * 60, "buyer": "x"}, {"id": 2, "subject": None, "buyer": True}]
    output.print_rows(rows, {"id": "No", "subject": "Subject", "buyer": "Buyer"}, as_json=False, empty="")
    lines = click.unstyle(screen.getvalue()).splitlines()
    assert len(lines) == 3
    assert all(cell_len(line) <= width for line in lines)


def test_through_a_pipe_nothing_is_coloured_and_a_closed_pipe_is_no_error(worked):
    command = [sys.executable, "-m", "aftersail.core.cli.main", "--config", str(worked.config), "inbox"]
    piped = subprocess.run(command, capture_output=True, check=True, env={**os.environ, "COLUMNS": "40"})
    assert "東京" in piped.stdout.decode()
    assert b"\x1b" not in piped.stdout
    reader = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    reader.stdout.close()
    error = reader.stderr.read()
    reader.stderr.close()
    reader.wait(30)
    assert b"Traceback" not in error


def test_a_terminal_of_one_alphabet_shows_the_rest_escaped(worked):
    command = [sys.executable, "-m", "aftersail.core.cli.main", "--config", str(worked.config), "inbox"]
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    shown = subprocess.run(command, capture_output=True, check=True, env=env).stdout
    assert b"zerst\\xf6rt" in shown


def test_errors_stay_in_one_line_whatever_the_terminal(aftersail, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert aftersail.fails("inbox") == (
        f"Error: {aftersail.config} is not there; `aftersail init` writes one, --config names another\n"
    )


def test_doctor_looks_at_everything(open_desk, shop):
    text = open_desk.config.read_text()
    open_desk.config.write_text(text + "plugins: {disabled: [amazon, ebay, logistics]}\n")
    rows = {row["what"]: row for row in open_desk.json("doctor", "--accounts")}
    assert all(row["ok"] for row in rows.values())
    assert {"settings", "database", "plugin email", "plugin shopify", "pack starter", "channel mail"} <= rows.keys()
    assert rows["channel mail"]["detail"].endswith("works")
    shop.mail.change_password("another")
    assert open_desk("doctor").exit_code == 0, "without --accounts nobody is asked"
    rows = {row["what"]: row for row in open_desk.json("doctor", "--accounts", code=1)}
    assert [what for what, row in rows.items() if not row["ok"]] == ["channel mail"]
    assert "refuses the login" in rows["channel mail"]["detail"]


def test_doctor_tells_all_that_is_wrong_at_once(desk):
    desk.config.write_text("pack: starte\ndatabase: sqlite:///other.db\nchannels: {a: {connector: emial}}\n")
    wrong = {row["what"]: row["detail"] for row in desk.json("doctor", code=1) if not row["ok"]}
    assert "aftersail init" in wrong["database"]
    assert "did you mean 'email'?" in wrong["channel a"]
    assert "starter" in wrong["pack starte"]


def test_doctor_where_the_database_cannot_be_reached(desk):
    desk.config.write_text("database: postgresql://shop:hunter2@127.0.0.1:9/desk\n")
    result = desk("doctor", code=1)
    assert "cannot be used" in result.stdout
    assert "hunter2" not in result.output


def test_packs_are_checked(desk, tmp_path):
    pack = tmp_path / "mine.yaml"
    pack.write_text("id: mine\nversion: one\n")
    problems = desk.json("policy", "check", str(pack), code=1)
    assert {"file", "line", "column", "message", "fix", "source", "warning"} == set(problems[0])
    assert f"{pack}:2:10: " in desk("policy", "check", str(pack), code=1).stdout
    shipped = Path(packs.__file__).with_name("starter.yaml")
    assert desk("policy", "check", str(shipped)).stdout == f"{shipped} is right\n"
    assert desk.json("policy", "check", str(shipped)) == []


def test_a_decision_is_explained(worked):
    said = worked("policy", "explain", "1").stdout
    assert "by policy starter, version 1" in said
    arithmetic = said.partition("How the clocks run\n")[2].partition("\n\n")[0].splitlines()
    assert [line.partition(":")[0].strip() for line in arithmetic] == ["first_response", "resolution"]
    assert all(" open " in line or " elapsed " in line for line in arithmetic)
    assert worked.json("policy", "explain", "1")["clocks"] == [line.strip() for line in arithmetic]


def test_jobs_are_listed_cancelled_and_retried(worked):
    (job,) = worked.json("jobs", "list", "--state", "waiting")
    assert worked("jobs", "cancel", job["job_id"]).stdout == f"{job['job_id']} is cancelled\n"
    assert [row["job_id"] for row in worked.json("jobs", "list", "--state", "cancelled")] == [job["job_id"]]
    assert worked("jobs", "retry", job["job_id"]).stdout == f"{job['job_id']} runs again\n"
    assert "only a parked or cancelled job can be retried" in worked.fails("jobs", "retry", job["job_id"])
    for command in ("retry", "cancel"):
        assert "no job has the id 'nothing'" in worked.fails("jobs", command, "nothing")
    assert job["job_id"] in worked("jobs", "list").stdout


def test_a_plugin_is_switched_off_and_on(desk):
    desk("plugins", "disable", "email")
    rows = {row["name"]: row for row in desk.json("plugins", "list")}
    assert rows["email"]["state"] == "disabled"
    assert "no plugin brings connector 'email'" in desk.fails("channel", "add", "email")
    desk("plugins", "enable", "email")
    assert "no plugin is called 'emial'" in desk.fails("plugins", "disable", "emial")


def test_a_plugin_that_breaks_speaks_on_stderr_only(desk, monkeypatch):
    from aftersail.core.host import host
    from aftersail.core.host.plugins import Candidate

    def load():
        raise ImportError("half installed")

    broken = Candidate(name="broken", distribution="aftersail-broken 1", load=load)
    monkeypatch.setattr(host, "discover", lambda: (broken,))
    assert desk.json("inbox") == []
    assert "half installed" in desk("inbox").stderr
    assert "aftersail-broken" in desk("doctor", code=1).stdout
