"""The files in `deploy/`: the unit is one that systemd takes, tight, and both name commands that are there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from aftersail.core.cli import main

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
EXPOSURE = re.compile(r"Overall exposure level for \S+: ([\d.]+)")

systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze on this machine")


def unit(folder: Path) -> Path:
    """The unit with a program and a user that are on this machine."""
    text = (DEPLOY / "aftersail.service").read_text()
    text = text.replace("/opt/aftersail/bin/aftersail", sys.executable)
    text = re.sub(r"(User|Group)=aftersail", r"\1=root", text)
    path = folder / "aftersail.service"
    path.write_text(text)
    return path


@systemd
def test_systemd_takes_the_unit(tmp_path):
    done = subprocess.run(["systemd-analyze", "verify", unit(tmp_path)], capture_output=True, text=True, check=False)  # noqa: S607 - on PATH
    about = [line for line in done.stderr.splitlines() if "aftersail.service" in line]
    assert (done.returncode, about) == (0, [])


@systemd
def test_the_unit_is_tight():
    command = ["systemd-analyze", "security", "--offline=yes", DEPLOY / "aftersail.service"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = EXPOSURE.search(done.stdout)
    assert found, done.stderr
    assert float(found[1]) <= 2.0


@pytest.mark.parametrize(
    "line",
    [
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "StateDirectory=aftersail",
        "Restart=on-failure",
        "TimeoutStopSec=30",
    ],
)
def test_the_unit_says(line):
    assert line in (DEPLOY / "aftersail.service").read_text().splitlines()


def test_the_image_runs_as_nobody_in_particular_and_is_asked_how_it_is():
    lines = (DEPLOY / "Containerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("USER ")] == ["USER 10001:10001"]
    assert any("/healthz" in line for line in lines)
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert all("/" not in base and base.endswith("-slim") for base in bases)
    for name in re.findall(r"/src/plugins/(\w+)", "\n".join(lines)):
        assert (ROOT / "plugins" / name / "pyproject.toml").exists()


def test_the_image_installs_extras_that_are_there():
    (extras,) = re.findall(r'"/src\[(.*?)\]"', (DEPLOY / "Containerfile").read_text())
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(extras.split(",")) <= known.keys()


def test_the_readme_names_commands_that_are_there():
    text = (DEPLOY / "README.md").read_text()
    called = set(re.findall(r"(?:bin/aftersail|`aftersail|/var/lib/aftersail aftersail) (\w+)", text))
    assert {"init", "run", "backup", "channel"} <= called
    assert called <= set(main._COMMANDS)
