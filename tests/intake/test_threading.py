"""Which ticket a message belongs to, and whose order a ticket may be about."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from aftersail.core.contract import (
    Authenticity,
    Direction,
    MailRefs,
    Message,
    MessageKind,
    Party,
    RawMail,
    Reply,
)
from aftersail.core.desk.agent import answer, close_ticket
from aftersail.core.desk.settled import on_settled
from aftersail.core.remedies.plan import plan_reply, remedy_key
from aftersail.core.store import tables
from tests.builders import NOON, Desk, Script, at, letter, mail, matter, page, purchase

EVE = Party(name="Eve", email="eve@stranger.example")
SELLER = {"direction": Direction.OUTBOUND, "author": Party(name="Shop", email="shop@shop.example")}


def tickets_of(desk: Desk) -> dict[str, int]:
    return {row.external_id: row.ticket for row in desk.rows(tables.message)}


def read(desk: Desk, script: Script, *messages: Message, channel: str = "shop") -> None:
    """Every message in a page of its own, in this order."""
    for message in messages:
        script.messages.pages.append(page(message))
        desk.sync(channel)


def refunds(desk: Desk) -> list[tuple[str, str]]:
    rows = desk.rows(tables.remedy, tables.remedy.c.kind == "refund")
    return [(row.order_id, row.state) for row in rows]


def test_a_conversation_of_the_platform_is_one_ticket(desk: Desk, shop: Script) -> None:
    read(desk, shop, letter("m1", thread_id="t1"), letter("m2", 1, thread_id="t2"), letter("m3", 2, thread_id="t1"))
    found = tickets_of(desk)
    assert found["m1"] == found["m3"] != found["m2"]


def test_references_join_mails_in_whatever_order_they_are_read(desk: Desk, shop: Script) -> None:
    first, second, third = mail("a"), mail("b", 1, answers=["a"]), mail("c", 2, answers=["a", "b"])
    read(desk, shop, third, first, second, mail("x", 3))
    found = tickets_of(desk)
    assert found["<a>"] == found["<b>"] == found["<c>"] != found["<x>"]


def test_in_reply_to_alone_joins_a_mail(desk: Desk, shop: Script) -> None:
    refs = MailRefs(message_id="<b>", in_reply_to="<a>")
    read(desk, shop, mail("a"), letter("<b>", 1, mail=refs))
    assert len(set(tickets_of(desk).values())) == 1


def test_our_own_token_outweighs_every_other_key(desk: Desk, shop: Script) -> None:
    """The Message-ID of our answer holds the remedy's key, so that the reply finds it before any page brings it."""
    read(desk, shop, mail("a"), mail("z", 1))
    key = remedy_key("reply", 1, "test")
    reply = Reply(key=key, text="Hello")
    desk.do(lambda unit: plan_reply(unit, desk.jobs, ticket=1, channel="shop", reply=reply, why="test"))
    both = MailRefs(message_id="<b>", in_reply_to="<z>", references=(f"<{key}@shop.example>", "<z>"))
    read(desk, shop, letter("<b>", 2, mail=both))
    assert tickets_of(desk)["<b>"] == 1


def test_a_relay_address_with_an_order_joins(desk: Desk, shop: Script) -> None:
    relay = {"reply_to": "x7@relay.example"}
    read(desk, shop, letter("m1", order_id="9", **relay), letter("m2", 1, order_id="9", **relay))
    read(desk, shop, letter("m3", 2, order_id="8", **relay))
    found = tickets_of(desk)
    assert found["m1"] == found["m2"] != found["m3"]


def test_the_strongest_known_key_wins(desk: Desk, shop: Script) -> None:
    read(desk, shop, mail("a", thread_id="t1"), mail("b", 1, thread_id="t2"))
    read(desk, shop, mail("c", 2, answers=["a"], thread_id="t2"))
    found = tickets_of(desk)
    assert found["<c>"] == found["<a>"]


def test_everything_about_one_order_is_one_ticket_while_it_is_open(desk: Desk, shop: Script) -> None:
    shop.orders.pages = [page(purchase())]
    shop.cases.pages = [page(matter("R1", -5))]
    read(desk, shop, letter("m1", order_id="id-1001"))
    (case,) = desk.rows(tables.cases)
    assert tickets_of(desk) == {"m1": case.ticket}
    desk.do(lambda unit: close_ticket(unit, case.ticket, "ann"))
    desk.advance(1)
    read(desk, shop, letter("m2", 1, order_id="id-1001"))
    assert tickets_of(desk)["m2"] != case.ticket


def test_a_mail_from_the_buyers_address_joins_what_the_shop_knows_of_the_order(desk: Desk, shop: Script) -> None:
    box = desk.add("box")
    shop.orders.pages = [page(purchase())]
    shop.cases.pages = [page(matter("R1", -5))]
    desk.sync()
    read(desk, box, mail("a", subject="My order #1001", author=Party(email="ADA@Buyer.example")), channel="box")
    assert tickets_of(desk)["<a>"] == desk.rows(tables.cases)[0].ticket


def test_a_stranger_who_names_an_order_gets_a_ticket_of_his_own_and_no_money(desk: Desk, shop: Script) -> None:
    box = desk.add("box")
    shop.orders.pages = [page(purchase())]
    read(desk, shop, letter("m1", order_id="id-1001", text="When will it ship?"))
    read(desk, box, mail("a", 1, "It arrived broken, order #1001", author=EVE), channel="box")
    found = tickets_of(desk)
    assert found["<a>"] != found["m1"]
    (ticket,) = desk.rows(tables.ticket, tables.ticket.c.id == found["<a>"])
    assert (ticket.orders_id, ticket.buyer_email) == (1, "eve@stranger.example")
    assert refunds(desk) == [("id-1001", "planned")]
    assert desk.jobs.enqueued == {}
    (decision,) = desk.rows(tables.decision, tables.decision.c.ticket == ticket.id)
    assert decision.body["trace"]["facts"]["buyer.matches_order"] == "no"


def test_a_writer_without_an_address_is_not_taken_for_the_buyer(desk: Desk, shop: Script) -> None:
    other = desk.add("other")
    shop.orders.pages = [page(purchase())]
    desk.sync()
    nameless = letter("d1", text="Order #1001 arrived broken", author=Party(external_id="handle-7"))
    read(desk, other, nameless, channel="other")
    (ticket,) = desk.rows(tables.ticket)
    assert (ticket.orders_id, ticket.buyer_email) == (1, None)
    assert refunds(desk) == [("id-1001", "planned")]
    assert desk.jobs.enqueued == {}


def test_a_stranger_whose_order_comes_later_is_still_a_stranger(desk: Desk, shop: Script) -> None:
    box = desk.add("box")
    read(desk, box, mail("a", 0, "It arrived broken, order #1001", author=EVE), channel="box")
    shop.orders.pages = [page(purchase())]
    read(desk, shop, letter("m1", 1, order_id="id-1001"))
    found = tickets_of(desk)
    assert found["m1"] != found["<a>"]
    assert refunds(desk) == [("id-1001", "planned")]
    assert desk.jobs.enqueued == {}


@pytest.mark.parametrize("verdict", [Authenticity.FAIL, Authenticity.UNKNOWN])
def test_a_mail_that_may_be_forged_goes_to_a_person(desk: Desk, shop: Script, verdict: Authenticity) -> None:
    box = desk.add("box")
    shop.orders.pages = [page(purchase())]
    desk.sync()
    read(desk, box, mail("a", 0, "It arrived broken, order #1001", authenticity=verdict), channel="box")
    assert refunds(desk) == [("id-1001", "planned")]
    assert desk.jobs.enqueued == {}
    (task,) = desk.rows(tables.task)
    assert "not proven to be from whom it claims" in task.why


def test_the_same_mail_proven_genuine_is_paid(desk: Desk, shop: Script) -> None:
    box = desk.add("box")
    shop.orders.pages = [page(purchase())]
    desk.sync()
    read(desk, box, mail("a", 0, "It arrived broken, order #1001"), channel="box")
    assert refunds(desk) == [("id-1001", "approved")]
    assert len(desk.jobs.enqueued) == 1


def test_an_order_number_that_two_shops_use_says_nothing(desk: Desk, shop: Script) -> None:
    other, box = desk.add("other"), desk.add("box")
    shop.orders.pages = [page(purchase())]
    other.orders.pages = [page(purchase(external_id="other-1"))]
    desk.sync()
    desk.sync("other")
    read(desk, box, mail("a", 0, "Order #1001 arrived broken"), channel="box")
    (ticket,) = desk.rows(tables.ticket)
    assert ticket.orders_id is None


def test_a_number_that_is_taken_by_then_links_no_waiting_ticket(desk: Desk, shop: Script) -> None:
    box = desk.add("box")
    read(desk, box, mail("a", 0, "Order #1001 arrived broken"), channel="box")
    shop.orders.pages = [page(purchase(external_id="shop-1"), purchase(external_id="shop-2"))]
    desk.sync()
    assert desk.rows(tables.ticket)[0].orders_id is None


@pytest.mark.parametrize("named", ["id-1001", "#1001", "1001"])
def test_an_order_that_comes_after_its_message_is_linked(desk: Desk, shop: Script, named: str) -> None:
    read(desk, shop, letter("m1", text="It arrived broken", order_id=named))
    assert refunds(desk) == []
    (task,) = desk.rows(tables.task)
    assert task.closed_at is None
    shop.orders.pages = [page(purchase())]
    desk.sync()
    (ticket,) = desk.rows(tables.ticket)
    assert ticket.orders_id == 1
    assert refunds(desk) == [("id-1001", "approved")]
    (task,) = desk.rows(tables.task)
    assert task.closed_by == "aftersail"
    assert desk.rows(tables.order_mention) == []
    assert "order_linked" in {row.kind for row in desk.rows(tables.event)}


def test_an_order_that_comes_after_its_case_is_linked(desk: Desk, shop: Script) -> None:
    shop.cases.pages = [page(matter("R1"))]
    desk.sync()
    assert desk.rows(tables.ticket)[0].orders_id is None
    shop.orders.pages = [page(purchase())]
    desk.sync()
    (ticket,) = desk.rows(tables.ticket)
    assert (ticket.orders_id, ticket.buyer_email) == (1, "ada@buyer.example")


def test_a_case_joins_the_message_that_named_its_order_before_the_order_came(desk: Desk, shop: Script) -> None:
    read(desk, shop, letter("m1", order_id="id-1001"))
    shop.cases.pages = [page(matter("R1", 5))]
    desk.sync()
    assert desk.rows(tables.cases)[0].ticket == tickets_of(desk)["m1"]


def test_a_platforms_id_means_nothing_on_another_channel(desk: Desk, shop: Script) -> None:
    box = desk.add("box")
    read(desk, box, mail("a", 0, "About 77001 it is"), channel="box")
    shop.orders.pages = [page(purchase("1", external_id="77001"))]
    desk.sync()
    assert desk.rows(tables.ticket)[0].orders_id is None


def test_a_new_message_opens_a_closed_ticket_again(desk: Desk, shop: Script) -> None:
    read(desk, shop, letter("m1", thread_id="t"))
    desk.do(lambda unit: close_ticket(unit, 1, "ann"))
    assert [row.state for row in desk.rows(tables.clock)] == ["cancelled", "met"]
    desk.advance(60)
    read(desk, shop, letter("m2", 59, "Still nothing", thread_id="t"))
    (ticket,) = desk.rows(tables.ticket)
    assert (ticket.state, ticket.closed_at) == ("open", None)
    running = desk.rows(tables.clock, tables.clock.c.state == "running")
    assert [(row.metric, row.started_at) for row in running] == [("resolution", at(0)), ("next_response", at(59))]


def test_the_sellers_own_words_do_not_open_a_closed_ticket(desk: Desk, shop: Script) -> None:
    read(desk, shop, letter("m1", thread_id="t"))
    desk.do(lambda unit: close_ticket(unit, 1, "ann"))
    desk.advance(60)
    read(desk, shop, letter("m2", 30, "Bye", thread_id="t", **SELLER))
    assert desk.rows(tables.ticket)[0].state == "closed"


def test_a_claimed_mail_belongs_to_the_channel_that_knows_it(desk: Desk, shop: Script) -> None:
    relay = desk.add("relay-de", "relay", mailbox="box")
    box = desk.add("box")
    asked: list[RawMail] = []

    def claim(raw: RawMail) -> Message | None:
        asked.append(raw)
        if b"@relay.example" not in raw.content:
            return None
        return mail("claimed", text="Where is it?", order_id="R-5", reply_to="x1@relay.example")

    relay.claim = claim

    def raw(content: bytes) -> RawMail:
        return RawMail(content=content, received_at=NOON, mailbox="box")

    theirs = mail("seen-by-the-box", raw_mail=raw(b"From: x1@relay.example"))
    ours = mail("plain", 1, raw_mail=raw(b"From: ada@buyer.example"))
    box.messages.pages = [page(theirs, ours, mail("parsed", 2))]
    desk.sync("box")
    found = {row.external_id: row for row in desk.rows(tables.message)}
    assert {name: row.channel for name, row in found.items()} == {
        "<claimed>": "relay-de",
        "<plain>": "box",
        "<parsed>": "box",
    }
    tickets = {row.id: row for row in desk.rows(tables.ticket)}
    claimed = tickets[found["<claimed>"].ticket]
    assert (claimed.channel, claimed.via, claimed.reply_to) == ("relay-de", "box", "x1@relay.example")
    assert tickets[found["<plain>"].ticket].via is None
    assert len(asked) == 2
    assert desk.do(lambda unit: answer(unit, desk.services, claimed.id, "Soon", key="k1", actor="ann")) == "box"
    (reply,) = desk.rows(tables.remedy, tables.remedy.c.key == "k1")
    assert reply.body["to"] == "x1@relay.example"


def test_what_the_seller_begins_is_the_buyers_ticket_all_the_same(desk: Desk, shop: Script) -> None:
    read(desk, shop, letter("m1", -30, "Your parcel is late", thread_id="t", subject="Delay", **SELLER))
    (ticket,) = desk.rows(tables.ticket)
    assert (ticket.state, ticket.buyer_email, ticket.reply_to) == ("waiting", None, None)
    assert desk.rows(tables.clock) == []
    read(desk, shop, letter("m2", -10, "My parcel has not arrived", thread_id="t", subject="Re: Delay"))
    (ticket,) = desk.rows(tables.ticket)
    assert (ticket.state, ticket.buyer_email, ticket.reply_to) == ("open", "ada@buyer.example", "ada@buyer.example")
    assert (ticket.filed_at, ticket.reason) == (at(-10), "not_received")
    assert {row.metric for row in desk.rows(tables.clock)} == {"first_response", "resolution"}


def test_a_message_completes_a_ticket_that_a_case_opened(desk: Desk, shop: Script) -> None:
    shop.cases.pages = [page(matter("R1"))]
    read(desk, shop, letter("m1", 5, order_id="id-1001", thread_id="t9", reply_to="conv-9"))
    (ticket,) = desk.rows(tables.ticket)
    assert (ticket.thread_id, ticket.reply_to) == ("t9", "conv-9")


@pytest.mark.parametrize("kind", [MessageKind.AUTO_REPLY, MessageKind.BOUNCE])
def test_what_a_machine_sends_joins_its_ticket_and_moves_nothing(desk: Desk, shop: Script, kind: MessageKind) -> None:
    read(desk, shop, mail("a", -60), letter("<r>", -50, "Sorry", mail=MailRefs(in_reply_to="<a>"), **SELLER))
    before = desk.rows(tables.clock), len(desk.rows(tables.decision))
    read(desk, shop, mail("auto", 1, "I am away. It arrived broken", answers=["a"], kind=kind))
    (ticket,) = desk.rows(tables.ticket)
    assert (ticket.state, ticket.reason) == ("waiting", "other")
    assert (desk.rows(tables.clock), len(desk.rows(tables.decision))) == before


@pytest.mark.parametrize("kind", [MessageKind.AUTO_REPLY, MessageKind.BOUNCE])
def test_what_a_machine_opens_starts_no_clock_until_the_buyer_speaks(
    desk: Desk, shop: Script, kind: MessageKind
) -> None:
    read(desk, shop, mail("auto", -60, "I am away", kind=kind))
    assert desk.rows(tables.clock) == []
    assert desk.rows(tables.decision) == []
    read(desk, shop, mail("b", -5, "It arrived broken", answers=["auto"]))
    (ticket,) = desk.rows(tables.ticket)
    assert (ticket.filed_at, ticket.reason) == (at(-5), "damaged")
    assert {(row.metric, row.started_at) for row in desk.rows(tables.clock)} == {
        ("first_response", at(-5)),
        ("resolution", at(-5)),
    }


def test_an_answer_of_ours_is_found_by_the_mail_that_follows_it(desk: Desk, shop: Script) -> None:
    read(desk, shop, mail("a"))
    desk.do(lambda unit: answer(unit, desk.services, 1, "Hello", key="k1", actor="ann"))

    def settle(unit) -> None:
        table = tables.remedy
        settled = {"state": "settled", "settled_at": unit.now, "external_id": "<sent@shop.example>"}
        unit.conn.execute(sa.update(table).where(table.c.key == "k1").values(**settled))
        on_settled(unit, unit.conn.execute(sa.select(table).where(table.c.key == "k1")).one())

    desk.do(settle)
    desk.advance(5)
    only = MailRefs(message_id="<b>", in_reply_to="<sent@shop.example>")
    read(desk, shop, letter("<b>", 4, "Thanks, but no", mail=only))
    assert tickets_of(desk)["<b>"] == 1
    assert desk.rows(tables.ticket)[0].state == "open"


def test_nobody_can_guess_the_message_id_of_an_answer(desk: Desk, shop: Script) -> None:
    """Whoever names it in a mail of his own joins the ticket; nothing that is known outside makes it."""
    shop.orders.pages = [page(purchase())]
    read(desk, shop, letter("m1", 0, "It has a small scratch", order_id="id-1001"))
    (ticket,) = desk.rows(tables.ticket)
    replies = [row for row in desk.rows(tables.remedy) if row.kind == "reply"]
    assert replies
    assert len(ticket.token) >= 32
    for row in replies:
        template = next(
            name for name in ("soothing", "acknowledge") if remedy_key("reply", ticket.token, row.rule, name) == row.key
        )
        assert remedy_key("reply", ticket.id, row.rule, template) != row.key
