"""A plugin that is broken is told of by name, with the cause and the fix, and hurts nobody else."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest

from aftersail.core.contract import CONTRACT_VERSION
from aftersail.core.host import Host, PluginState, UnknownKindError
from aftersail.core.host.plugins import Candidate
from aftersail.sdk import Capabilities, Inbound, hookimpl
from tests.host.conftest import Bringing, PayingConnector, candidate, channel_of, of_kind, report_of

GOOD = candidate("good", Bringing(of_kind("good").declare()))


def refused(plugin: object, name: str = "bad"):
    """Load a plugin between two sound ones; those must not notice."""
    after = candidate("later", Bringing(of_kind("later").declare()))
    host = Host([GOOD, candidate(name, plugin), after])
    assert set(host.connectors) == {"good", "later"}
    assert [report_of(host, name).state for name in ("good", "later")] == [PluginState.LOADED] * 2
    report = report_of(host, name)
    assert report.state is PluginState.FAILED
    assert report.fix
    return report


def test_a_sound_plugin_is_loaded():
    host = Host([GOOD])
    report = report_of(host, "good")
    assert (report.state, report.kinds, report.cause) == (PluginState.LOADED, ("good",), "")
    assert channel_of(host, "good").check_account().title == "An account"


@pytest.mark.parametrize("error", [RuntimeError("no licence"), ImportError("no module"), SyntaxError("bad")])
def test_an_import_that_raises_is_named(error):
    report = refused(error)
    assert type(error).__name__ in report.cause
    assert str(error) in report.cause
    assert report.fix == "pip install --upgrade aftersail-bad"


def test_an_import_that_ends_the_process_does_not():
    report = refused(SystemExit(3))
    assert "SystemExit: 3" in report.cause
    assert "aftersail plugins disable bad" in report.fix


def test_ctrl_c_during_an_import_is_not_swallowed():
    with pytest.raises(KeyboardInterrupt):
        Host([candidate("slow", KeyboardInterrupt())])


def test_ctrl_c_in_a_joining_hook_is_not_swallowed():
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Host([candidate("slow", SimpleNamespace(aftersail_connectors=hookimpl(interrupted)))])


def test_a_joining_hook_that_ends_the_process_does_not():
    def leaving():
        raise SystemExit(1)

    report = refused(SimpleNamespace(aftersail_connectors=hookimpl(leaving)))
    assert "SystemExit" in report.cause


def test_a_generator_that_breaks_half_way_brings_nothing():
    def half():
        yield of_kind("half").declare()
        raise ValueError("the rest is missing")

    report = refused(SimpleNamespace(aftersail_connectors=hookimpl(half)))
    assert "the rest is missing" in report.cause
    assert report.kinds == ()


def test_a_misspelt_hook_is_refused_with_the_name_that_was_meant():
    def typo():
        return ()

    report = refused(SimpleNamespace(aftersail_conectors=hookimpl(typo)))
    assert "'aftersail_conectors' is not a hook" in report.cause
    assert "did you mean 'aftersail_connectors'?" in report.cause


def test_a_hook_with_an_argument_nobody_gives_is_refused():
    def wrong(event, colour):
        return None

    report = refused(SimpleNamespace(aftersail_ticket_opened=hookimpl(wrong)))
    assert "colour" in report.cause


def test_functions_without_a_mark_are_left_alone():
    host = Host([candidate("plain", SimpleNamespace(aftersail_conectors=lambda: 1 / 0, issue_refund=lambda: 1 / 0))])
    assert report_of(host, "plain").state is PluginState.LOADED


def test_a_channel_hook_for_every_channel_is_refused():
    def grab(refund):
        return None

    report = refused(SimpleNamespace(issue_refund=hookimpl(grab)))
    assert "'issue_refund' for every channel" in report.cause
    assert "@hookimpl(wrapper=True)" in report.fix


def test_a_taken_kind_names_both_distributions():
    first = candidate("one", Bringing(of_kind("same").declare()), "aftersail-one 1.0")
    second = candidate("two", Bringing(of_kind("same").declare(), of_kind("other").declare()), "aftersail-two 2.0")
    host = Host([first, second])
    report = report_of(host, "two")
    assert report.state is PluginState.FAILED
    assert report.distribution == "aftersail-two 2.0"
    assert "kind 'same' is taken by aftersail-one 1.0" in report.cause
    assert set(host.connectors) == {"same"}, "the refused plugin brings none of its kinds"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_distributions_with_one_name_are_told_apart(order):
    both = [
        Candidate(
            name="twin",
            distribution=f"aftersail-{which} 1.0",
            load=lambda kind=which: Bringing(of_kind(kind).declare()),
        )
        for which in ("left", "right")
    ]
    first, second = (both[index] for index in order)
    host = Host([first, second])
    assert {report.distribution: report.state for report in host.reports} == {
        first.distribution: PluginState.LOADED,
        second.distribution: PluginState.FAILED,
    }
    failed = next(report for report in host.reports if report.state is PluginState.FAILED)
    assert first.distribution in failed.cause


@pytest.mark.parametrize(
    ("version", "fix"),
    [
        ((CONTRACT_VERSION[0], CONTRACT_VERSION[1] + 1), "pip install --upgrade aftersail"),
        ((CONTRACT_VERSION[0] + 1, 0), "pip install --upgrade aftersail"),
        ((CONTRACT_VERSION[0] - 1, 9), "upgrade the plugin"),
    ],
)
def test_another_contract_is_refused_with_the_version_it_wants(version, fix):
    report = refused(Bringing(of_kind("future", contract_version=version).declare()))
    assert f"wants contract {version[0]}.{version[1]}" in report.cause
    assert report.fix == fix


def test_capabilities_that_the_code_contradicts_are_refused():
    liar = of_kind("liar", capabilities=Capabilities(inbound=Inbound.API, case_actions=("approve",)))
    report = refused(Bringing(liar.declare()))
    assert "inbound is 'api', but fetch_messages is not implemented" in report.cause
    assert "case_actions is not empty, but decide_case is not implemented" in report.cause
    assert "issue_refund is implemented, but refund is 'none'" in report.cause


def test_what_is_no_connector_type_is_refused():
    report = refused(Bringing(PayingConnector))
    assert "not a ConnectorType" in report.cause
    assert "declare()" in report.fix


def test_operations_that_do_not_exist_are_refused():
    strange = dataclasses.replace(PayingConnector.declare(), operations=frozenset({"fetch_mesages"}))
    report = refused(Bringing(strange))
    assert "fetch_mesages" in report.cause


def test_a_disabled_plugin_is_never_imported():
    host = Host([GOOD, candidate("bad", SystemExit(1))], disabled=["bad"])
    report = report_of(host, "bad")
    assert (report.state, report.fix) == (PluginState.DISABLED, "aftersail plugins enable bad")


def test_a_missing_kind_names_the_nearest_or_the_package():
    host = Host([GOOD])
    with pytest.raises(UnknownKindError, match="did you mean 'good'"):
        channel_of(host, "god")
    with pytest.raises(UnknownKindError, match="pip install aftersail-zalando, or one of: good"):
        channel_of(host, "zalando")


def test_refusals_are_logged_once_with_their_cause(log):
    Host([candidate("bad", RuntimeError("no licence"))])
    (line,) = [line for line in log if line["event"] == "plugin_refused"]
    assert line["plugin"] == "bad"
    assert "no licence" in line["cause"]
