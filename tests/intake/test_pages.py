"""Pages and cursors: stored together or not at all, whatever the platform repeats, forgets or breaks off."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from aftersail.core.contract import CursorExpired, RateLimited, Unavailable
from aftersail.core.host.channel import ConnectorDefectError
from aftersail.core.store import tables
from tests.builders import Desk, Script, letter, matter, page, purchase


class KilledError(Exception):
    """The transaction is broken off."""


class Killer:
    """Breaks off at the n-th statement after `arm`; counts the statements until then."""

    def __init__(self, engine: sa.Engine) -> None:
        self.left = self.count = 0
        sa.event.listen(engine, "before_cursor_execute", self._count)

    def arm(self, statement: int) -> None:
        self.left, self.count = statement, 0

    def _count(self, *_: object) -> None:
        self.count += 1
        self.left -= 1
        if self.left == 0:
            raise KilledError


def cursors(desk: Desk) -> dict[str, str]:
    return {row.stream: row.value for row in desk.rows(tables.cursor)}


def ids(desk: Desk, table: sa.Table = tables.message) -> set[str]:
    return {row.external_id for row in desk.rows(table)}


def everything(desk: Desk) -> int:
    with desk.engine.connect() as conn:
        counted = [
            conn.scalar(sa.select(sa.func.count()).select_from(table))
            for table in tables.metadata.tables.values()
            if table is not tables.channel
        ]
    return sum(int(count or 0) for count in counted)


def test_a_page_and_its_cursor_are_stored_at_whatever_statement_the_work_is_killed(desk: Desk, shop: Script) -> None:
    killer = Killer(desk.engine)
    items = letter("m1", text="It arrived broken", order_id="id-1001", thread_id="t"), letter("m2", 5, thread_id="t")
    shop.orders.pages = [page(purchase())]
    desk.sync()
    before, statement, killed = everything(desk), 0, 0
    while True:
        statement += 1
        shop.messages.pages = [page(*items, cursor="after")]
        killer.arm(statement)
        try:
            desk.sync()
        except KilledError:
            killer.arm(0)
            killed += 1
            assert "messages" not in cursors(desk)
            assert everything(desk) == before
            assert desk.told == []
            assert desk.jobs.enqueued == {}
        else:
            killer.arm(0)
            break
    assert killed > 30
    assert cursors(desk)["messages"] == "after"
    assert ids(desk) == {"m1", "m2"}
    assert len(desk.jobs.enqueued) == 1


def test_every_stream_goes_on_from_its_own_cursor(desk: Desk, shop: Script) -> None:
    shop.orders.pages = [page(purchase(), cursor="o1", more=True), page(cursor="o2")]
    shop.cases.pages = [page(cursor="c1")]
    shop.messages.pages = [page(letter("m1"), cursor="m1")]
    desk.sync()
    assert shop.orders.asked == [None, "o1"]
    assert cursors(desk) == {"orders": "o2", "cases": "c1", "messages": "m1"}
    desk.sync()
    assert shop.orders.asked == [None, "o1", "o2"]
    assert shop.messages.asked == [None, "m1"]


def test_channels_do_not_share_messages_or_cursors(desk: Desk, shop: Script) -> None:
    other = desk.add("other")
    shop.messages.pages = [page(letter("m1", thread_id="t"), cursor="a")]
    other.messages.pages = [page(letter("m1", thread_id="t"), cursor="b")]
    desk.sync("shop")
    desk.sync("other")
    assert [(row.channel, row.ticket) for row in desk.rows(tables.message)] == [("shop", 1), ("other", 2)]
    assert other.messages.asked == [None]


def test_a_repeated_and_overlapping_page_changes_nothing(desk: Desk, shop: Script) -> None:
    shop.messages.pages = [
        page(letter("m1"), letter("m2", 1), cursor="1", more=True),
        page(letter("m2", 1), letter("m1"), letter("m3", 2), letter("m3", 2), cursor="2"),
    ]
    report = desk.sync()
    assert ids(desk) == {"m1", "m2", "m3"}
    assert (report.new["messages"], report.revised["messages"]) == (3, 0)
    stored = everything(desk)
    shop.messages.pages = [page(letter("m3", 2), letter("m1"), cursor="2")]
    desk.sync()
    assert everything(desk) == stored


def test_a_page_without_a_cursor_keeps_the_one_before(desk: Desk, shop: Script) -> None:
    shop.messages.pages = [page(letter("m1"), cursor="1", more=True), page(letter("m2"), cursor=None)]
    desk.sync()
    assert cursors(desk)["messages"] == "1"
    assert ids(desk) == {"m1", "m2"}


def test_empty_pages_move_the_cursor_on(desk: Desk, shop: Script) -> None:
    shop.messages.pages = [page(cursor="1", more=True), page(cursor="2", more=True), page(letter("m1"), cursor="3")]
    desk.sync()
    assert cursors(desk)["messages"] == "3"


def test_a_cursor_that_comes_again_ends_the_sync_instead_of_going_round_for_ever(desk: Desk, shop: Script) -> None:
    shop.messages.pages = [page(letter(f"m{index}"), cursor="same", more=True) for index in range(5)]
    desk.sync()
    assert len(shop.messages.asked) == 2
    assert ids(desk) == {"m0", "m1"}
    desk.sync()
    assert ids(desk) == {"m0", "m1", "m2"}


def test_an_expired_cursor_starts_the_window_again_once(desk: Desk, shop: Script) -> None:
    shop.messages.pages = [page(letter("m1"), cursor="old")]
    desk.sync()
    shop.messages.pages = [CursorExpired("too old"), page(letter("m1"), letter("m2", 1), cursor="new")]
    report = desk.sync()
    assert shop.messages.asked == [None, "old", None]
    assert report.new["messages"] == 1
    assert cursors(desk)["messages"] == "new"
    shop.messages.pages = [CursorExpired("too old"), CursorExpired("and again")]
    with pytest.raises(CursorExpired, match="and again"):
        desk.sync()
    assert cursors(desk)["messages"] == "new"


def test_a_window_that_starts_again_may_reuse_the_expired_cursor(desk: Desk, shop: Script) -> None:
    shop.messages.pages = [page(letter("m1"), cursor="1")]
    desk.sync()
    shop.messages.pages = [
        CursorExpired("too old"),
        page(letter("m1"), cursor="1", more=True),
        page(letter("m2", 1), cursor="2"),
    ]
    desk.sync()
    assert ids(desk) == {"m1", "m2"}


@pytest.mark.parametrize("error", [Unavailable("down"), RateLimited("slowly"), ValueError("a defect")])
def test_what_was_stored_before_an_error_stays_with_its_cursor(desk: Desk, shop: Script, error: Exception) -> None:
    shop.messages.pages = [page(letter("m1"), cursor="1", more=True), error, page(letter("m2", 1), cursor="2")]
    with pytest.raises((type(error), ConnectorDefectError)):
        desk.sync()
    assert (ids(desk), cursors(desk)["messages"]) == ({"m1"}, "1")
    desk.sync()
    assert shop.messages.asked == [None, "1", "1"]
    assert ids(desk) == {"m1", "m2"}


def test_what_a_connector_could_not_read_is_told_and_holds_up_nothing(desk: Desk, shop: Script) -> None:
    shop.messages.pages = [page(letter("m1"), cursor="1", skipped=["message 7 has no date"])]
    assert desk.sync().skipped == ["message 7 has no date"]
    (event,) = [row for row in desk.rows(tables.event) if row.kind == "page"]
    assert event.data["skipped"] == ["message 7 has no date"]


def test_a_newer_revision_replaces_a_message_and_an_older_one_does_not(desk: Desk, shop: Script) -> None:
    shop.messages.pages = [page(letter("m1", revision=1, text="It was damaged", attachments=()), cursor="1")]
    desk.sync()
    shop.messages.pages = [page(letter("m1", revision=3, text="It arrived broken"), cursor="2")]
    assert desk.sync().revised["messages"] == 1
    shop.messages.pages = [page(letter("m1", revision=2, text="It never came"), cursor="3")]
    assert desk.sync().revised["messages"] == 0
    (row,) = desk.rows(tables.message)
    assert (row.revision, row.text) == (3, "It arrived broken")


def test_revisions_of_one_message_within_one_page_end_with_the_newest(desk: Desk, shop: Script) -> None:
    revisions = [letter("m1", revision=number, text=f"version {number}") for number in (2, 0, 3, 1)]
    shop.messages.pages = [page(*revisions, letter("m1", revision=3, text="another three"))]
    report = desk.sync()
    (row,) = desk.rows(tables.message)
    assert (row.revision, row.text) == (3, "version 3")
    assert (report.new["messages"], report.revised["messages"]) == (1, 3)


def test_a_revision_is_understood_anew(desk: Desk, shop: Script) -> None:
    shop.messages.pages = [page(letter("m1", text="Hello, a question"))]
    desk.sync()
    shop.messages.pages = [page(letter("m1", revision=1, text="My parcel has not arrived"))]
    desk.sync()
    (ticket,) = desk.rows(tables.ticket)
    assert ticket.reason == "not_received"


def test_orders_and_cases_take_the_newest_revision(desk: Desk, shop: Script) -> None:
    shop.orders.pages = [page(purchase(revision=2, status="shipped"), purchase(revision=1, status="open"))]
    shop.cases.pages = [page(matter(revision=5, status="escalated"), matter(revision=4, status="requested"))]
    desk.sync()
    shop.orders.pages = [page(purchase(revision=1, status="open"))]
    shop.cases.pages = [page(matter(revision=4, status="requested"))]
    desk.sync()
    assert [(row.revision, row.status) for row in desk.rows(tables.orders)] == [(2, "shipped")]
    assert [(row.revision, row.status) for row in desk.rows(tables.cases)] == [(5, "escalated")]


def test_plugins_are_told_only_what_was_committed_and_once(desk: Desk, shop: Script) -> None:
    shop.messages.pages = [page(letter("m1"))]
    desk.sync()
    shop.messages.pages = [page(letter("m1"))]
    desk.sync()
    assert [hook for hook, _ in desk.told] == ["aftersail_message_stored", "aftersail_ticket_opened"]
