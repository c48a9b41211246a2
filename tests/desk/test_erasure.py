"""Forgetting a buyer: nothing that tells who it was is left anywhere, and the books and the audit log stay whole."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from aftersail.core.contract import Attachment, Money, Parcel, Party, RefundRequest, Reply
from aftersail.core.desk.agent import put_ticket
from aftersail.core.desk.buyers import BuyerError, export_buyer, find_buyer
from aftersail.core.desk.erasure import Eraser, ErasureError
from aftersail.core.desk.retention import RetentionRule, purge
from aftersail.core.desk.surveys import answer_survey, ask_survey
from aftersail.core.desk.tickets import TicketState
from aftersail.core.remedies.plan import plan_refund, plan_reply
from aftersail.core.remedies.tasks import open_task
from aftersail.core.store import tables
from aftersail.core.store.audit import MARK, seal
from aftersail.core.store.audit_check import verify
from aftersail.core.store.compact import compact
from aftersail.core.store.engine import is_sqlite, reading
from tests.builders import letter, mail, matter, page, purchase

ADA = "ada@buyer.example"
SECRETS = (
    "Ada Example",
    ADA,
    "ADA@buyer.example",
    "Lovelace Lane 7",
    "cracked teapot",
    "teapot-photo.jpg",
    "PIXELS-OF-ADA",
    "analytical.example",
    "AK-ADA-1",
    "we wrote to her by hand",
    "signed by Ada",
    "an own remark",
)
EVE = Party(name="Eve Other", email="eve@other.example")


def story(desk, shop):
    """Ada orders, writes twice by mail, has a case and gets an answer and a refund; Eve has a matter of her own."""
    parcels = (Parcel(tracking_number="AK-ADA-1", carrier="dhl"),)
    ordered = purchase(delivered_at=desk.now - timedelta(days=4), parcels=parcels)
    eve = purchase("2002", buyer=EVE, delivered_at=desk.now - timedelta(days=4))
    photo = Attachment(filename="teapot-photo.jpg", content_type="image/jpeg", size=13, content=b"PIXELS-OF-ADA")
    shop.orders.pages = [page(ordered, eve)]
    text = "My cracked teapot came to Lovelace Lane 7. Ada Example"
    first = mail(
        "1@analytical.example", 0, text, subject="Order 1001: cracked teapot", html=f"<p>{text}</p>",
        attachments=(photo,), order_id="id-1001", reply_to="ADA@buyer.example", link="https://x.example/?u=Ada Example",
    )  # fmt: skip
    again = mail("2@analytical.example", 5, "I am Ada Example, of Lovelace Lane 7", answers=("1@analytical.example",))
    other = letter("eve-1", 3, "My lamp is torn", author=EVE, order_id="id-2002")
    shop.messages.pages = [page(first, again, other, skipped=[f"a mail of {ADA} could not be read"])]
    shop.cases.pages = [page(matter(minutes=1, reason_text="cracked teapot", open=False))]
    desk.sync()
    ticket = next(row.id for row in desk.rows(tables.ticket) if row.buyer_email == ADA)

    def answer(unit):
        reply = Reply(key="reply-key-1", to=ADA, subject="cracked teapot", text="Dear Ada Example, sorry")
        plan_reply(unit, desk.jobs, ticket=ticket, channel="shop", reply=reply, why="an own remark on Ada Example")
        refund = RefundRequest(
            key="refund-key-1", order_id="id-1001", amount=Money.of("15.00", "USD"), planned_at=unit.now,
            note="for the cracked teapot",
        )  # fmt: skip
        plan_refund(
            unit, desk.jobs, ticket=ticket, channel="shop", refund=refund, why="an own remark", approved_by="ann"
        )
        open_task(unit, ticket, "by_hand", "we wrote to her by hand", link="https://x.example/Ada Example")
        ask_survey(unit, ticket, "csat")
        answer_survey(unit, ticket, "csat", 1, "the cracked teapot!")
        tracked = sa.update(tables.shipment).where(tables.shipment.c.tracking_number == "AK-ADA-1")
        moves = [{"at": unit.now.isoformat(), "status": "delivered", "description": "signed by Ada", "location": None}]
        unit.conn.execute(tracked.values(events=moves, link="https://t.example/AK-ADA-1"))

    desk.do(answer)
    return ticket


def settle(desk, ticket):
    """Everything that was planned on a ticket ends, as the outbox would have it."""
    ended = sa.update(tables.remedy).where(tables.remedy.c.ticket == ticket)
    desk.do(lambda unit: unit.conn.execute(ended.values(state="settled", external_id="p-1", detail=ADA)))


def close(desk, ticket):
    desk.do(lambda unit: put_ticket(unit, desk.services, ticket, TicketState.CLOSED, "ann"))


def known(desk, who=ADA, channel=None):
    with reading(desk.engine).connect() as conn:
        return find_buyer(conn, who, channel)


def eraser(desk):
    return Eraser(desk.engine, now=lambda: desk.now, actor="ann", rule="on request", services=desk.services)


def erase(desk, *, force=False):
    done = eraser(desk).buyer(known(desk), force=force)
    assert compact(desk.engine)
    return done


def raw(desk) -> bytes:
    """Every byte of the database, or where a server holds it, every row of every table as text."""
    if is_sqlite(desk.engine):
        path = desk.engine.url.database
        logs = (Path(f"{path}{suffix}") for suffix in ("", "-wal", "-journal"))
        return b"".join(each.read_bytes() for each in logs if each.exists())
    found = []
    with desk.engine.connect() as conn:
        names = sa.inspect(conn).get_table_names()
        for name in names:
            whole = sa.select(sa.literal_column("t::text")).select_from(sa.table(name).alias("t"))
            found += conn.scalars(whole).all()
        files = conn.exec_driver_sql("SELECT convert_from(content, 'UTF8') FROM attachment WHERE content IS NOT NULL")
        found += [row[0] for row in files]
    return "\n".join(found).encode()


def traces(desk):
    there = raw(desk).lower()
    return [secret for secret in SECRETS if secret.lower().encode() in there]


def test_the_scan_itself_sees_every_secret_before_the_erasure(desk, shop):
    story(desk, shop)
    assert traces(desk) == list(SECRETS)


def test_nothing_that_tells_who_it_was_is_left(desk, shop):
    ticket = story(desk, shop)
    seal(desk.engine)
    settle(desk, ticket)
    close(desk, ticket)
    done = erase(desk)
    assert (done.tickets, done.orders, done.messages, done.attachments, done.kept) == (1, 1, 2, 1, [])
    assert traces(desk) == []
    assert b"Eve Other" in raw(desk)


def test_what_was_rewritten_before_the_erasure_leaves_no_trace_in_free_pages(desk, shop):
    """Whoever edits a long message leaves the old one in pages that the database has freed and not used again."""
    if is_sqlite(desk.engine):  # as most builds of SQLite begin; some overwrite what they free unasked
        sa.event.listen(desk.engine, "connect", lambda raw, _: raw.execute("PRAGMA secure_delete=OFF"))
        desk.engine.dispose()
    ticket = story(desk, shop)
    for revision, size in enumerate((20_000, 1), 1):
        text = "cracked teapot, Lovelace Lane 7. " * size
        shop.messages.pages = [page(mail("1@analytical.example", 0, text, revision=revision, order_id="id-1001"))]
        desk.sync()
    settle(desk, ticket)
    close(desk, ticket)
    erase(desk)
    assert traces(desk) == []


def test_the_books_the_clocks_and_the_audit_log_stay(desk, shop):
    ticket = story(desk, shop)
    seal(desk.engine)
    settle(desk, ticket)
    close(desk, ticket)
    clocks, head = desk.rows(tables.clock), verify(desk.engine).head
    erase(desk)
    seal(desk.engine)
    assert desk.rows(tables.clock) == clocks
    refund = next(row for row in desk.rows(tables.remedy) if row.key == "refund-key-1")
    assert (refund.state, refund.amount, refund.currency, refund.order_id) == ("settled", Decimal(15), "USD", "id-1001")
    assert RefundRequest.model_validate(refund.body).amount == Money.of("15.00", "USD")
    reply = next(row for row in desk.rows(tables.remedy) if row.key == "reply-key-1")
    assert Reply.model_validate(reply.body).text == MARK
    order = next(row for row in desk.rows(tables.orders) if row.external_id == "id-1001")
    assert (order.total, order.number, order.buyer_key, order.erased_at) == (Decimal(15), "#1001", None, desk.now)
    found = verify(desk.engine, expect=head)
    assert (found.broken, found.unsealed) == (None, 0)
    assert found.erased > 5
    planned = next(
        row for row in desk.rows(tables.event) if row.kind == "refund_planned" and row.data["key"] == "refund-key-1"
    )
    assert planned.data["why"] == MARK
    assert (planned.data["amount"], planned.data["approved_by"]) == ("15.00", "ann")
    assert [row.actor for row in desk.rows(tables.event, tables.event.c.kind == "privacy_erased")] == ["ann"] * 3


def test_serving_the_same_pages_again_brings_nothing_back(desk, shop):
    ticket = story(desk, shop)
    pages = dict.fromkeys(("orders", "messages", "cases"))
    settle(desk, ticket)
    close(desk, ticket)
    erase(desk)
    text = "My cracked teapot came to Lovelace Lane 7"
    newer = purchase(
        delivered_at=desk.now - timedelta(days=4), revision=5, status="archived",
        parcels=(Parcel(tracking_number="AK-ADA-1"),),
    )  # fmt: skip
    shop.orders.pages = [page(newer)]
    again = [mail("1@analytical.example", 0, text, revision=revision, order_id="id-1001") for revision in (0, 7)]
    shop.messages.pages = [page(*again)]
    shop.cases.pages = [page(matter(minutes=1, reason_text="cracked teapot", open=False, revision=9))]
    report = desk.sync()
    assert (report.new, report.revised["messages"], report.revised["cases"]) == (dict.fromkeys(pages, 0), 0, 0)
    order = next(row for row in desk.rows(tables.orders) if row.external_id == "id-1001")
    assert (order.status, order.buyer_email) == ("archived", None)
    assert traces(desk) == []


def test_who_writes_again_is_a_new_buyer_in_a_new_ticket(desk, shop):
    ticket = story(desk, shop)
    settle(desk, ticket)
    close(desk, ticket)
    erase(desk)
    reply = mail("3@analytical.example", 60, "And now?", answers=("1@analytical.example", "reply-key-1@shop.example"))
    shop.messages.pages = [page(reply)]
    desk.sync()
    fresh = desk.rows(tables.ticket)[-1]
    assert fresh.id != ticket
    assert (fresh.buyer_email, fresh.state, fresh.erased_at) == (ADA, "open", None)
    assert known(desk).tickets == {fresh.id}


def test_what_is_open_is_refused_with_the_reason(desk, shop):
    ticket = story(desk, shop)
    before = raw(desk)
    with pytest.raises(ErasureError, match=f"ticket {ticket} is open.*refund refund-key-1.*approved"):
        eraser(desk).buyer(known(desk), force=False)
    close(desk, ticket)
    with pytest.raises(ErasureError, match="refund refund-key-1 of ticket 1 is approved"):
        eraser(desk).buyer(known(desk), force=False)
    assert all(secret.encode() in before for secret in SECRETS)
    assert traces(desk) == list(SECRETS)


def test_force_closes_takes_answers_back_and_keeps_what_a_refund_under_way_needs(desk, shop):
    ticket = story(desk, shop)
    done = erase(desk, force=True)
    assert "refund-key-1" in done.kept
    assert "reply-key-1" not in done.kept
    states = {row.key: row.state for row in desk.rows(tables.remedy)}
    assert (states["reply-key-1"], states["refund-key-1"]) == ("cancelled", "approved")
    refund = next(row for row in desk.rows(tables.remedy) if row.key == "refund-key-1")
    assert refund.body["note"] == "for the cracked teapot"
    assert next(row for row in desk.rows(tables.ticket) if row.id == ticket).state == "closed"
    assert traces(desk) == ["cracked teapot"]


def test_a_key_on_two_channels_is_not_surely_one_buyer(desk, shop):
    other = desk.add("outlet")
    for feed, number in ((shop, "1"), (other, "2")):
        feed.orders.pages = [page(purchase(number, buyer=Party(external_id="B77", name=f"Buyer {number}")))]
    desk.sync("shop")
    desk.sync("outlet")
    with pytest.raises(BuyerError, match=r"outlet, shop.*--channel"):
        known(desk, "B77")
    assert len(known(desk, "B77", "outlet").orders) == 1
    with pytest.raises(BuyerError, match="nothing is known"):
        known(desk, "B78")


def test_an_address_leads_to_all_keys_of_the_same_person(desk, shop):
    other = desk.add("outlet")
    shop.orders.pages = [page(purchase("1", buyer=Party(external_id="B1", email=ADA)), purchase("2", buyer=EVE))]
    other.orders.pages = [page(purchase("3", buyer=Party(external_id="B1", name="A stranger", email="x@y.example")))]
    shop.messages.pages = [page(letter("m1", author=Party(external_id="B1")))]
    desk.sync("shop")
    desk.sync("outlet")
    found = known(desk)
    assert (len(found.orders), len(found.tickets)) == (1, 1)


def test_an_export_holds_everything_but_the_files_themselves(desk, shop):
    story(desk, shop)
    with reading(desk.engine).connect() as conn:
        found = export_buyer(conn, find_buyer(conn, ADA))
    assert [len(found[name]) for name in ("orders", "shipments", "tickets", "messages", "cases", "surveys")] == [
        1, 1, 1, 2, 1, 1,
    ]  # fmt: skip
    (file,) = found["attachments"]
    assert (file["filename"], file["size"], "content" in file) == ("teapot-photo.jpg", 13, False)
    assert "Eve" not in repr(found)
    assert "token" not in found["tickets"][0]


# -- by schedule -------------------------------------------------------------------------------------------------------

DELIVERED = RetentionRule(connector="scripted", after="delivered", days=30)
CLOSED = RetentionRule(after="closed", days=730)


def run(desk, *rules, **options):
    return purge(desk.engine, rules, now=lambda: desk.now, **options)


def test_thirty_days_after_delivery_an_order_and_its_tickets_are_forgotten(desk, shop):
    ticket = story(desk, shop)
    settle(desk, ticket)
    close(desk, ticket)
    desk.now += timedelta(days=26) - timedelta(seconds=1)
    assert run(desk, DELIVERED).orders == 0
    desk.now += timedelta(seconds=1)
    dry = run(desk, DELIVERED, dry_run=True)
    assert traces(desk) == list(SECRETS)
    done = run(desk, DELIVERED)
    assert (dry.tickets, dry.orders, dry.messages, dry.attachments) == (1, 1, 2, 1)
    assert (done.tickets, done.orders, done.messages, done.attachments) == (1, 1, 2, 1)
    assert dry.waiting == done.waiting  # Eve's ticket is open
    assert ["ticket 2 is open" in why for why in done.waiting] == [True]
    again = run(desk, DELIVERED)
    assert (again.tickets, again.orders, len(again.waiting)) == (0, 0, 1)


def test_a_rule_of_one_platform_leaves_the_others_alone(desk, shop):
    ticket = story(desk, shop)
    settle(desk, ticket)
    close(desk, ticket)
    desk.now += timedelta(days=400)
    amazon = RetentionRule(connector="amazon", after="delivered", days=30)
    assert run(desk, amazon, CLOSED).orders == 0
    desk.now += timedelta(days=330)
    done = run(desk, amazon, CLOSED)
    assert (done.tickets, done.orders) == (1, 1)


def test_an_order_is_remembered_while_another_ticket_needs_it(desk, shop):
    ticket = story(desk, shop)
    settle(desk, ticket)
    close(desk, ticket)
    desk.now += timedelta(days=729)
    shop.messages.pages = [page(letter("late", 60 * 24 * 729, "Once more, about my order", order_id="id-1001"))]
    desk.sync()
    desk.now += timedelta(days=2)
    done = run(desk, CLOSED)
    assert (done.tickets, done.orders) == (1, 0)
    assert known(desk).orders


def test_two_rules_that_say_the_same_count_once_in_a_dry_run(desk, shop):
    ticket = story(desk, shop)
    settle(desk, ticket)
    close(desk, ticket)
    desk.now += timedelta(days=800)
    dry, done = run(desk, DELIVERED, CLOSED, dry_run=True), run(desk, DELIVERED, CLOSED)
    assert (dry.tickets, dry.orders, dry.messages) == (done.tickets, done.orders, done.messages) == (1, 1, 2)


def test_a_purge_that_was_broken_off_goes_on(desk, shop):
    shop.orders.pages = [page(*(purchase(f"{n}", delivered_at=desk.now, buyer=Party(name=f"N {n}")) for n in range(9)))]
    desk.sync()
    desk.now += timedelta(days=31)
    left = iter([False] * 4 + [True] * 9)
    assert run(desk, DELIVERED, stop=lambda: next(left)).orders == 4
    assert run(desk, DELIVERED).orders == 5
    assert [row.buyer_name for row in desk.rows(tables.orders)] == [None] * 9


def test_a_large_ticket_is_forgotten_in_short_transactions(desk, shop):
    """Nobody waits long for the write lock, however much there is to forget."""
    file = Attachment(filename="film.mp4", content_type="video/mp4", size=1_500_000, content=b"x" * 1_500_000)
    letters = [
        letter(f"m{n}", n / 100, "Hello there", thread_id="t", attachments=(file,) * (n < 4)) for n in range(120)
    ]
    shop.messages.pages = [page(*letters)]
    desk.sync()
    close(desk, 1)
    begun, held = [], []
    sa.event.listen(desk.engine, "begin", lambda _: begun.append(1))
    sa.event.listen(desk.engine, "commit", lambda _: held.append(1))
    done = eraser(desk)
    done.ticket(1)
    assert (done.done.messages, done.done.attachments) == (120, 4)
    assert len(held) >= 4 + 3  # one for each large file, and the messages in parts
