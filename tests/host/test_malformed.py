"""Plugins that are wrong in ways nobody thinks of. What the host does not bear yet is marked as expected to fail."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest

from aftersail.core.host import Host, PluginState
from aftersail.sdk import TicketOpened, hookimpl
from tests.host.conftest import NOW, Bringing, PayingConnector, candidate, channel_of, of_kind, refund, report_of

DECLARED = PayingConnector.declare()


def refused(plugin):
    host = Host([candidate("good", Bringing(of_kind("good").declare())), candidate("bad", plugin)])
    assert set(host.connectors) == {"good"}
    report = report_of(host, "bad")
    assert report.state is PluginState.FAILED
    assert report.cause
    assert report.fix
    return report


class RaisingProperty:
    @property
    def colour(self):
        raise RuntimeError("no colour yet")


def test_what_is_not_iterable_is_refused():
    refused(SimpleNamespace(aftersail_connectors=hookimpl(lambda: 7)))


def test_an_argument_nobody_gives_is_refused():
    assert "config" in refused(SimpleNamespace(aftersail_connectors=hookimpl(lambda config: ()))).cause


def test_an_old_style_wrapper_is_refused():
    def around(refund):
        yield

    assert "issue_refund" in refused(SimpleNamespace(issue_refund=hookimpl(around, hookwrapper=True))).cause


def test_an_attribute_that_raises_is_refused():
    refused(RaisingProperty())


@pytest.mark.parametrize(
    "wrong",
    [{"contract_version": None}, {"capabilities": {}}, {"operations": ["issue_refund"]}, {"kind": ["paying"]}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_connector_type_of_wrong_parts_is_refused(wrong):
    refused(Bringing(dataclasses.replace(DECLARED, **wrong)))


def test_one_kind_twice_in_one_plugin_is_refused():
    assert "taken" in refused(Bringing(of_kind("same").declare(), of_kind("same").declare())).cause


def test_a_wrapper_with_an_argument_nobody_gives_is_refused():
    def around(refund, channel):
        return (yield)

    host = Host([candidate("brings", Bringing(DECLARED)), candidate("bad", wrapping(around))])
    assert report_of(host, "bad").state is PluginState.FAILED
    assert channel_of(host).issue_refund(refund()).amount == refund().amount


def test_a_wrapper_around_a_notification_is_refused_or_runs():
    heard = []

    def around(event):
        heard.append(event)
        return (yield)

    host = Host([candidate("around", SimpleNamespace(aftersail_ticket_opened=hookimpl(around, wrapper=True)))])
    host.notify("aftersail_ticket_opened", TicketOpened(at=NOW, channel="shop", reason="damaged", tier="defect"))
    assert heard or report_of(host, "around").state is PluginState.FAILED


def wrapping(function):
    return SimpleNamespace(issue_refund=hookimpl(function, wrapper=True))
