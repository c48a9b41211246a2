"""Returns in one act: one RMA, one label, one approval, however often somebody clicks and wherever the process dies."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest
import sqlalchemy as sa

from aftersail.core.cli.ticket_text import print_ticket
from aftersail.core.contract import CaseAction
from aftersail.core.desk.agent import decide_open_case
from aftersail.core.desk.returns import open_return
from aftersail.core.desk.services import ChannelInfo, Services
from aftersail.core.desk.tickets import TicketError
from aftersail.core.desk.views import ticket_view
from aftersail.core.remedies.returns import ReturnError, bought_label, rma_rows
from aftersail.core.store import tables
from aftersail.sdk import Ambiguous, Invalid, RateLimited
from tests.remedies.errors import raising
from tests.remedies.platforms import KINDS, Crash
from tests.remedies.test_crashes import Plug
from tests.web.filling import PACKS

LINES = [
    {"external_id": "l1", "title": "Desk lamp", "quantity": 2, "sku": "LAMP-7", "unit_price": {}},
    {"external_id": "l2", "title": "Bulb", "quantity": 1, "sku": "BULB", "unit_price": {}},
    {"external_id": "l3", "title": "Bulb, warm", "quantity": 1, "sku": "BULB", "unit_price": {}},
]


class Returns:
    """A desk on the world's channels that opens returns."""

    def __init__(self, world):
        self.world = world
        self.infos = {name: self._info(name, connector) for name, connector in KINDS.items()}
        self.services = Services(packs=PACKS, pack_id="starter", triage=None, jobs=world.jobs, channels=self.infos)

    def _info(self, name, connector):
        declared = connector.declare()
        capabilities = declared.capabilities.model_copy(update={"case_actions": ("approve", "decline")})
        return ChannelInfo(id=name, kind=name, title=name, capabilities=capabilities, operations=declared.operations)

    def without(self, channel, *operations, **values):
        """Let a channel do less, or know more."""
        info = self.infos[channel]
        known = {**vars(info), "operations": info.operations - set(operations), **values}
        self.infos[channel] = ChannelInfo(**known)

    def claim(self, channel="key", **order):
        return self.world.claim(channel, **({"lines": LINES, "link": "https://shop.example/o"} | order))

    def open(self, claim, *lines, label=False, actor="ada"):
        with self.world.unit() as unit:
            return open_return(unit, self.services, claim.ticket, lines=lines, label=label, actor=actor)

    def request(self, claim, case_id="c1", **values):
        """The platform's own return request."""
        row = {"channel": claim.channel, "external_id": case_id, "revision": 1, "ticket": claim.ticket, "open": True}
        row |= {"kind": "return_request", "status": "requested", "opened_at": self.world.clock.now()}
        row |= {"order_id": claim.order_id, "reason_text": "", "line_ids": ["l2"], "available_actions": ["approve"]}
        with self.world.engine.begin() as conn:
            conn.execute(sa.insert(tables.cases).values(**(row | values)))
        return case_id

    def labels(self, claim):
        return [label for label in self.world.platforms[claim.channel].labels if label.order_id == claim.order_id]

    def shown(self, claim):
        with self.world.engine.connect() as conn:
            return rma_rows(conn, tables.rma.c.ticket == claim.ticket)

    def tasks(self, claim):
        table = tables.task
        with self.world.engine.connect() as conn:
            return list(conn.execute(sa.select(table).where(table.c.ticket == claim.ticket)))


@pytest.fixture
def returns(world):
    return Returns(world)


def test_f25_one_act_makes_one_rma_and_one_label(world, returns):
    claim = returns.claim()
    opened = returns.open(claim, label=True)
    assert (opened.number, opened.new, opened.lines) == (f"RMA-{claim.ticket}-1", True, ("l1", "l2", "l3"))
    world.run_until_quiet()
    [label] = returns.labels(claim)
    assert (label.reference, label.line_ids, label.key) == (opened.number, opened.lines, opened.label)
    [shown] = returns.shown(claim)
    assert (shown["label"], shown["tracking_number"], shown["label_cost"]) == ("settled", "TL1", "4.50 EUR")
    assert world.events(claim.ticket)[:2] == ["return_opened", "label_planned"]
    assert returns.tasks(claim) == []


def test_f25_a_double_click_gives_the_same_rma_and_buys_nothing_more(world, returns):
    claim = returns.claim()
    first = returns.open(claim, "l2", "l1", label=True)
    again = returns.open(claim, "l1", "LAMP-7", "l2", label=True, actor="ben")
    assert again == first.model_copy(update={"new": False})
    world.run_until_quiet()
    assert returns.open(claim, "l1", "l2", label=True).number == first.number
    world.run_until_quiet()
    assert len(returns.labels(claim)) == len(returns.shown(claim)) == 1


def test_f25_two_clicks_at_the_very_same_time_are_one(world, returns):
    claim = returns.claim()
    ready = threading.Barrier(2)
    opened, failed = [], []

    def click():
        ready.wait(timeout=30)
        try:
            opened.append(returns.open(claim, label=True))
        except Exception as error:  # noqa: BLE001 - a thread's exception would be lost
            failed.append(error)

    threads = [threading.Thread(target=click) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failed == []
    assert len({each.number for each in opened}) == 1
    assert sorted(each.new for each in opened) == [False, True]
    world.run_until_quiet()
    assert len(returns.labels(claim)) == 1


POINTS = ("at_opening", "at_claim", "after_claim", "after_effect", "at_settle")


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("kind", ["key", "none"])
def test_f25_a_crash_between_steps_doubles_nothing(world, returns, point, kind):
    plug, claim = Plug(world.engine), returns.claim(kind)
    if point == "at_opening":
        plug.before = 1
        with pytest.raises(Crash):
            returns.open(claim, label=True)
        assert (returns.shown(claim), world.jobs.waiting()) == ([], [])
    opened = returns.open(claim, label=True)
    if point == "at_claim":
        plug.before = 1
    elif point == "at_settle":
        plug.before = 2
    elif point != "at_opening":
        world.platforms[kind].fail(opened.label, raising(Crash()), after_effect=point == "after_effect")
    if point != "at_opening":
        with pytest.raises(Crash):
            world.run_jobs()
    assert returns.open(claim, label=True).number == opened.number
    world.run_until_quiet()
    blind = kind == "none" and point in {"after_claim", "after_effect", "at_settle"}
    bought = 0 if blind and point == "after_claim" else 1
    assert len(returns.labels(claim)) == bought
    assert world.state(opened.label) == ("unknown" if blind else "settled")
    assert world.task_kinds(opened.label) == (["label_unknown"] if blind else [])


def test_f25_a_lost_answer_is_asked_for_again_with_the_same_key(world, returns):
    claim = returns.claim()
    opened = returns.open(claim, label=True)
    world.platforms["key"].fail(opened.label, raising(Ambiguous("?")), after_effect=True)
    world.platforms["key"].fail(opened.label, raising(RateLimited("later")))
    world.run_until_quiet()
    assert (len(returns.labels(claim)), world.row(opened.label).external_id) == (1, "L1")


def test_f25_a_refused_label_is_a_task(world, returns):
    claim = returns.claim()
    opened = returns.open(claim, label=True)
    world.platforms["key"].fail(opened.label, raising(Invalid("the parcel is too heavy")))
    world.run_until_quiet()
    [task] = world.tasks(opened.label)
    assert (task.kind, task.why) == ("label_refused", "the parcel is too heavy")


def test_f25_a_label_may_be_asked_for_later(world, returns):
    claim = returns.claim()
    assert returns.open(claim).label is None
    world.run_until_quiet()
    assert (returns.labels(claim), returns.tasks(claim)) == ([], [])
    opened = returns.open(claim, label=True)
    assert (opened.new, opened.number) == (False, f"RMA-{claim.ticket}-1")
    world.run_until_quiet()
    assert len(returns.labels(claim)) == 1


def test_f25_where_no_channel_can_buy_one_a_person_is_asked_once_with_address_and_link(world, returns):
    returns.without("key", "buy_label", return_address="Lamp Street 1, 10115 Berlin")
    claim = returns.claim()
    for _ in range(2):
        opened = returns.open(claim, "l1", label=True)
        assert (opened.by_hand, opened.label) == (True, None)
    [task] = returns.tasks(claim)
    assert task.kind == "label_by_hand"
    assert task.why == (
        f"make a return label for RMA-{claim.ticket}-1 and send it to the buyer: "
        "2 x Desk lamp, to Lamp Street 1, 10115 Berlin"
    )
    assert task.link == "https://shop.example/o"


def test_f25_a_task_without_an_address_says_where_to_set_it(world, returns):
    returns.without("key", "buy_label")
    claim = returns.claim()
    returns.open(claim, label=True)
    assert "set channels.key.return_address" in returns.tasks(claim)[0].why


def test_f25_the_platforms_own_return_is_approved_once(world, returns):
    returns.without("key", "buy_label")
    claim = returns.claim()
    returns.request(claim, link="https://shop.example/case")
    opened = returns.open(claim, label=True)
    assert (opened.lines, opened.by_hand) == (("l2",), True)
    [task] = returns.tasks(claim)
    assert task.why.startswith("look whether the platform gave a label with its approval; if not, make")
    assert task.link == "https://shop.example/case"
    world.run_until_quiet()
    with world.engine.begin() as conn:
        conn.execute(sa.update(tables.cases).values(open=False))  # the next sync
    again = returns.open(claim)
    assert (again.number, again.lines, again.approval) == (opened.number, ("l2",), opened.approval)
    world.run_until_quiet()
    assert world.platforms["key"].decisions == ["c1"]
    assert [row["approval"] for row in returns.shown(claim)] == ["settled"]


def test_f25_what_was_approved_by_hand_is_not_approved_again(world, returns):
    claim = returns.claim()
    returns.request(claim)
    with world.unit() as unit:
        assert decide_open_case(
            unit, returns.services, claim.ticket, CaseAction.APPROVE, actor="ben", reason=None, note="fine"
        )
    assert returns.open(claim).approval is not None
    world.run_until_quiet()
    assert [name for name, *_ in world.platforms["key"].calls] == ["decide_case"]


def test_f25_what_was_declined_does_not_come_back(world, returns):
    claim = returns.claim()
    returns.request(claim, available_actions=[])
    with world.unit() as unit:
        decide_open_case(unit, returns.services, claim.ticket, CaseAction.DECLINE, actor="ben", reason=None, note="")
    with pytest.raises(TicketError, match=r"c1 was declined \(approved\); nothing comes back"):
        returns.open(claim)
    assert returns.shown(claim) == []


@pytest.mark.parametrize("values", [{"available_actions": ["decline"]}, {"open": False}, {"kind": "claim"}])
def test_f25_nothing_is_approved_where_the_platform_offers_nothing(world, returns, values):
    claim = returns.claim()
    returns.request(claim, **values)
    opened = returns.open(claim)
    assert opened.approval is None
    # Only a return request that is open says which lines come back.
    assert opened.lines == (("l2",) if "available_actions" in values else ("l1", "l2", "l3"))


def test_f25_a_case_of_another_order_is_left_alone(world, returns):
    claim = returns.claim()
    returns.request(claim, order_id="another")
    assert (returns.open(claim).approval, len(returns.shown(claim)[0]["lines"])) == (None, 3)


def test_f25_no_line_comes_back_under_two_numbers(world, returns):
    claim = returns.claim()
    first = returns.open(claim, "l1")
    assert returns.open(claim, "l2").number == f"RMA-{claim.ticket}-2"
    with pytest.raises(ReturnError, match=f"line l1 comes back as {first.number} already"):
        returns.open(claim)
    other = world.claim("key", claim.order_id)
    with pytest.raises(ReturnError, match=rf"as {first.number} already \(ticket {claim.ticket}\)"):
        returns.open(other, "l1", "l3")
    assert returns.open(other, "l3").number == f"RMA-{other.ticket}-1"


@pytest.mark.parametrize(
    ("line", "what"),
    [("l9", "has no line 'l9'; its lines are: l1"), ("BULB", "more than one line"), ("", "no line ''")],
)
def test_f25_a_line_that_is_none_is_refused_with_those_that_are(returns, line, what):
    with pytest.raises(TicketError, match=what):
        returns.open(returns.claim(), line)


def test_f25_without_an_order_or_its_lines_nothing_comes_back(world, returns):
    with pytest.raises(TicketError, match="has no lines here"):
        returns.open(returns.claim(lines=[]))
    claim = returns.claim()
    with world.engine.begin() as conn:
        conn.execute(sa.update(tables.ticket).where(tables.ticket.c.id == claim.ticket).values(orders_id=None))
    with pytest.raises(TicketError, match="has no order"):
        returns.open(claim)


def test_f25_a_ticket_shows_its_return_and_the_label_can_be_had(world, returns, capsys):
    claim = returns.claim(total=Decimal(10))
    number = returns.open(claim, label=True).number

    def label(of=number):
        with world.engine.connect() as conn:
            return bought_label(conn, of)

    with pytest.raises(ReturnError, match=r"the label of .* is approved"):
        label()
    world.run_until_quiet()
    assert label().file.content == b"%PDF of L1"
    with world.engine.connect() as conn:
        print_ticket(ticket_view(conn, claim.ticket))
    text = " ".join(capsys.readouterr().out.split())
    assert f"{number}: l1, l2, l3" in text
    assert "label settled: parcel TL1, 4.50 EUR https://labels.example/L1" in text
    with pytest.raises(ReturnError, match="there is no return RMA-0-0"):
        label("RMA-0-0")
    other = returns.open(returns.claim())
    with pytest.raises(ReturnError, match="no label was asked for"):
        label(other.number)
