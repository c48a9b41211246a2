"""One relay per channel: no call reaches another account, wrappers stand around, nobody stands in the way unseen."""

from __future__ import annotations

import pytest
from pluggy import HookimplMarker

from aftersail.core.host import Host, HostError
from aftersail.core.host.channel import ConnectorDefectError
from aftersail.sdk import Invalid, NotAllowed, Unavailable, hookimpl
from tests.host.conftest import Bringing, PayingConnector, candidate, channel_of, of_kind, refund, report_of


class Noting:
    """Stands around issue_refund and notes when."""

    def __init__(self, name, notes, **order):
        def issue_refund(refund):
            notes.append(f"{name} before {refund.key}")
            try:
                return (yield)
            finally:
                notes.append(f"{name} after {refund.key}")

        self.issue_refund = hookimpl(issue_refund, wrapper=True, **order)


def host_with(*wrappers, connector=PayingConnector):
    plugins = [candidate("brings", Bringing(connector.declare()))]
    return Host([*plugins, *(candidate(f"wrapper-{number}", item) for number, item in enumerate(wrappers))])


def ledger(channel):
    return channel._connector.ledger


def test_a_refund_reaches_its_own_account_only():
    host = host_with()
    one, two = channel_of(host, channel="one"), channel_of(host, channel="two")
    assert one.issue_refund(refund()).external_id == "one-refund-1"
    assert list(ledger(one)) == ["refund-1"]
    assert ledger(two) == {}


def test_wrappers_stand_around_the_connector_the_later_one_outside():
    notes = []
    channel = channel_of(host_with(Noting("first", notes), Noting("second", notes)))
    channel.issue_refund(refund())
    assert notes == [
        "second before refund-1",
        "first before refund-1",
        "first after refund-1",
        "second after refund-1",
    ]


def test_tryfirst_and_trylast_move_a_wrapper():
    notes = []
    wrappers = Noting("inner", notes, trylast=True), Noting("plain", notes), Noting("outer", notes, tryfirst=True)
    channel_of(host_with(*reversed(wrappers))).issue_refund(refund())
    assert [note.split()[0] for note in notes[:3]] == ["outer", "plain", "inner"]


def test_a_wrapper_sees_every_channel_and_every_kind():
    notes = []
    plugins = [
        candidate("brings", Bringing(of_kind("left").declare(), of_kind("right").declare())),
        candidate("notes", Noting("seen", notes)),
    ]
    host = Host(plugins)
    assert report_of(host, "notes").wraps == ("issue_refund",)
    channel_of(host, "left").issue_refund(refund(key="a"))
    channel_of(host, "right").issue_refund(refund(key="b"))
    assert notes == ["seen before a", "seen after a", "seen before b", "seen after b"]


def test_a_wrapper_that_comes_before_the_connector_counts_too():
    notes = []
    host = Host([candidate("a", Noting("seen", notes)), candidate("z", Bringing(PayingConnector.declare()))])
    channel_of(host).issue_refund(refund())
    assert len(notes) == 2


def test_a_wrapper_may_refuse_before_anything_is_sent():
    class Refusing:
        @hookimpl(wrapper=True)
        def issue_refund(self, refund):
            raise NotAllowed("not today")
            yield

    channel = channel_of(host_with(Refusing()))
    with pytest.raises(NotAllowed, match="not today"):
        channel.issue_refund(refund())
    assert ledger(channel) == {}


def test_errors_of_the_closed_set_pass_through_wrappers_unchanged():
    def broke(self, refund):
        raise Invalid("more than is left", code="E1")

    notes = []
    channel = channel_of(host_with(Noting("seen", notes), connector=of_kind("paying", issue_refund=broke)))
    with pytest.raises(Invalid, match="more than is left") as caught:
        channel.issue_refund(refund())
    assert caught.value.code == "E1"
    assert notes == ["seen before refund-1", "seen after refund-1"]


@pytest.mark.parametrize(
    "wrapper",
    [
        pytest.param(lambda refund: iter(()), id="never yields"),
        pytest.param(lambda refund: (None for _ in range(2)), id="yields twice"),
    ],
)
def test_a_defective_wrapper_is_a_defect_and_no_success(wrapper):
    def issue_refund(refund):
        yield from wrapper(refund)

    class Defective:
        pass

    plugin = Defective()
    plugin.issue_refund = hookimpl(issue_refund, wrapper=True)
    with pytest.raises(ConnectorDefectError, match="issue_refund is defective"):
        channel_of(host_with(plugin)).issue_refund(refund())


def test_a_wrapper_that_changes_the_answer_to_another_type_is_found_out():
    class Lying:
        @hookimpl(wrapper=True)
        def issue_refund(self, refund):
            yield
            return "done"

    with pytest.raises(ConnectorDefectError, match="answered str instead of RefundReceipt"):
        channel_of(host_with(Lying())).issue_refund(refund())


def test_an_exception_outside_the_closed_set_is_a_defect_that_names_channel_and_hook():
    def broke(self):
        raise KeyError("name")

    channel = channel_of(host_with(connector=of_kind("paying", check_account=broke)), channel="my-shop")
    with pytest.raises(ConnectorDefectError, match=r"channel my-shop: the connector's check_account.*KeyError"):
        channel.check_account()


def test_one_broken_connector_hurts_no_other_channel():
    def broke(self):
        raise RuntimeError("bad")

    types = of_kind("broken", check_account=broke).declare(), of_kind("sound").declare()
    host = Host([candidate("brings", Bringing(*types))])
    with pytest.raises(ConnectorDefectError):
        channel_of(host, "broken").check_account()
    assert channel_of(host, "sound").check_account().title == "An account"


def test_what_the_connector_does_not_override_does_not_exist():
    channel = channel_of(host_with())
    assert not channel.can("buy_label")
    with pytest.raises(NotAllowed, match="Paying cannot do this through its API: quote_refund"):
        channel.quote_refund("order-1")


def test_a_wrapper_around_a_missing_operation_does_not_make_it_exist():
    class Eager:
        @hookimpl(wrapper=True)
        def quote_refund(self, order_id):
            return (yield)

    with pytest.raises(NotAllowed):
        channel_of(host_with(Eager())).quote_refund("order-1")


def test_marks_of_another_project_do_not_stand_around():
    class Foreign:
        @HookimplMarker("another")(wrapper=True)
        def issue_refund(self, refund):
            raise AssertionError("never called")
            yield

    host = host_with(Foreign())
    assert report_of(host, "wrapper-0").wraps == ()
    assert channel_of(host).issue_refund(refund()).amount == refund().amount


def test_a_connector_that_cannot_be_made_names_its_channel():
    def broken(self, settings, context):
        raise Unavailable("no route")

    host = host_with(connector=of_kind("paying", __init__=broken))
    with pytest.raises(HostError, match="channel my-shop: the paying connector could not be made"):
        channel_of(host, channel="my-shop")
