"""From sources to sdist to wheel to a fresh environment that holds what the wheels ask for, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
from functools import cache
from pathlib import Path
from zipfile import ZipFile

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
PLUGINS = ("amazon", "ebay", "email", "logistics", "shopify")
DISTRIBUTIONS = ("aftersail", *(f"aftersail_{name}" for name in PLUGINS))

# Imports every module of the packages it is given, but for the two that only Alembic can run, and names them.
IMPORT_ALL = """
import importlib, pkgutil, sys
def broken(name):
    raise
for package in map(importlib.import_module, sys.argv[1:]):
    print(package.__name__)
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".", onerror=broken):
        if ".migrations.env" not in module.name and ".migrations.versions" not in module.name:
            importlib.import_module(module.name)
            print(module.name)
"""


def source(distribution: str) -> Path:
    return ROOT if distribution == "aftersail" else ROOT / "plugins" / distribution.removeprefix("aftersail_")


def run(*command: str | Path, folder: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a command as a stranger to this checkout: from another folder, without its paths."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "AFTERSAIL"))}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def modules(package: Path) -> set[str]:
    found = set()
    for path in package.rglob("*.py"):
        parts = path.relative_to(package.parent).with_suffix("").parts
        if "migrations" not in parts or path.stem == "__init__":
            found.add(".".join(part for part in parts if part != "__init__"))
    return found


class Environment:
    """A virtual environment of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        venv.create(folder, with_pip=False)
        self.scripts = folder / ("Scripts" if os.name == "nt" else "bin")
        self.python = self.scripts / "python"

    def install(self, *requirements: str) -> None:
        pip = (sys.executable, "-m", "pip", "--python", self.python, "install", "--quiet", "--no-compile")
        run(*pip, "--constraint", ROOT / "constraints.txt", *requirements, folder=self.folder)

    def aftersail(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        return run(self.scripts / "aftersail", *arguments, folder=self.folder, code=code)

    def plugins(self) -> dict[str, str]:
        rows = json.loads(self.aftersail("plugins", "list", "--json").stdout)
        return {row["name"]: f"{row['state']} {row['cause']}".strip() for row in rows}

    def import_all(self, *packages: str) -> set[str]:
        return set(run(self.python, "-I", "-c", IMPORT_ALL, *packages, folder=self.folder).stdout.split())


@cache
def build(distribution: str, folder: Path) -> tuple[Path, Path]:
    """Build sdist → wheel from a copy of the files, so that no tool's leftovers get in."""
    copy = folder / "sources" / distribution
    left_out = shutil.ignore_patterns("__pycache__", "*.egg-info", "tests", "recordings")
    copy.mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", ".gitignore"):
        if (source(distribution) / name).exists():
            shutil.copy(source(distribution) / name, copy)
    shutil.copytree(source(distribution) / distribution, copy / distribution, ignore=left_out)
    out = folder / "dist" / distribution
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, copy, folder=folder)
    (sdist,) = out.glob("*.tar.gz")
    (wheel,) = out.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packaging")

    def wheel(distribution: str) -> Path:
        return build(distribution, folder)[1]

    wheel.sdist = lambda distribution: build(distribution, folder)[0]
    return wheel


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_a_wheel_holds_every_file_of_its_package(wheels, distribution):
    package = source(distribution) / distribution
    files = {
        path.relative_to(package.parent).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with ZipFile(wheels(distribution)) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
        licences = [name for name in wheel.namelist() if name.endswith(".dist-info/licenses/LICENSE")]
        assert [wheel.read(name) for name in licences] == [(ROOT / "LICENSE").read_bytes()]
    assert held == files
    assert f"{distribution}/py.typed" in held


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_an_sdist_holds_what_a_wheel_is_built_from_and_no_link(wheels, distribution):
    with tarfile.open(wheels.sdist(distribution)) as sdist:
        assert [member.name for member in sdist.getmembers() if member.issym() or member.islnk()] == []
        names = {member.name.partition("/")[2] for member in sdist.getmembers()}
    assert {"pyproject.toml", "README.md", "LICENSE", f"{distribution}/__init__.py"} <= names


def test_the_core_brings_its_data(wheels):
    with ZipFile(wheels("aftersail")) as wheel:
        held = set(wheel.namelist())
    for file in (
        "cli/demo/scenario.yaml",
        "packs/law/law-eu.yaml",
        "packs/market/market-amazon.yaml",
        "packs/seller/hw-tiers-a.yaml",
        "packs/starter.yaml",
        "store/migrations/env.py",
        "store/migrations/versions/0001_first.py",
        "triage/codes/ebay.yaml",
        "triage/phrases/ja.yaml",
        "web/static/desk.css",
        "web/static/vendor/htmx/htmx.min.js",
        "web/templates/inbox.html",
    ):
        assert f"aftersail/core/{file}" in held


def test_a_fresh_environment_imports_every_module_and_lists_all_five_plugins(wheels, tmp_path):
    environment = Environment(tmp_path / "environment")
    environment.install(
        f"{wheels('aftersail')}[desk,testing]",
        f"{wheels('aftersail_email')}[simulator]",
        *(str(wheels(f"aftersail_{name}")) for name in PLUGINS if name != "email"),
    )
    assert environment.plugins() == dict.fromkeys(PLUGINS, "loaded")
    wanted = set().union(*(modules(source(name) / name) for name in DISTRIBUTIONS))
    assert wanted - environment.import_all(*DISTRIBUTIONS) == set()
    environment.aftersail("init")
    assert environment.aftersail("inbox").stdout == "no open tickets\n"


def test_the_base_alone_says_which_command_installs_the_desk(wheels, tmp_path):
    environment = Environment(tmp_path / "environment")
    environment.install(str(wheels("aftersail")))
    assert environment.plugins() == {}
    assert environment.import_all("aftersail.core.contract", "aftersail.core.host") >= {"aftersail.core.host.relay"}
    for command in (["init"], ["inbox"], ["run"], ["doctor"], ["demo"]):
        refused = environment.aftersail(*command, code=2)
        assert "pip install 'aftersail[desk]'" in refused.stderr
        assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("name", PLUGINS)
def test_a_plugin_installs_alone_with_the_base(wheels, tmp_path, name):
    environment = Environment(tmp_path / "environment")
    environment.install(str(wheels("aftersail")), str(wheels(f"aftersail_{name}")))
    assert environment.plugins() == {name: "loaded"}
    wanted = modules(source(f"aftersail_{name}") / f"aftersail_{name}")
    if name == "email":  # The mail servers are an extra; the entry point of the simulator says so where it is asked.
        wanted -= {"aftersail_email.simulator"}
        run(environment.python, "-I", "-c", "import aftersail_email.simulator", folder=tmp_path, code=1)
        packages = sorted(wanted - {"aftersail_email"})
        run(environment.python, "-I", "-c", f"import {', '.join(packages)}", folder=tmp_path)
    else:
        assert wanted == environment.import_all(f"aftersail_{name}")
