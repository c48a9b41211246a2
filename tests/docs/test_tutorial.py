"""The tutorial, as a reader would follow it: its files written down, its suite run, its commands typed in."""

from __future__ import annotations

import importlib
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner

from aftersail.core.cli.main import cli
from aftersail.core.host import Host, PluginState
from aftersail.core.host.plugins import discover

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text(encoding="utf-8")
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
RULES_HOLD = re.search(r"^pigeon: (\w+) \((\d+) rules hold\)$", PAGE, re.MULTILINE)


def blocks(language):
    return [(title, text) for found, title, text in BLOCK.findall(PAGE) if found == language]


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """The plugin of the page, installed: its files, and the metadata pip would write for its pyproject.toml."""
    folder = tmp_path / "aftersail-pigeon"
    for title, text in [*blocks("toml"), *blocks("python")]:
        path = folder / title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    points = [
        line
        for group, given in project["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in given.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(points) + "\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == "aftersail_pigeon"]:
        del sys.modules[name]


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """An empty folder to work in; what commands do to the log's configuration ends with the test."""
    before = structlog.get_config()
    folder = tmp_path / "desk"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield folder
    structlog.configure(**before)


def typed(line, *, answers=""):
    """Type one command in. The daemon takes signals and threads, so it gets a process of its own."""
    words = shlex.split(line)
    assert words[0] == "aftersail", line
    if words[1] == "run":
        done = subprocess.run(
            [sys.executable, "-m", "aftersail.core.cli.main", *words[1:]],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == 0, f"$ {line}\n{done.stdout}{done.stderr}"
        return done.stdout
    result = CliRunner().invoke(cli, words[1:], input=answers)
    assert result.exit_code == 0, f"$ {line}\n{result.output}\n{result.exception!r}"
    return result.stdout


def test_the_plugin_is_found_and_whole(plugin):
    host = Host(candidate for candidate in discover() if candidate.name == "pigeon")
    (report,) = host.reports
    assert (report.state, report.kinds) == (PluginState.LOADED, ("pigeon",)), report.cause
    assert report.distribution == "aftersail-pigeon 0.1.0"


def test_the_contract_suite_says_what_the_page_says(plugin):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            str(plugin),
            str(plugin / "tests"),
        ],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        cwd=plugin,
    )
    assert done.returncode == 0, done.stdout
    assert RULES_HOLD[0] in done.stdout.splitlines(), done.stdout


def test_without_the_mark_of_a_write_the_suite_says_so(plugin):
    connector = plugin / "aftersail_pigeon" / "connector.py"
    text = connector.read_text(encoding="utf-8")
    harmed = text.replace('operation="reply", write=True', 'operation="reply"')
    assert harmed != text
    connector.write_text(harmed, encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            str(plugin),
            "-k",
            "ambiguous",
            "tests",
        ],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        cwd=plugin,
    )
    assert done.returncode == 1
    assert "contract rule write-outcome-unknown is broken" in done.stdout


def test_the_commands_do_what_the_page_says(plugin, desk):
    commands = [line.removeprefix("$ ") for _, text in blocks("console") for line in text.splitlines()]
    assert all(line.startswith("aftersail ") for line in commands)
    simulator = importlib.import_module("aftersail_pigeon.simulator").morning()
    said = {}
    with simulator.serve() as address:
        for line in commands:
            answers = f"{simulator.token}\n" if "channel add" in line else ""
            said[line] = typed(line.replace("http://127.0.0.1:8123", address), answers=answers)
        refunds = json.loads(typed("aftersail refund list --json"))
    assert simulator.token not in (desk / "aftersail.yaml").read_text(encoding="utf-8")
    assert "A scratch" in said["aftersail inbox"]
    assert "7.45 USD" in said["aftersail policy explain 1"]
    assert "Do you also sell lofts?" in said["aftersail ticket show 2"]
    assert [(item["order"], item["amount"]) for item in simulator.refunds] == [("P-1", "7.45")]
    assert [(row["state"], row["key"]) for row in refunds] == [("settled", simulator.refunds[0]["key"])]
    assert sorted(thread for thread, _ in simulator.sent) == ["T-1", "T-2"]
    assert ("T-2", "Not yet, but ask again in spring.") in simulator.sent


def test_every_block_is_run():
    assert {title for title, _ in blocks("python")} >= {"aftersail_pigeon/connector.py", "tests/test_contract.py"}
    assert all(title for title, _ in [*blocks("python"), *blocks("toml")]), "a block without a title is not run"
    assert {language for language, _, _ in BLOCK.findall(PAGE)} == {"text", "toml", "python", "console"}
