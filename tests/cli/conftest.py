"""The command line as a person or a script calls it, on a desk of its own per test."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner, Result

from aftersail.core.cli.main import cli
from tests.faults.shop import Shop, open_shop


class CommandLine:
    """Calls commands with one settings file."""

    def __init__(self, config: Path) -> None:
        self.config = config

    def __call__(
        self, *arguments: str, code: int = 0, typed: str | None = None, env: Mapping[str, str] | None = None
    ) -> Result:
        """Call a command and make sure of its exit code; a traceback is never an answer."""
        result = CliRunner(env=env).invoke(cli, ["--config", str(self.config), *arguments], input=typed)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, f"{result.stdout}\n{result.stderr}"
        return result

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Call a command with `--json`; its stdout holds the answer and nothing else."""
        return json.loads(self(*arguments, "--json", code=code).stdout)

    def fails(self, *arguments: str, code: int = 1, typed: str | None = None) -> str:
        """Call a command that must fail, and return what it says on stderr."""
        result = self(*arguments, code=code, typed=typed)
        assert "Traceback" not in result.output
        return result.stderr


@pytest.fixture(autouse=True)
def _own_logs() -> Iterator[None]:
    """Commands set logging up for their process, here for the stderr of one call."""
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AFTERSAIL_DATABASE", raising=False)
    monkeypatch.delenv("AFTERSAIL_CONFIG", raising=False)


@pytest.fixture
def aftersail(tmp_path: Path) -> CommandLine:
    """The command line in an empty folder."""
    return CommandLine(tmp_path / "aftersail.yaml")


@pytest.fixture
def desk(aftersail: CommandLine) -> CommandLine:
    """The command line of a desk that was initialised and has no channel yet."""
    aftersail("init")
    return aftersail


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop with a mailbox on local servers, and the settings of a desk that uses them."""
    with open_shop(tmp_path) as opened:
        throttle = opened.shop._throttle
        throttle.size = throttle.level = throttle.rate = 1e6  # no test here waits for Shopify's budget
        yield opened


@pytest.fixture
def open_desk(aftersail: CommandLine, shop: Shop) -> CommandLine:
    """The command line of the desk that uses the servers of `shop`."""
    aftersail("init")
    return aftersail
