"""Whatever a stranger can put into a mail, the page it comes with is stored, and the sync goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aftersail.core.contract import Attachment, MailRefs, Party
from aftersail.core.store import tables
from tests.builders import NOON, Desk, Script, letter, mail, matter, page, purchase


def read(desk: Desk, shop: Script, *messages, orders=(), cases=()) -> None:
    """One page with a good message before and behind the bad ones."""
    shop.orders.pages = [page(*orders)]
    shop.cases.pages = [page(*cases)]
    shop.messages.pages = [page(letter("before", -1), *messages, letter("behind", 1), cursor="after")]
    report = desk.sync()
    assert report.new["messages"] == len(messages) + 2
    assert desk.rows(tables.cursor, tables.cursor.c.stream == "messages")[0].value == "after"


def stored(desk: Desk, external_id: str):
    (row,) = desk.rows(tables.message, tables.message.c.external_id == external_id)
    return row


def test_nul_characters_are_taken_out_everywhere(desk: Desk, shop: Script) -> None:
    nul = "a\x00b"
    bad = letter(
        "m\x001",
        text=f"{nul} #10\x0001 arrived broken",
        html=f"<p>{nul}</p>",
        subject=nul,
        thread_id=nul,
        order_id=nul,
        reply_to=nul,
        reason_code=nul,
        link=nul,
        author=Party(name=nul, email=f"{nul}@x.example", external_id=nul),
        mail=MailRefs(message_id=f"<{nul}>", in_reply_to=f"<{nul}1>", references=(f"<{nul}1>", nul)),
        attachments=(Attachment(filename=nul, content_type=nul, size=3, content=b"\x00ab"),),
    )
    order = purchase("1001", buyer=Party(name=nul), status=nul)
    read(desk, shop, bad, orders=[order], cases=[matter(reason_text=nul, status=nul)])
    row = stored(desk, "m1")
    assert (row.subject, row.text, row.mail["references"]) == ("ab", "ab #1001 arrived broken", ["<ab1>", "ab"])
    (attachment,) = desk.rows(tables.attachment)
    assert (attachment.filename, attachment.content) == ("ab", b"\x00ab")
    assert desk.rows(tables.orders)[0].status == desk.rows(tables.cases)[0].status == "ab"
    shop.messages.pages = [page(mail("later", 2, answers=["a\x00b"]))]
    desk.sync()
    assert stored(desk, "<later>").ticket == row.ticket


def test_half_a_surrogate_pair_becomes_the_sign_of_what_cannot_be_read(desk: Desk, shop: Script) -> None:
    half = "a\ud800b"
    refs = MailRefs(message_id=f"<{half}>")
    read(desk, shop, letter("m1", text=half, subject=half, html=f"<p>{half}</p>", thread_id=half, mail=refs))
    assert stored(desk, "m1").text == "a\ufffdb"


@pytest.mark.timeout(60)
def test_ten_megabytes_of_text(desk: Desk, shop: Script) -> None:
    text = "a" * 5_000_000 + "\n> quoted\n" + "word " * 1_000_000
    read(desk, shop, letter("big", text=text))
    assert len(stored(desk, "big").full_text) == len(text)


@pytest.mark.timeout(60)
def test_ten_megabytes_of_html(desk: Desk, shop: Script) -> None:
    read(desk, shop, letter("big", text="", html="broken<p>x</p><script>y</script>" * 350_000))
    row = stored(desk, "big")
    assert row.text.startswith("broken\nx\nbroken")
    assert "<script" not in row.html


@pytest.mark.timeout(60)
@pytest.mark.parametrize("tag", ["<div>", "<x-y>", "<b>", "<table><tr><td>", "<p>", "<ul><li>"])
def test_html_nested_deeper_than_any_mail_program_does(desk: Desk, shop: Script, tag: str) -> None:
    html = f"it is {tag * 60_000} broken"
    read(desk, shop, letter("bare", text="", html=html), letter("both", text="plain words", html=html))
    assert stored(desk, "bare").text.split() == ["it", "is", "broken"]
    assert stored(desk, "both").text == "plain words"


@pytest.mark.timeout(60)
def test_html_with_more_quote_marks_than_words(desk: Desk, shop: Script) -> None:
    marks = '<div class="moz-cite-prefix"></div><div id="appendonsend"></div><blockquote type="cite">x</blockquote>'
    read(desk, shop, letter("m1", text="", html=f"<p>broken</p>{marks * 8000}"))
    assert stored(desk, "m1").text == "broken"


def test_a_subject_of_a_hundred_thousand_characters(desk: Desk, shop: Script) -> None:
    subject = "It arrived broken " * 6000
    read(desk, shop, letter("long", subject=subject, order_id="id-1001"), orders=[purchase()])
    assert stored(desk, "long").subject == subject


def test_identities_longer_than_their_columns_stay_distinct(desk: Desk, shop: Script) -> None:
    long = "x" * 2000
    first = letter(f"{long}1", mail=MailRefs(message_id=f"<{long}1>"), thread_id=f"{long}1")
    second = letter(f"{long}2", 1, mail=MailRefs(message_id=f"<{long}2>"), thread_id=f"{long}2")
    answer = letter(f"{long}3", 2, mail=MailRefs(message_id=f"<{long}3>", in_reply_to=f"<{long}2>"))
    read(desk, shop, first, second, answer)
    tickets = {row.external_id[-3:]: row.ticket for row in desk.rows(tables.message) if row.external_id[0] == "x"}
    assert len(tickets) == 3
    assert len(set(tickets.values())) == 2
    shop.messages.pages = [page(first, second, answer)]
    assert desk.sync().new["messages"] == 0


def test_texts_longer_than_their_columns_are_cut(desk: Desk, shop: Script) -> None:
    long = "y" * 700
    author = Party(name=long, email=f"{long}@x.example", external_id=long)
    files = (Attachment(filename=long, content_type=long, size=1),)
    bad = letter("m1", author=author, reply_to=long, order_id=long, reason_code=long, attachments=files)
    order = purchase(status=long, number=long, locale=long, buyer=author)
    read(desk, shop, bad, orders=[order], cases=[matter(status=long, reason_code=long, buyer=author)])
    row = stored(desk, "m1")
    assert row.reason_code == "y" * 64
    assert [ticket.buyer_email for ticket in desk.rows(tables.ticket)].count("ada@buyer.example") == 2


@pytest.mark.parametrize(
    ("sent_at", "counts_as"),
    [
        (datetime.max.replace(tzinfo=UTC), NOON),
        (NOON + timedelta(days=400), NOON),
        (NOON + timedelta(hours=2), NOON + timedelta(hours=2)),
        (datetime(2001, 1, 1, tzinfo=UTC), datetime(2001, 1, 1, tzinfo=UTC)),
        (datetime(1, 1, 1, tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC)),
    ],
)
def test_no_date_is_too_far_away(desk: Desk, shop: Script, sent_at: datetime, counts_as: datetime) -> None:
    bad = letter("m1", respond_by=sent_at).model_copy(update={"sent_at": sent_at})
    order = purchase(delivered_at=sent_at).model_copy(update={"placed_at": sent_at})
    case = matter(respond_by=sent_at).model_copy(update={"opened_at": sent_at})
    read(desk, shop, bad, orders=[order], cases=[case])
    assert stored(desk, "m1").sent_at == counts_as
    assert desk.rows(tables.ticket, tables.ticket.c.id == stored(desk, "m1").ticket)[0].filed_at == counts_as


def test_a_message_older_than_the_pack_is_judged_by_its_first_version(desk: Desk, shop: Script) -> None:
    old = letter("m1").model_copy(update={"sent_at": datetime(2019, 5, 1, tzinfo=UTC)})
    read(desk, shop, old)
    (ticket,) = desk.rows(tables.ticket, tables.ticket.c.id == stored(desk, "m1").ticket)
    assert (ticket.pack_id, ticket.pack_version) == ("starter", 1)


def test_one_identity_twice_in_a_page_with_other_words_is_one_message(desk: Desk, shop: Script) -> None:
    shop.messages.pages = [
        page(
            letter("m1", revision=2, text="It arrived broken", thread_id="t1"),
            letter("m1", 5, revision=1, text="Where is it?", thread_id="t2"),
            letter("m1", 9, revision=2, text="Something else", thread_id="t3"),
        )
    ]
    desk.sync()
    (row,) = desk.rows(tables.message)
    assert (row.revision, row.text) == (2, "It arrived broken")
    assert len(desk.rows(tables.ticket)) == 1


@pytest.mark.parametrize("text", ["", " \n\t ", "\u200b", "\ufeff", "\U0001f600" * 5000, "#" * 5000, "1001 " * 5000])
def test_texts_that_say_nothing(desk: Desk, shop: Script, text: str) -> None:
    read(desk, shop, letter("m1", text=text, subject=text))
