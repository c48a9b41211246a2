"""Clocks of tickets: started, met and started again by what the two sides say, in whatever order it is read."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
import sqlalchemy as sa

from aftersail.core.clocks import Basis, Metric, Source, SourceKind, Target
from aftersail.core.contract import Direction, Message, MessageKind, Party, Reply
from aftersail.core.desk.agent import answer, close_ticket
from aftersail.core.desk.clockwork import restart_response, settle_turns, start_clocks, tick_clocks
from aftersail.core.desk.settled import on_settled
from aftersail.core.desk.tickets import open_ticket
from aftersail.core.desk.turns import Answer, Heard, Turns, read_turns
from aftersail.core.remedies.plan import plan_reply
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit
from tests.builders import NOON, PACKS, Desk, Script, at, letter, matter, page

SELLER = {"direction": Direction.OUTBOUND, "author": Party(name="Shop")}
OWN = Source(kind=SourceKind.OWN, name="test")
PACK = PACKS.in_force("starter", NOON)


def read(desk: Desk, shop: Script, *messages: Message) -> None:
    """Every message in a page of its own, in this order."""
    for message in messages:
        shop.messages.pages.append(page(message))
        desk.sync()


def clocks(desk: Desk, *metrics: str) -> list[tuple[Any, ...]]:
    """The clocks of some metrics: metric, state, start, and when they were met."""
    rows = desk.rows(tables.clock, tables.clock.c.metric.in_(metrics))
    return [(row.metric, row.state, row.started_at, row.met_at) for row in rows]


def responses(desk: Desk) -> list[tuple[Any, ...]]:
    return clocks(desk, "first_response", "next_response")


def running(desk: Desk) -> list[tuple[str, datetime]]:
    rows = desk.rows(tables.clock, tables.clock.c.state == "running", tables.clock.c.metric != "resolution")
    return [(row.metric, row.started_at) for row in rows]


def state(desk: Desk) -> str:
    return desk.rows(tables.ticket)[0].state


def settle(desk: Desk, key: str, external_id: str) -> None:
    """Let the outbox's work be done: the platform took the answer."""

    def work(unit: Unit) -> None:
        table = tables.remedy
        settled = {"state": "settled", "settled_at": unit.now, "external_id": external_id}
        unit.conn.execute(sa.update(table).where(table.c.key == key).values(**settled))
        on_settled(unit, unit.conn.execute(sa.select(table).where(table.c.key == key)).one())

    desk.do(work)


# -- the vectors of the product page ---------------------------------------------------------------------------------


def target(metric: Metric, hours: int) -> Target:
    return Target(metric=metric, source=OWN, basis=Basis.ELAPSED, duration=timedelta(hours=hours), row="test")


def test_vector_24(desk: Desk) -> None:
    """First 4 h, next 1 h: unanswered messages keep the first due time; after an answer the next one counts anew."""
    desk.add("shop")
    targets = [target(Metric.FIRST_RESPONSE, 4), target(Metric.NEXT_RESPONSE, 1)]
    ten = NOON - timedelta(hours=2)
    said = [ten, ten + timedelta(minutes=30), ten + timedelta(hours=2), ten + timedelta(hours=2, minutes=30)]

    def turns(heard: int, *answers: datetime) -> Turns:
        found = [Heard(at=each, identity="m", stored_at=each, subject="", text="", reason_code=None) for each in said]
        return Turns(
            heard=tuple(found[:heard]), answers=tuple(Answer(at=each, saw=None) for each in answers), closed_at=None
        )

    def due(conversation: Turns) -> list[datetime]:
        desk.do(lambda unit: settle_turns(unit, 1, conversation, targets, PACK))
        return [row.due_at for row in desk.rows(tables.clock, tables.clock.c.state == "running")]

    def open_it(unit: Unit) -> None:
        named = {"subject": "", "order": None, "reply_to": None, "thread_id": None}
        open_ticket(unit, channel="shop", via=None, buyer=Party(), filed_at=ten, **named)
        start_clocks(unit, 1, targets, PACK, ten)

    desk.do(open_it)
    four_hours_later = ten + timedelta(hours=4)
    assert due(turns(1)) == [four_hours_later]
    assert due(turns(2)) == [four_hours_later]
    eleven = ten + timedelta(hours=1)
    assert due(turns(2, eleven)) == []
    assert due(turns(3, eleven)) == due(turns(4, eleven)) == [ten + timedelta(hours=3)]
    assert desk.rows(tables.ticket)[0].due_at == ten + timedelta(hours=3)


def test_vector_25_what_is_no_answer_stops_nothing(desk: Desk, shop: Script) -> None:
    """Auto-reply, receipt, or an answer that was never sent."""
    read(desk, shop, letter("m1", -60, thread_id="t"))
    before = responses(desk)
    read(desk, shop, letter("auto", -50, thread_id="t", kind=MessageKind.AUTO_REPLY, **SELLER))
    read(desk, shop, letter("notice", -40, thread_id="t", kind=MessageKind.NOTICE, **SELLER))
    desk.do(lambda unit: answer(unit, desk.services, 1, "Never sent", key="k1", actor="ann"))
    assert (responses(desk), state(desk)) == (before, "open")
    (reply,) = desk.rows(tables.remedy)
    receipt = Reply.model_validate(reply.body | {"key": "k2"})
    planned = {"ticket": 1, "channel": "shop", "reply": receipt, "why": "receipt", "stops_clocks": False}
    desk.do(lambda unit: plan_reply(unit, desk.jobs, **planned))
    settle(desk, "k2", "sent-2")
    assert (responses(desk), state(desk)) == (before, "open")
    read(desk, shop, letter("sent-2", 0, thread_id="t", **SELLER), letter("m2", -5, thread_id="t"))
    assert running(desk) == [("first_response", at(-60))]
    settle(desk, "k1", "sent-1")
    assert [row[1] for row in responses(desk)] == ["met"]


# -- turns -----------------------------------------------------------------------------------------------------------

CONVERSATION = (
    letter("m1", -120, "It arrived broken", thread_id="t"),
    letter("m2", -90, thread_id="t"),
    letter("a1", -60, thread_id="t", **SELLER),
    letter("m3", -30, thread_id="t"),
    letter("m4", -10, thread_id="t"),
)


@pytest.mark.parametrize("order", [*permutations(range(3)), *[(4, 3, 2, 1, 0), (3, 0, 4, 2, 1), (2, 4, 0, 1, 3)]])
def test_whatever_is_read_first_the_clocks_say_what_the_conversation_says(
    desk: Desk, shop: Script, order: tuple[int, ...]
) -> None:
    read(desk, shop, *(CONVERSATION[index] for index in order))
    (ticket,) = desk.rows(tables.ticket)
    answered = len(order) == 3
    assert (ticket.state, ticket.filed_at, ticket.reason) == ("waiting" if answered else "open", at(-120), "damaged")
    assert running(desk) == ([] if answered else [("next_response", at(-30))])
    first = [row for row in clocks(desk, "first_response") if row[1] == "met"]
    assert first == [("first_response", "met", at(-120), at(-60))]


def test_an_answer_that_is_read_before_its_question_is_no_answer_to_a_later_one(desk: Desk, shop: Script) -> None:
    read(desk, shop, letter("m1", -5, thread_id="t"), letter("a0", -60, thread_id="t", **SELLER))
    assert (state(desk), running(desk)) == ("open", [("first_response", at(-5))])


def test_our_answer_is_no_answer_to_what_came_while_it_was_written(desk: Desk, shop: Script) -> None:
    """The agent had not seen the second message; by the clock on the wall, the answer came after it."""
    read(desk, shop, letter("m1", -60, thread_id="t"))
    desk.do(lambda unit: answer(unit, desk.services, 1, "Which order?", key="k1", actor="ann"))
    desk.advance(10)
    settle(desk, "k1", "sent-1")
    assert state(desk) == "waiting"
    desk.advance(10)
    read(desk, shop, letter("m2", 8, "And the lid is broken", thread_id="t"))
    assert (state(desk), running(desk)) == ("open", [("next_response", at(8))])
    desk.do(lambda unit: answer(unit, desk.services, 1, "We see", key="k2", actor="ann"))
    desk.advance(1)
    settle(desk, "k2", "sent-2")
    assert (state(desk), running(desk)) == ("waiting", [])


def test_a_conversation_that_is_over_is_not_acted_on(desk: Desk, shop: Script) -> None:
    """The first sync of a shop brings old complaints that somebody has dealt with."""
    old = letter("m1", -9000, "It arrived broken", thread_id="t", order_id="id-1001")
    shop.messages.pages = [page(old, letter("a1", -8000, "Sorry, refunded", thread_id="t", **SELLER))]
    desk.sync()
    assert (desk.rows(tables.remedy), desk.rows(tables.task), state(desk)) == ([], [], "waiting")
    assert len(desk.rows(tables.decision)) == 1


def test_a_page_judges_each_ticket_once(desk: Desk, shop: Script) -> None:
    shop.messages.pages = [page(*CONVERSATION)]
    desk.sync()
    assert len(desk.rows(tables.decision)) == 1
    assert [row[:2] for row in responses(desk)] == [("first_response", "met"), ("next_response", "running")]


def test_closing_meets_the_resolution_and_calls_nothing_else_met(desk: Desk, shop: Script) -> None:
    read(desk, shop, letter("m1", -60, thread_id="t"))
    assert desk.do(lambda unit: close_ticket(unit, 1, "ann")) is True
    assert desk.do(lambda unit: close_ticket(unit, 1, "ann")) is False
    assert clocks(desk, "first_response", "resolution") == [
        ("first_response", "cancelled", at(-60), None),
        ("resolution", "met", at(-60), NOON),
    ]
    (ticket,) = desk.rows(tables.ticket)
    assert (ticket.state, ticket.closed_at, ticket.due_at) == ("closed", NOON, None)


# -- deadlines of platforms ------------------------------------------------------------------------------------------


def test_a_platforms_deadline_for_a_message_is_met_by_the_answer(desk: Desk, shop: Script) -> None:
    read(desk, shop, letter("m1", -60, thread_id="t", respond_by=at(30)))
    (ticket,) = desk.rows(tables.ticket)
    assert (ticket.due_at, ticket.due_metric, ticket.due_source) == (
        at(30),
        "platform_deadline",
        "marketplace: scripted",
    )
    read(desk, shop, letter("a1", -30, thread_id="t", **SELLER))
    assert clocks(desk, "platform_deadline") == [("platform_deadline", "met", at(-60), at(-30))]


def test_a_later_messages_deadline_does_not_lift_the_first(desk: Desk, shop: Script) -> None:
    read(desk, shop, letter("m1", -60, thread_id="t", respond_by=at(30)))
    read(desk, shop, letter("m2", -50, thread_id="t", respond_by=at(90)))
    assert desk.rows(tables.ticket)[0].due_at == at(30)


def test_a_revision_moves_the_deadline(desk: Desk, shop: Script) -> None:
    read(desk, shop, letter("m1", -60, respond_by=at(30)), letter("m1", -60, revision=1, respond_by=at(20)))
    assert desk.rows(tables.ticket)[0].due_at == at(20)


def test_an_answer_to_the_buyer_does_not_decide_the_case(desk: Desk, shop: Script) -> None:
    shop.cases.pages = [page(matter("R1", -60, respond_by=at(300)))]
    read(desk, shop, letter("a1", -30, order_id="id-1001", **SELLER))
    assert clocks(desk, "return_answered") == [("return_answered", "running", at(-60), None)]
    assert clocks(desk, "first_response") == [("first_response", "met", at(-60), at(-30))]
    shop.cases.pages = [page(matter("R1", -60, revision=1, open=False, respond_by=None))]
    desk.sync()
    assert clocks(desk, "return_answered") == [("return_answered", "met", at(-60), NOON)]


def test_a_cases_deadline_follows_the_platform_and_the_earliest_open_case_counts(desk: Desk, shop: Script) -> None:
    shop.cases.pages = [page(matter("R1", -60, respond_by=at(300)), matter("R2", -50, respond_by=at(200)))]
    desk.sync()
    assert desk.rows(tables.ticket)[0].due_at == at(200)
    shop.cases.pages = [page(matter("R2", -50, revision=1, open=False))]
    desk.sync()
    found = desk.rows(tables.clock, tables.clock.c.metric == "return_answered", tables.clock.c.state == "running")
    assert [row.due_at for row in found] == [at(300)]
    shop.cases.pages = [page(matter("R1", -60, revision=1, respond_by=at(100)))]
    desk.sync()
    assert desk.rows(tables.ticket)[0].due_at == at(100)


def test_a_case_that_is_over_when_it_is_first_seen_asks_nothing(desk: Desk, shop: Script) -> None:
    shop.cases.pages = [page(matter("R1", -60, open=False, respond_by=at(300), reason_text="It arrived broken"))]
    desk.sync()
    assert (state(desk), running(desk), desk.rows(tables.remedy), desk.rows(tables.task)) == ("waiting", [], [], [])


# -- ticking ---------------------------------------------------------------------------------------------------------


def test_ticks_warn_and_tell_a_breach_once_and_touch_nothing_else(desk: Desk, shop: Script) -> None:
    read(desk, shop, letter("m1", -1, "It arrived broken", thread_id="t"), letter("x", -1, "Hello"))
    due = desk.rows(tables.clock)[0].due_at

    def tick() -> list[str]:
        with desk.unit() as unit:
            tick_clocks(unit)
            return [hook for hook, _ in unit.told()]

    assert tick() == []
    desk.now = due - timedelta(minutes=59)
    assert tick() == ["aftersail_clock_warned"]
    assert tick() == []
    desk.now = due + timedelta(minutes=5)
    assert tick() == ["aftersail_clock_breached"]
    assert tick() == []
    breached = desk.rows(tables.clock)[0]
    assert (breached.breached_at, breached.detected_at) == (due, due + timedelta(minutes=5))
    (event,) = [row for row in desk.rows(tables.event) if row.kind == "clock_breached"]
    assert event.data["recipients"] == ["team lead", "manager"]


def test_a_breach_is_withdrawn_by_an_answer_that_was_in_time_but_read_late(desk: Desk, shop: Script) -> None:
    read(desk, shop, letter("m1", -1, "It arrived broken", thread_id="t"))
    due = desk.rows(tables.clock)[0].due_at
    desk.now = due + timedelta(hours=1)
    desk.do(tick_clocks)
    read(desk, shop, letter("a1", 30, thread_id="t", **SELLER))
    (first, *_) = desk.rows(tables.clock)
    assert (first.state, first.met_at, first.breached_at) == ("met", at(30), None)


def test_a_pack_without_a_next_target_promises_the_same_again(desk: Desk, shop: Script) -> None:
    read(desk, shop, letter("m1", -60, thread_id="t"))
    promised = [target(Metric.FIRST_RESPONSE, 3)]
    desk.do(lambda unit: unit.conn.execute(sa.delete(tables.clock)))
    desk.do(lambda unit: restart_response(unit, 1, promised, PACK, at(-5)))
    (row,) = desk.rows(tables.clock)
    assert (row.metric, row.due_at) == ("next_response", at(175))


def test_turns_are_read_from_the_store_as_they_were_said(desk: Desk, shop: Script) -> None:
    read(desk, shop, *reversed(CONVERSATION))
    with desk.engine.connect() as conn:
        turns = read_turns(conn, 1)
    assert [heard.at for heard in turns.heard] == [at(-120), at(-90), at(-30), at(-10)]
    assert [turns.answered_at(heard) for heard in turns.heard] == [at(-60), at(-60), None, None]
    assert turns.since == at(-30)


def test_the_platforms_word_for_the_language_counts_whenever_the_message_is_read(desk: Desk, shop: Script) -> None:
    """A first message that is read last has the whole conversation read anew, with what was said of each part."""
    read(desk, shop, letter("m2", 10, "Min ordre", thread_id="t", language="sv"))
    read(desk, shop, letter("m1", 0, "1001", thread_id="t"))
    assert desk.rows(tables.ticket)[0].language == "sv"
