"""Help is there at once: `aftersail --help` imports click, rich and our own few modules, nothing else."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys

import pytest

from aftersail.core.cli import main

# What the base and the extras bring, and what of the standard library is slow to import.
HEAVY = {
    *("aftersail_amazon", "aftersail_ebay", "aftersail_email", "aftersail_logistics", "aftersail_shopify"),
    *("ahocorasick", "alembic", "authres", "babel", "cel", "cel_expr_python", "chardet", "dbos", "fastapi", "flufl"),
    *("holidays", "httpcore", "httpx", "imap_tools", "jinja2", "minijinja", "nh3", "numpy", "opening_hours", "pluggy"),
    *(
        "opentelemetry",
        "prometheus_client",
        "psycopg",
        "py3langid",
        "pydantic",
        "pydantic_core",
        "pyrage",
        "pytest",
        "ruamel",
        "selectolax",
        "sqlalchemy",
    ),
    *("starlette", "structlog", "tenacity", "uvicorn", "asyncio", "http", "multiprocessing", "sqlite3", "ssl"),
}
OURS = {
    "aftersail",
    "aftersail.core",
    "aftersail.core.cli",
    "aftersail.core.cli.lazy",
    "aftersail.core.cli.main",
}


def imported(*arguments: str) -> set[str]:
    """List every module that a run of the command line imports, as the interpreter itself reports it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    command = [sys.executable, "-X", "importtime", "-m", "aftersail.core.cli.main", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


def tops(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


@pytest.mark.parametrize("arguments", [("--help",), ("--version",)])
def test_help_imports_only_the_command_line(arguments):
    # A `.pth` file of an installed package may import what it likes at every start of Python.
    before = {line.rpartition("|")[2].strip() for line in _bare().splitlines() if line.startswith("import time:")}
    found = imported(*arguments) - before
    assert "rich_click" in found
    assert tops(found) & HEAVY == set()
    # The module that runs is `__main__`, so it is not among those that were imported.
    assert {module for module in found if module.startswith("aftersail")} <= OURS


def test_a_command_that_needs_the_host_is_not_light():
    assert {"pydantic", "structlog"} <= tops(imported("plugins", "list"))


@pytest.mark.parametrize("name", main._COMMANDS)
def test_every_command_that_help_names_is_there(name):
    module, attribute, text = main._COMMANDS[name]
    command = getattr(importlib.import_module(module), attribute)
    assert command.name == name
    assert text.endswith(".")


def _bare() -> str:
    return subprocess.run(
        [sys.executable, "-X", "importtime", "-c", ""], capture_output=True, text=True, check=True
    ).stderr
