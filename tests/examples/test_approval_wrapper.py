"""The example in `examples/approval_wrapper`, as a reader would install it: around two connectors and two accounts."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aftersail.core.host import Host, PluginState
from aftersail.core.host.plugins import Candidate
from aftersail.sdk import (
    Capabilities,
    ChannelContext,
    Connector,
    ConnectorSettings,
    Money,
    NotAllowed,
    RefundCapability,
    RefundMode,
    RefundReceipt,
    RefundRequest,
    RefundState,
    hookimpl,
)

FOLDER = Path(__file__).parents[2] / "examples" / "approval_wrapper"
NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


class LeftConnector(Connector[ConnectorSettings]):
    kind = "left"
    title = "Left"
    settings_model = ConnectorSettings
    capabilities = Capabilities(refund=RefundCapability(mode=RefundMode.SYNC))

    def __init__(self, settings, context):
        super().__init__(settings, context)
        self.paid = []

    def issue_refund(self, refund):
        self.paid.append(refund.key)
        return RefundReceipt(external_id=refund.key, state=RefundState.SETTLED, amount=refund.amount, at=NOW)


class RightConnector(LeftConnector):
    kind = "right"
    title = "Right"


def wrapper():
    spec = importlib.util.spec_from_file_location("approval_wrapper_of_test", FOLDER / "approval_wrapper.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def brings(*connectors):
    return SimpleNamespace(aftersail_connectors=hookimpl(lambda: [connector.declare() for connector in connectors]))


def host(*others, first=False):
    plugins = {"approval": wrapper(), "left": brings(LeftConnector), "right": brings(RightConnector)}
    names = list(plugins) if first else list(reversed(plugins))
    more = {f"other-{number}": plugin for number, plugin in enumerate(others)}
    return Host(
        Candidate(name=name, distribution=f"{name} 1.0", load=lambda name=name: (plugins | more)[name])
        for name in [*names, *more]
    )


def channel(on, kind="left", name="shop"):
    return on.build_channel(kind, ConnectorSettings(), ChannelContext(channel_id=name, now=lambda: NOW))


def paid(on):
    return on._connector.paid


def refund(amount, key="key-1", currency="EUR"):
    return RefundRequest(key=key, order_id="order-1", amount=Money.of(amount, currency), planned_at=NOW)


@pytest.fixture
def signed(tmp_path, monkeypatch):
    path = tmp_path / "signed.txt"
    path.write_text("", encoding="utf-8")
    monkeypatch.setenv("APPROVAL_LIMITS", "EUR=100, USD=110")
    monkeypatch.setenv("APPROVAL_APPROVERS", "dana,kim")
    monkeypatch.setenv("APPROVAL_FILE", str(path))
    return lambda text: path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("first", [True, False], ids=["wrapper first", "wrapper last"])
@pytest.mark.parametrize("kind", ["left", "right"])
def test_it_guards_every_channel_wherever_it_is_loaded(signed, kind, first):
    shop = channel(host(first=first), kind)
    assert shop.issue_refund(refund("100.00", "small")).state is RefundState.SETTLED
    with pytest.raises(NotAllowed, match=r"100\.01 EUR is above the limit; sign it first: large NAME"):
        shop.issue_refund(refund("100.01", "large"))
    assert paid(shop) == ["small"]


def test_a_signature_lets_one_refund_through_and_no_other(signed):
    shop = channel(host())
    signed("key-1 dana\n\n")
    shop.issue_refund(refund("500", "key-1"))
    with pytest.raises(NotAllowed):
        shop.issue_refund(refund("500", "key-2"))
    assert paid(shop) == ["key-1"]


def test_a_signature_of_somebody_else_is_none(signed):
    shop = channel(host())
    signed("key-1 mallory\n")
    with pytest.raises(NotAllowed):
        shop.issue_refund(refund("500"))
    assert paid(shop) == []


def test_what_passes_on_one_account_reaches_no_other(signed):
    on = host()
    shops = [channel(on, "left", "one"), channel(on, "left", "two"), channel(on, "right", "three")]
    signed("key-1 kim")
    shops[0].issue_refund(refund("500"))
    assert [paid(shop) for shop in shops] == [["key-1"], [], []]


def test_a_currency_without_a_limit_may_not_leave_unsigned(signed):
    shop = channel(host())
    with pytest.raises(NotAllowed):
        shop.issue_refund(refund("1", currency="JPY"))
    assert paid(shop) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("APPROVAL_LIMITS", "EUR=much"), ("APPROVAL_LIMITS", "EUR"), ("APPROVAL_FILE", "no/such/file")],
)
def test_wrong_settings_hold_back_and_never_let_through(signed, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    shop = channel(host())
    with pytest.raises(NotAllowed, match="held back, the settings of approval-wrapper are wrong"):
        shop.issue_refund(refund("500"))
    assert paid(shop) == []


def test_a_line_that_is_no_signature_holds_back(signed):
    signed("key-1\n")
    shop = channel(host())
    with pytest.raises(NotAllowed, match="held back"):
        shop.issue_refund(refund("500"))
    assert paid(shop) == []


def test_without_settings_nothing_leaves(monkeypatch):
    for name in ("APPROVAL_LIMITS", "APPROVAL_APPROVERS", "APPROVAL_FILE"):
        monkeypatch.delenv(name, raising=False)
    shop = channel(host())
    with pytest.raises(NotAllowed):
        shop.issue_refund(refund("0.01"))
    assert paid(shop) == []


def test_a_plugin_that_would_go_around_it_is_refused(signed):
    everything = []

    def grab(refund):
        everything.append(refund)

    around = SimpleNamespace(issue_refund=hookimpl(grab))
    on = host(around)
    assert [report.state for report in on.reports if report.name == "other-0"] == [PluginState.FAILED]
    with pytest.raises(NotAllowed):
        channel(on).issue_refund(refund("500"))
    assert everything == []


def test_a_wrapper_outside_it_may_lie_but_not_pay(signed):
    def lying(refund):
        try:
            yield
        except NotAllowed:
            return RefundReceipt(external_id="none", state=RefundState.SETTLED, amount=refund.amount, at=NOW)

    shop = channel(host(SimpleNamespace(issue_refund=hookimpl(lying, wrapper=True, tryfirst=True))))
    shop.issue_refund(refund("500"))
    assert paid(shop) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(amount=st.decimals("0.01", "1000", places=2), signature=st.sampled_from(["", "key-1 dana", "key-2 dana"]))
def test_it_pays_exactly_what_is_within_the_limit_or_signed(signed, amount, signature):
    signed(signature)
    shop = channel(host())
    allowed = amount <= Decimal(100) or signature == "key-1 dana"
    try:
        shop.issue_refund(refund(amount))
    except NotAllowed:
        assert not allowed
    assert paid(shop) == (["key-1"] if allowed else [])
