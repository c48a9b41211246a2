"""What people do at the desk and what they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from aftersail.core.contract import Capabilities, Message, Money, Parcel, Party, ReplyCapability, ReplyMode
from aftersail.core.desk.agent import answer, close_ticket, decide_open_case
from aftersail.core.desk.tickets import TicketError
from aftersail.core.desk.views import inbox_rows, newest_decision, refund_rows, targets_in_force, ticket_view
from aftersail.core.store import tables
from tests.builders import Desk, Script, at, letter, mail, matter, page, purchase


def read(desk: Desk, script: Script, *messages: Message, channel: str = "shop") -> None:
    script.messages.pages = [page(*messages)]
    desk.sync(channel)


def open_tasks(desk: Desk) -> list[tuple[str, str]]:
    return [(row.kind, row.why) for row in desk.rows(tables.task) if row.closed_at is None]


def inbox(desk: Desk, **wanted: Any) -> Sequence[dict[str, Any]]:
    with desk.engine.connect() as conn:
        return inbox_rows(conn, **({"closed": False, "channel": None, "limit": 50} | wanted))


# -- answering -------------------------------------------------------------------------------------------------------


def test_an_agents_answer_goes_into_the_buyers_own_thread(desk: Desk, shop: Script) -> None:
    shop.orders.pages = [page(purchase())]
    read(desk, shop, mail("a", -9, subject="My lamp", thread_id="t9", order_id="id-1001", reply_to="conv-9"))
    read(desk, shop, mail("b", -5, subject="Re: My lamp", answers=["a"], thread_id="t9", order_id="id-1001"))
    assert desk.do(lambda unit: answer(unit, desk.services, 1, "Sorry!", key="k1", actor="ann")) == "shop"
    (remedy,) = desk.rows(tables.remedy, tables.remedy.c.key == "k1")
    assert (remedy.state, remedy.approved_by, remedy.order_id) == ("approved", "ann", "id-1001")
    sent = {name: remedy.body[name] for name in ("to", "thread_id", "order_id", "subject", "text")}
    assert sent == {
        "to": "conv-9",
        "thread_id": "t9",
        "order_id": "id-1001",
        "subject": "Re: My lamp",
        "text": "Sorry!",
    }
    assert remedy.body["mail"] == {"message_id": None, "in_reply_to": "<b>", "references": ["<a>", "<b>"]}
    assert desk.jobs.enqueued["remedy-k1-0"] == {
        "job": "remedy",
        "queue": "reply",
        "partition": "shop",
        "args": {"key": "k1"},
    }


def test_the_same_answer_twice_is_planned_once(desk: Desk, shop: Script) -> None:
    read(desk, shop, letter("m1"))
    for _ in range(2):
        desk.do(lambda unit: answer(unit, desk.services, 1, "Sorry!", key="k1", actor="ann"))
    assert len(desk.rows(tables.remedy)) == 1
    assert list(desk.jobs.enqueued) == ["remedy-k1-0"]


def test_an_answer_that_is_too_long_is_refused(desk: Desk, shop: Script) -> None:
    read(desk, shop, letter("m1"))
    short = Capabilities(reply=ReplyCapability(mode=ReplyMode.API, max_chars=10))
    desk.infos["shop"] = replace(desk.infos["shop"], capabilities=short)
    with pytest.raises(TicketError, match="has 11 characters, Scripted takes 10 at most"):
        desk.do(lambda unit: answer(unit, desk.services, 1, "x" * 11, key="k1", actor="ann"))
    desk.do(lambda unit: answer(unit, desk.services, 1, "x" * 10, key="k1", actor="ann"))


def test_a_channel_that_cannot_be_answered_says_what_is_missing(desk: Desk) -> None:
    mute = desk.add("mute", "mute")
    read(desk, mute, letter("m1"), channel="mute")
    with pytest.raises(TicketError, match=r"add `mailbox: <e-mail channel>` under channels\.mute"):
        desk.do(lambda unit: answer(unit, desk.services, 1, "Hello", key="k1", actor="ann"))
    with pytest.raises(TicketError, match="there is no ticket 7"):
        desk.do(lambda unit: answer(unit, desk.services, 7, "Hello", key="k1", actor="ann"))


def test_a_reply_no_api_can_send_becomes_a_task_with_a_link(desk: Desk) -> None:
    mute = desk.add("mute", "mute")
    shop = desk.add("shop")
    shop.orders.pages = [page(purchase(link="https://shop.example/orders/1001"))]
    desk.sync("shop")
    read(desk, mute, letter("m1", text="Order #1001 arrived broken"), channel="mute")
    (task,) = desk.rows(tables.task, tables.task.c.kind == "reply_by_hand")
    assert "send the template 'soothing' on the platform's own page" in task.why
    assert task.link == "https://shop.example/orders/1001"
    assert desk.rows(tables.remedy, tables.remedy.c.kind == "reply") == []


# -- templates -------------------------------------------------------------------------------------------------------


def _moving(desk: Desk, shop: Script, **order: Any) -> None:
    """An order whose parcel moves, and a question about it."""
    shop.orders.pages = [page(purchase(parcels=(Parcel(tracking_number="T1"),), **order))]
    desk.sync()
    table = tables.shipment
    desk.do(lambda unit: unit.conn.execute(table.update().values(status="in_transit", moved_at=at(-600))))


def test_a_template_is_filled_in_the_buyers_language(desk: Desk, shop: Script) -> None:
    _moving(desk, shop, locale="de")
    read(desk, shop, letter("m1", text="Mein Paket ist nicht angekommen, wo bleibt es?", order_id="id-1001"))
    (remedy,) = desk.rows(tables.remedy)
    assert (remedy.rule, remedy.state, remedy.body["language"]) == ("not-received-moving", "approved", "de")
    assert remedy.body["subject"] == "Ihre Bestellung #1001 ist unterwegs"
    assert "T1" in remedy.body["text"]
    assert remedy.body["text"].endswith("Test Shop\n")


def test_a_template_whose_variable_is_not_known_becomes_a_task(desk: Desk, shop: Script) -> None:
    _moving(desk, shop)
    desk.infos["shop"] = replace(desk.infos["shop"], signature="")
    read(desk, shop, letter("m1", text="My parcel has not arrived", order_id="id-1001"))
    assert desk.rows(tables.remedy) == []
    ((kind, why),) = open_tasks(desk)
    assert kind == "reply_by_hand"
    assert "shop_name is not known, and the text needs it" in why


# -- decisions and tasks ---------------------------------------------------------------------------------------------


def test_a_question_that_a_newer_decision_no_longer_asks_is_closed(desk: Desk, shop: Script) -> None:
    read(desk, shop, letter("m1", -60, "I want to return it", thread_id="t"))
    assert [kind for kind, _ in open_tasks(desk)] == ["decide"]
    read(desk, shop, letter("m1", -60, "Hello, thank you", thread_id="t", revision=1))
    assert open_tasks(desk) == []
    (task,) = desk.rows(tables.task)
    assert task.closed_by == "aftersail"


def test_an_escalation_stays_one(desk: Desk, shop: Script) -> None:
    shop.orders.pages = [page(purchase())]
    read(desk, shop, letter("m1", -60, "My lawyer will write to you", thread_id="t", order_id="id-1001"))
    read(desk, shop, letter("m2", -50, "It arrived broken", thread_id="t", order_id="id-1001"))
    assert desk.rows(tables.ticket)[0].escalation is True
    assert desk.rows(tables.remedy) == []
    assert any("threatens to go further" in why for _, why in open_tasks(desk))


def test_a_refund_above_the_limit_waits_for_a_person_with_its_answer_behind_it(desk: Desk, shop: Script) -> None:
    shop.orders.pages = [page(purchase(total="80.00"))]
    read(desk, shop, letter("m1", text="It arrived broken", order_id="id-1001"))
    remedies = {row.kind: row for row in desk.rows(tables.remedy)}
    assert {kind: row.state for kind, row in remedies.items()} == {"refund": "planned", "reply": "planned"}
    assert remedies["reply"].after == remedies["refund"].key
    ((kind, why),) = open_tasks(desk)
    assert kind == "approve_refund"
    assert "above the 20.00 USD that may be paid without asking" in why
    assert [hook for hook, _ in desk.told].count("aftersail_refund_parked") == 1


def test_a_case_is_claimed_for_the_lines_it_names(desk: Desk, shop: Script) -> None:
    line = {"title": "Lamp", "quantity": 2, "unit_price": Money.of("4.00", "USD")}
    shop.orders.pages = [page(purchase(total="80.00", lines=({"external_id": "l1"} | line,)))]
    shop.cases.pages = [page(matter("R1", line_ids=("l1", "gone"), reason_text="It arrived broken"))]
    desk.sync()
    (refund,) = desk.rows(tables.remedy, tables.remedy.c.kind == "refund")
    assert (str(refund.amount.normalize()), refund.state) == ("8", "approved")
    assert refund.body["lines"] == [{"line_id": "l1", "quantity": 0, "amount": None}]


def test_an_agent_decides_an_open_case_once(desk: Desk, shop: Script) -> None:
    shop.cases.pages = [page(matter("R1", available_actions=("approve", "decline")))]
    desk.sync()
    note = {"actor": "ann", "reason": None, "note": "fine"}
    assert desk.do(lambda unit: decide_open_case(unit, desk.services, 1, "approve", **note)) is True
    assert desk.do(lambda unit: decide_open_case(unit, desk.services, 1, "approve", **note)) is False
    (remedy,) = desk.rows(tables.remedy)
    assert (remedy.kind, remedy.state, remedy.body["case_id"]) == ("case", "approved", "R1")
    with pytest.raises(TicketError, match="does not offer escalate on this case; it offers: approve, decline"):
        desk.do(lambda unit: decide_open_case(unit, desk.services, 1, "escalate", **note))


def test_a_ticket_without_an_open_case_has_nothing_to_decide(desk: Desk, shop: Script) -> None:
    shop.cases.pages = [page(matter("R1", open=False))]
    desk.sync()
    with pytest.raises(TicketError, match="ticket 1 has no open case to decide"):
        desk.do(lambda unit: decide_open_case(unit, desk.services, 1, "approve", actor="ann", reason=None, note=""))


# -- what is shown ---------------------------------------------------------------------------------------------------


def test_the_inbox_shows_what_is_due_first_and_hides_what_is_closed(desk: Desk, shop: Script) -> None:
    other = desk.add("other")
    read(desk, shop, letter("calm", -10, "Hello"), letter("urgent", -5, "My parcel has not arrived"))
    read(desk, other, letter("soon", -1, respond_by=at(20)), channel="other")
    read(desk, shop, letter("auto", -30, kind="auto_reply", author=Party(external_id="robot")))
    assert [row["id"] for row in inbox(desk)] == [3, 2, 1, 4]
    assert [row["due_metric"] for row in inbox(desk)][:2] == ["platform_deadline", "first_response"]
    assert [row["buyer"] for row in inbox(desk)] == ["Ada Example"] * 3 + ["robot"]
    assert [row["id"] for row in inbox(desk, channel="other")] == [3]
    assert [row["id"] for row in inbox(desk, limit=2)] == [3, 2]
    desk.do(lambda unit: close_ticket(unit, 3, "ann"))
    assert [row["id"] for row in inbox(desk)] == [2, 1, 4]
    assert len(inbox(desk, closed=True)) == 4


def test_the_inbox_counts_open_tasks(desk: Desk, shop: Script) -> None:
    read(desk, shop, letter("m1", text="I want to return it"), letter("m2", 1, "Hello"))
    assert {row["id"]: row["tasks"] for row in inbox(desk)} == {1: 1, 2: 0}


def test_a_ticket_shows_everything_about_it_and_nothing_else(desk: Desk, shop: Script) -> None:
    shop.orders.pages = [page(purchase(parcels=(Parcel(tracking_number="T1"),)), purchase("2002"))]
    shop.cases.pages = [page(matter("R1", -30, reason_text="It arrived broken"))]
    read(desk, shop, letter("m2", 5, order_id="id-1001"), letter("m1", -5, order_id="id-1001"), letter("x", 1))
    with desk.engine.connect() as conn:
        view = ticket_view(conn, 1)
        with pytest.raises(TicketError, match="there is no ticket 99"):
            ticket_view(conn, 99)
    assert [row["external_id"] for row in view["messages"]] == ["m1", "m2"]
    assert [row["external_id"] for row in view["cases"]] == ["R1"]
    assert (view["order"]["number"], [row["tracking_number"] for row in view["shipments"]]) == ("#1001", ["T1"])
    assert {row["kind"] for row in view["remedies"]} == {"refund", "reply"}
    assert {row["ticket"] for name in ("clocks", "decisions", "tasks", "events") for row in view[name]} == {1}


def test_the_newest_decision_is_read_with_its_promises(desk: Desk, shop: Script) -> None:
    read(desk, shop, letter("m1", -60, "Hello", thread_id="t"), letter("auto", kind="auto_reply", thread_id="z"))
    read(desk, shop, letter("m2", -50, "My parcel has not arrived", thread_id="t"))
    with desk.engine.connect() as conn:
        assert newest_decision(conn, 1).tier == "urgent"
        assert {target.metric for target in targets_in_force(conn, 1)} == {
            "first_response",
            "next_response",
            "resolution",
        }
        assert targets_in_force(conn, 2) == ()
        with pytest.raises(TicketError, match="nothing was decided on ticket 2"):
            newest_decision(conn, 2)


def test_refunds_are_listed_with_their_money(desk: Desk, shop: Script) -> None:
    shop.orders.pages = [page(purchase())]
    read(desk, shop, letter("m1", text="It arrived broken", order_id="id-1001"))
    with desk.engine.connect() as conn:
        assert [row["money"] for row in refund_rows(conn)] == ["15.00 USD"]
        assert refund_rows(conn, states=["planned"]) == []
