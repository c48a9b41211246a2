"""Plugins in two forms: objects given to the host directly, and installed distributions made on the spot."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
import structlog
from click.testing import CliRunner, Result
from structlog.testing import capture_logs

from aftersail.core.cli.main import cli
from aftersail.core.host import Channel, Host, PluginReport
from aftersail.core.host.plugins import Candidate
from aftersail.sdk import (
    Account,
    Capabilities,
    ChannelContext,
    Connector,
    ConnectorSettings,
    Idempotency,
    Money,
    PartialRefund,
    RefundCapability,
    RefundMode,
    RefundReceipt,
    RefundRequest,
    RefundState,
    hookimpl,
)

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)

LogLines = list[dict[str, object]]


class PayingConnector(Connector[ConnectorSettings]):
    """Books refunds into a ledger of its own; each instance is one account."""

    kind = "paying"
    title = "Paying"
    settings_model = ConnectorSettings
    capabilities = Capabilities(
        refund=RefundCapability(mode=RefundMode.SYNC, partial=PartialRefund.AMOUNT, idempotency=Idempotency.KEY)
    )

    def __init__(self, settings, context):
        super().__init__(settings, context)
        self.ledger = {}

    def check_account(self):
        return Account(external_id=self.context.channel_id, title="An account")

    def issue_refund(self, refund):
        self.ledger.setdefault(refund.key, refund.amount)
        return RefundReceipt(
            external_id=f"{self.context.channel_id}-{refund.key}",
            state=RefundState.SETTLED,
            amount=refund.amount,
            at=NOW,
        )


class Bringing:
    """A plugin that brings connector types, as they are given."""

    def __init__(self, *types):
        self._types = types

    @hookimpl
    def aftersail_connectors(self):
        return self._types


def of_kind(kind: str, **members: object) -> type[PayingConnector]:
    """Make a connector class that differs from `PayingConnector` in its kind and whatever else is given."""
    return type(f"{kind.title()}Connector", (PayingConnector,), {"kind": kind, **members})


def candidate(name: str, plugin: object, distribution: str = "") -> Candidate:
    """Offer a plugin to the host; a callable of the name `load…` is called, anything else is the plugin itself."""

    def load() -> object:
        if isinstance(plugin, BaseException):
            raise plugin
        return plugin

    return Candidate(name=name, distribution=distribution or f"aftersail-{name} 1.0", load=load)


def report_of(host: Host, name: str) -> PluginReport:
    """Find the one report of a plugin."""
    (found,) = [report for report in host.reports if report.name == name]
    return found


def channel_of(host: Host, kind: str = "paying", channel: str = "shop") -> Channel:
    """Build one channel."""
    return host.build_channel(kind, ConnectorSettings(), ChannelContext(channel_id=channel, now=lambda: NOW))


def refund(amount: str = "7.50", key: str = "refund-1", order: str = "order-1") -> RefundRequest:
    """Ask for money."""
    return RefundRequest(key=key, order_id=order, amount=Money.of(amount, "EUR"), planned_at=NOW)


@pytest.fixture(autouse=True)
def log() -> Iterator[LogLines]:
    """What was logged; whatever a command does to the log's configuration ends with the test."""
    before = structlog.get_config()
    with capture_logs() as lines:
        yield lines
    structlog.configure(**before)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install a distribution with one plugin, as pip would: a module and its metadata on the path."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def put(distribution: str, name: str, source: str, *, version: str = "1.0", group: str = "aftersail.plugins"):
        module = f"{distribution.replace('-', '_')}_of_test"
        (site / f"{module}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}\n", encoding="utf-8")

    return put


@pytest.fixture
def aftersail(tmp_path: Path) -> Callable[..., Result]:
    """Run a command of ours in this process, on a settings file of the test's own."""
    config = tmp_path / "desk" / "aftersail.yaml"
    config.parent.mkdir()

    def run(*arguments: str) -> Result:
        result = CliRunner().invoke(cli, ["--config", str(config), *arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit | click.ClickException):
            raise result.exception
        return result

    return run
