"""Who gets a ticket: language, skills, kind of matter, amount and load; who is away gets none."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersail.core.clocks import Calendar
from aftersail.core.contract import Money, OrderLine
from aftersail.core.desk.agent import close_ticket
from aftersail.core.desk.assignment import Need, assign_ticket, choose, escalate
from aftersail.core.desk.clockwork import tick_clocks
from aftersail.core.desk.roster import Agent, Role, Roster, RoutingRow, RoutingWhen, Team
from aftersail.core.desk.tickets import TicketError
from aftersail.core.store import tables
from tests.builders import NOON, PACKS, Desk, Script, letter, page, purchase
from tests.desk.people import ADA, ANN, BOB, EVE, SUE, staff

PACK = PACKS.in_force("starter", NOON)
FOUR = tuple(Agent(id=name) for name in ("ann", "bob", "cem", "dot"))


def owners(desk: Desk) -> list[str | None]:
    return [row.owner for row in desk.rows(tables.ticket)]


def read(desk: Desk, shop: Script, *texts: str, start: int = 0) -> None:
    shop.messages.pages = [page(*(letter(f"m{start + number}", 0, text) for number, text in enumerate(texts)))]
    desk.sync()


def calendar_of(name: str | None) -> Calendar | None:
    return PACK.calendar(name)


# -- load --------------------------------------------------------------------------------------------------------------


def test_f41_a_hundred_tickets_over_four_equal_agents(desk: Desk, shop: Script) -> None:
    staff(desk, *FOUR, teams={})
    for start in range(0, 100, 20):
        read(desk, shop, *(["Hello, where is it?"] * 20), start=start)
    counts = Counter(owners(desk))
    assert set(counts) == {"ann", "bob", "cem", "dot"}
    assert sum(counts.values()) == 100
    assert max(counts.values()) - min(counts.values()) <= 1


@given(st.lists(st.sampled_from(["ann", "bob", "cem", "dot"]), max_size=40), st.integers(1, 60))
def test_f41_the_load_evens_out_from_wherever_it_stands(before: list[str], new: int) -> None:
    loads, given_to = Counter(before), Counter[str]()
    need, roster = Need(channel="shop"), Roster(agents=FOUR)
    for _ in range(new):
        chosen = choose(roster, need, loads=loads, at=NOON, calendar_of=calendar_of).agent
        assert loads[chosen] == min(loads[agent.id] for agent in FOUR)
        loads[chosen] += 1
        given_to[chosen] += 1
    if new >= 4 * max(Counter(before).values(), default=0):
        assert max(loads[agent.id] for agent in FOUR) - min(loads[agent.id] for agent in FOUR) <= 1


def test_f41_what_has_ended_is_no_load(desk: Desk, shop: Script) -> None:
    staff(desk, *FOUR[:2], teams={})
    read(desk, shop, "one", "two")
    assert owners(desk) == ["ann", "bob"]
    desk.do(lambda unit: close_ticket(unit, 2, "bob"))
    read(desk, shop, "three", start=2)
    assert owners(desk)[2] == "bob"


# -- what a ticket needs -----------------------------------------------------------------------------------------------


def test_f41_language_product_and_negotiation(desk: Desk, shop: Script) -> None:
    routing = (
        RoutingRow(when=RoutingWhen(products=("lamp", "EL-")), skills=("electronics",)),
        RoutingRow(when=RoutingWhen.model_validate({"amount_from": "50.00 USD"}), skills=("negotiation",)),
        RoutingRow(when=RoutingWhen(escalation=True), role=Role.SUPERVISOR),
        RoutingRow(when=RoutingWhen(reasons=("invoice",)), team="office"),
    )
    agents = (
        Agent(id="ann", languages=("en",)),
        Agent(id="bob", languages=("en",), skills=("negotiation",)),
        Agent(id="cem", languages=("en", "de"), skills=("electronics",)),
        Agent(id="dot", languages=("en",), skills=("electronics", "negotiation")),
        Agent(id="off", languages=("en",), team="office"),
        Agent(id="sue", languages=("en",), role=Role.SUPERVISOR),
    )
    staff(desk, *agents, teams={"office": Team()}, routing=routing)
    lamp = OrderLine(external_id="1", title="Desk lamp", sku="X1", quantity=1, unit_price=Money.of("30.00", "USD"))
    bulb = OrderLine(external_id="1", title="Bulb", sku="EL-9", quantity=1, unit_price=Money.of("90.00", "USD"))
    shop.orders.pages = [
        page(
            purchase("1", "30.00", lines=(lamp,), locale=None),
            purchase("2", "90.00", locale=None),
            purchase("3", "90.00", lines=(bulb,), locale=None),
        )
    ]
    shop.messages.pages = [
        page(
            letter("m1", 1, "The thing has a small scratch on the side and I am not happy", order_id="id-1"),
            letter("m2", 2, "The thing has a small scratch on the side and I am not happy", order_id="id-2"),
            letter("m3", 3, "The thing has a small scratch on the side and I am not happy", order_id="id-3"),
            letter("m4", 4, "Guten Tag, wo bleibt eigentlich mein Paket? Ich warte schon seit Wochen darauf."),
            letter("m5", 5, "I will call my lawyer and do a chargeback if you do not answer me today"),
            letter("m6", 6, "Please send me the invoice for my order, I need it for my taxes"),
        )
    ]
    desk.sync()
    assert owners(desk) == ["cem", "bob", "dot", "cem", "sue", "off"]


def test_f41_what_nobody_can_is_said_and_the_ticket_still_has_an_owner(desk: Desk, shop: Script) -> None:
    staff(desk, Agent(id="ann", languages=("en",)), teams={})
    read(desk, shop, "Guten Tag, wo bleibt eigentlich mein Paket? Ich warte schon seit Wochen darauf.")
    (event,) = desk.rows(tables.event, tables.event.c.kind == "ticket_assigned")
    assert (event.data["before"], event.data["after"]) == (None, "ann")
    assert event.data["why"].endswith("nobody suits: language de")


def test_f41_the_owner_works_on_the_channel_and_only_looks_where_it_may_only_look(desk: Desk, shop: Script) -> None:
    desk.add("other")
    staff(desk, EVE, Agent(id="ann", channels=("other",)), Agent(id="bob", channels=("shop",)), teams={})
    read(desk, shop, "one", "two")
    assert owners(desk) == ["bob", "bob"]


# -- who is away -------------------------------------------------------------------------------------------------------

DAY = Agent(id="day", team="berlin")
NIGHT = Agent(id="night", team="night")
TEAMS = {"berlin": Team(calendar="desk"), "night": Team()}


def chosen(*agents: Agent, at: datetime) -> str:
    roster = Roster(agents=agents, teams=TEAMS)
    return choose(roster, Need(channel="shop"), loads={"night": 99}, at=at, calendar_of=calendar_of).agent


@pytest.mark.parametrize(
    ("hour", "expected"), [(6, "night"), (7, "day"), (20, "day"), (21, "night"), (23, "night")], ids=str
)
def test_f41_off_shift_staff_get_nothing(hour: int, expected: str) -> None:
    """The desk is open from 08:00 to 22:00 in Berlin, which is 07:00 to 21:00 UTC in winter."""
    assert chosen(DAY, NIGHT, at=datetime(2026, 1, 5, hour, tzinfo=UTC)) == expected


def test_f41_absent_staff_get_nothing() -> None:
    away = DAY.model_copy(update={"absent": (date(2026, 1, 5), (date(2026, 1, 8), date(2026, 1, 9)))})
    found = [chosen(away, NIGHT, at=NOON + timedelta(days=days)) for days in range(7)]
    assert found == ["night", "day", "day", "night", "night", "day", "day"]


def test_f41_where_nobody_is_on_duty_it_waits_for_whose_shift_begins_next() -> None:
    away = Agent(id="away", team="berlin", absent=(date(2026, 1, 6),))
    assert chosen(away, DAY, at=datetime(2026, 1, 5, 23, tzinfo=UTC)) == "day"


# -- one owner ---------------------------------------------------------------------------------------------------------


def test_f34_one_owner_follows_through(desk: Desk, shop: Script) -> None:
    staff(desk, ANN, BOB)
    shop.messages.pages = [page(letter("m1", 0, thread_id="t"))]
    desk.sync()
    desk.advance(60 * 12)  # Ann is off shift by now
    shop.messages.pages = [page(letter("m2", 60 * 12, "And?", thread_id="t"))]
    desk.sync()
    assert owners(desk) == ["ann"]


def test_f34_who_left_the_desk_hands_over(desk: Desk, shop: Script) -> None:
    staff(desk, ANN)
    shop.messages.pages = [page(letter("m1", 0, thread_id="t"))]
    desk.sync()
    staff(desk, BOB)
    shop.messages.pages = [page(letter("m2", 5, "And?", thread_id="t"))]
    desk.sync()
    assert owners(desk) == ["bob"]
    moves = desk.rows(tables.event, tables.event.c.kind == "ticket_assigned")
    assert [(move.data["before"], move.data["after"]) for move in moves] == [(None, "ann"), ("ann", "bob")]


def test_f34_a_ticket_is_handed_on_by_name_or_by_the_routing(desk: Desk, shop: Script) -> None:
    staff(desk, ANN, BOB, EVE)
    read(desk, shop, "one")
    assert desk.do(lambda unit: assign_ticket(unit, desk.services, 1, "bob", actor="ann", why="holiday")) == "bob"
    assert desk.do(lambda unit: assign_ticket(unit, desk.services, 1, None, actor="bob")) == "ann"
    assert owners(desk) == ["ann"]
    for stranger in ("zoe", "eve"):
        with pytest.raises(TicketError, match=rf"'{stranger}' cannot own tickets; name one of: ann, bob"):
            desk.do(lambda unit, stranger=stranger: assign_ticket(unit, desk.services, 1, stranger, actor="ann"))
    assert owners(desk) == ["ann"]


def test_f34_escalation_keeps_the_history_and_never_loses_the_owner(desk: Desk, shop: Script) -> None:
    tech = Agent(id="tec", skills=("technical",), team="night")
    staff(desk, ANN, tech, SUE, teams={"berlin": Team(calendar="desk"), "night": Team()})
    read(desk, shop, "one")
    desk.do(lambda unit: assign_ticket(unit, desk.services, 1, "ann", actor="ann"))
    before = desk.rows(tables.event)
    assert desk.do(lambda unit: escalate(unit, desk.services, 1, to="technical", why="firmware", actor="ann")) == "tec"
    assert desk.do(lambda unit: escalate(unit, desk.services, 1, to="senior", why="angry", actor="tec")) == "sue"
    assert desk.rows(tables.event)[: len(before)] == before
    ups = desk.rows(tables.event, tables.event.c.kind == "ticket_escalated")
    assert [(up.data["before"], up.data["after"], up.data["level"]) for up in ups] == [
        ("ann", "tec", "technical"),
        ("tec", "sue", "senior"),
    ]
    with pytest.raises(TicketError, match="nobody else can take ticket 1"):
        desk.do(lambda unit: escalate(unit, desk.services, 1, to="senior", why="angrier", actor="sue"))
    assert owners(desk) == ["sue"]


def test_f34_without_named_agents_an_owner_is_a_word_and_nothing_is_assigned(desk: Desk, shop: Script) -> None:
    read(desk, shop, "one")
    assert owners(desk) == [None]
    assert desk.do(lambda unit: assign_ticket(unit, desk.services, 1, "zoe", actor="zoe")) == "zoe"
    with pytest.raises(TicketError, match=r"name one under desk\.agents"):
        desk.do(lambda unit: assign_ticket(unit, desk.services, 1, None, actor="zoe"))


# -- who is told -------------------------------------------------------------------------------------------------------


def told(desk: Desk) -> list[tuple[str, ...]]:
    with desk.unit() as unit:
        tick_clocks(unit, roster=desk.services.roster)
    return [event.recipients for hook, event in unit.told() if hook == "aftersail_clock_warned"]


def test_f13_one_warning_to_agent_and_manager(desk: Desk, shop: Script) -> None:
    staff(desk, ANN, SUE, ADA)
    read(desk, shop, "It arrived broken")
    desk.advance(60 * 3.5)
    recipients = told(desk)
    assert recipients
    assert set(recipients) == {("ann", "ada")}
    assert told(desk) == []
    events = desk.rows(tables.event, tables.event.c.kind == "clock_warned")
    assert [event.data["recipients"] for event in events] == [["ann", "ada"]] * len(recipients)


def test_f13_never_nobody(desk: Desk, shop: Script) -> None:
    read(desk, shop, "It arrived broken")
    staff(desk, ANN, SUE, ADA)
    desk.advance(60 * 3.5)
    assert set(told(desk)) == {("sue", "ada")}
    assert Roster().recipients(None) == ("team lead", "manager")
    assert Roster(agents=(ADA,), manager="ada").recipients(None) == ("ada",)
