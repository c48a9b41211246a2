"""From the command line to the platform's own ledger: refunds, answers, and what a person says of them."""

from __future__ import annotations

from collections import Counter

import pytest
import sqlalchemy as sa

from aftersail.core.store import tables
from aftersail.core.store.engine import open_engine
from tests.cli.letters import complain


def refund_of(desk, order):
    return next(row for row in desk.json("refund", "list") if row["order_id"] == order.id)


def ticket_of(desk, order):
    return refund_of(desk, order)["ticket"]


def write(tmp_path, statement):
    engine = open_engine(f"sqlite:///{tmp_path / 'aftersail.db'}")
    with engine.begin() as conn:
        conn.execute(statement)
    engine.dispose()


USER_ERROR = {
    "data": {"refundCreate": {"refund": None, "userErrors": [{"field": None, "message": "Gift cards only."}]}},
    "extensions": {
        "cost": {"throttleStatus": {"maximumAvailable": 2000, "currentlyAvailable": 2000, "restoreRate": 100}}
    },
}


def test_parked_refunds_leave_only_as_a_person_says(open_desk, shop):
    approved, rejected, taken, refused = (complain(shop, number) for number in (3001, 3002, 3003, 3004))
    open_desk("sync", "--channel", "shop", "--channel", "mail")
    rows = open_desk.json("refund", "list")
    assert Counter(row["state"] for row in rows) == {"planned": 4}
    assert {row["money"] for row in rows} == {"80.00 USD"}
    assert len(open_desk.json("refund", "list", "--state", "planned")) == 4
    assert open_desk.json("refund", "list", "--state", "settled") == []

    said = open_desk("refund", "approve", refund_of(open_desk, approved)["key"][:8]).stdout
    assert said == f"approved: 80.00 USD on order {approved.id} leaves when the daemon runs\n"
    assert "not planned" in open_desk.fails("refund", "approve", refund_of(open_desk, approved)["key"])
    said = open_desk("refund", "reject", refund_of(open_desk, rejected)["key"], "--why", "the buyer kept it").stdout
    assert said == f"cancelled: nothing is refunded on order {rejected.id}\n"
    assert "is cancelled" in open_desk.fails("refund", "approve", refund_of(open_desk, rejected)["key"])
    assert "not unknown" in open_desk.fails("refund", "resolve", refund_of(open_desk, taken)["key"], "--happened")

    # What is left of this order is less than the refund; the shop's owner was quicker.
    open_desk("refund", "approve", refund_of(open_desk, taken)["key"])
    shop.shop.refund_by_hand(taken, "50.00")
    assert shop.shop.ledger[-1].order_id == taken.id
    shop.run_until_idle()
    # Errors in an answer that says 200.
    shop.shop.fail_next("AftersailRefund", 200, body=USER_ERROR)
    open_desk("refund", "approve", refund_of(open_desk, refused)["key"])
    shop.run_until_idle()

    states = {order.number: refund_of(open_desk, order)["state"] for order in (approved, rejected, taken, refused)}
    assert states == {"3001": "settled", "3002": "cancelled", "3003": "refused", "3004": "refused"}
    booked = {(refund.order_id, str(refund.amount)) for refund in shop.shop.ledger}
    assert booked == {(taken.id, "50.00"), (approved.id, "80.00")}
    assert len(shop.shop.ledger) == 2
    assert "Gift cards only." in refund_of(open_desk, refused)["detail"]
    assert "only 30.00 USD can still be refunded" in refund_of(open_desk, taken)["detail"]
    tasks = {row["id"]: row["tasks"] for row in open_desk.json("inbox", "--all")}
    assert tasks[ticket_of(open_desk, taken)] >= 1
    assert tasks[ticket_of(open_desk, refused)] >= 1
    # Only the buyer whose refund is booked is told of one.
    assert [mail.recipients for mail in shop.mail.sent] == [("buyer3001@example.com",)]
    assert b"80.00" in shop.mail.sent[0].content or b"80,00" in shop.mail.sent[0].content
    assert "Traceback" not in shop.log()


def test_a_person_settles_what_nobody_knows(open_desk, shop, tmp_path):
    happened, nothing = complain(shop, 3001), complain(shop, 3002)
    open_desk("sync", "--channel", "shop", "--channel", "mail")
    write(tmp_path, sa.update(tables.remedy).where(tables.remedy.c.kind == "refund").values(state="unknown"))
    key = refund_of(open_desk, happened)["key"]
    assert "--happened" in open_desk("refund", "resolve", key, code=2).stderr
    said = open_desk("refund", "resolve", key[:8], "--happened", "--external-id", "gid://shopify/Refund/7").stdout
    assert said == f"refund {key[:8]} is settled\n"
    assert refund_of(open_desk, happened)["external_id"] == "gid://shopify/Refund/7"
    open_desk("refund", "resolve", refund_of(open_desk, nothing)["key"], "--did-not-happen")
    assert refund_of(open_desk, nothing)["state"] == "refused"
    shop.run_until_idle()
    assert shop.shop.ledger == []
    assert [mail.recipients for mail in shop.mail.sent] == [("buyer3001@example.com",)]


def test_an_agents_answer_leaves_once_and_the_ticket_closes(open_desk, shop):
    order = complain(shop, 3001)
    open_desk("sync", "--channel", "shop", "--channel", "mail")
    number = str(ticket_of(open_desk, order))
    assert open_desk("ticket", "reply", number, typed="Grüße aus 東京: a new lamp is on its way.\n").stdout.startswith(
        "planned: it leaves through mail"
    )
    assert "the answer is empty" in open_desk("ticket", "reply", number, "--text", "  ", code=2).stderr
    shop.run_until_idle()
    shop.run_until_idle()
    answer = next(mail for mail in shop.mail.sent if mail.recipients == ("buyer3001@example.com",))
    assert len(shop.mail.sent) == 1
    assert b"In-Reply-To: <3001@example.com>" in answer.content
    assert open_desk("ticket", "close", number).stdout == f"ticket {number} is closed\n"
    assert open_desk("ticket", "close", number).stdout == f"ticket {number} was closed before\n"
    assert open_desk.json("inbox") == []
    assert [row["state"] for row in open_desk.json("inbox", "--all")] == ["closed"]
    said = open_desk("ticket", "show", number).stdout
    assert "東京" in said


@pytest.mark.slow
def test_a_return_is_decided_on_the_platform(open_desk, shop):
    order = complain(shop, 3001)
    asked = shop.shop.add_return_request(order, reason="unwanted", note="too tall")
    open_desk("sync", "--channel", "shop", "--channel", "mail")
    cases = {row["id"]: open_desk.json("ticket", "show", str(row["id"]))["cases"] for row in open_desk.json("inbox")}
    number = str(next(ticket for ticket, found in cases.items() if found))
    assert "planned: it leaves" in open_desk("ticket", "decide", number, "approve").stdout
    assert "the same decision was planned before" in open_desk("ticket", "decide", number, "approve").stdout
    assert "does not offer" in open_desk.fails("ticket", "decide", number, "appeal")
    shop.run_until_idle()
    assert asked.status == "OPEN"


def test_what_is_not_there_is_told(open_desk, shop):
    for arguments in (("show",), ("close",), ("reply", "--text", "hi"), ("decide", "approve")):
        name, *rest = arguments
        order = [name, "99", *rest] if name == "decide" else [name, *rest, "99"]
        assert "99" in open_desk.fails("ticket", *order)
    assert "99" in open_desk.fails("policy", "explain", "99")
    assert "no refund with the key" in open_desk.fails("refund", "approve", "abcdef")
    assert "states are: planned" in open_desk("refund", "list", "--state", "open", code=2).stderr
