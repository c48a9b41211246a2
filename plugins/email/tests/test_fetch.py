from __future__ import annotations

import base64
import imaplib
import json
import socket
import threading
from datetime import timedelta

import pytest

from aftersail.sdk import (
    Authenticity,
    AuthExpired,
    CursorExpired,
    Direction,
    Invalid,
    MessageKind,
    Unavailable,
)

from .conftest import NOW, SECRET


def mail(
    number: int, text: str = "Where is my parcel?", headers: str = "", author: str = "anna@buyer.example"
) -> bytes:
    return (
        f"From: Anna <{author}>\r\nTo: help@shop.example\r\nSubject: Order {number}\r\n"
        f"Message-ID: <m{number}@buyer.example>\r\nDate: Sun, 22 Nov 2026 10:30:00 +0000\r\n{headers}\r\n{text}\r\n"
    ).encode()


def read_all(connector, cursor=None, limit=100):
    items, skipped = [], []
    while True:
        page = connector.fetch_messages(cursor, limit)
        items += page.items
        skipped += page.skipped
        cursor = page.cursor
        if not page.more:
            return items, cursor, skipped


def test_a_mail_becomes_a_message_with_its_raw_bytes(box):
    box.deliver(mail(1))
    page = box.connector().fetch_messages(None, 10)
    (message,) = page.items
    assert (message.external_id, message.subject, message.text) == (
        "<m1@buyer.example>",
        "Order 1",
        "Where is my parcel?",
    )
    assert (message.direction, message.kind) == (Direction.INBOUND, MessageKind.MESSAGE)
    assert message.reply_to == "anna@buyer.example"
    assert message.sent_at == NOW - timedelta(hours=1, minutes=30)
    assert message.raw_mail.content == mail(1)
    assert (message.raw_mail.received_at, message.raw_mail.mailbox) == (NOW - timedelta(hours=1), "mailbox")
    assert (message.thread_id, message.order_id) == (None, None)
    assert not page.more


def test_reading_marks_nothing_as_read(box):
    box.deliver(mail(1))
    box.connector().fetch_messages(None, 10)
    with box.open() as view:
        view.folder.set("INBOX", readonly=True)
        assert [item.flags for item in view.fetch(mark_seen=False) if r"\Seen" in item.flags] == []


def test_pages_resume_without_loss_and_a_second_fetch_brings_nothing_new(box):
    for number in range(7):
        box.deliver(mail(number))
    connector = box.connector()
    items, cursor, _ = read_all(connector, limit=3)
    assert [item.external_id for item in items] == [f"<m{number}@buyer.example>" for number in range(7)]
    assert connector.fetch_messages(cursor, 10).items == ()
    box.deliver(mail(7))
    assert [item.external_id for item in connector.fetch_messages(cursor, 10).items] == ["<m7@buyer.example>"]


def test_the_same_cursor_brings_the_same_mails(box):
    box.deliver(mail(1))
    box.deliver(mail(2).replace(b"Message-ID: <m2@buyer.example>\r\n", b""))
    first, second = (box.connector().fetch_messages(None, 10).items for _ in range(2))
    assert [item.external_id for item in first] == [item.external_id for item in second]
    assert len({item.external_id for item in first}) == 2


def test_an_empty_mailbox_has_a_cursor_too(box):
    connector = box.connector()
    empty = connector.fetch_messages(None, 10)
    assert (empty.items, empty.more) == ((), False)
    box.deliver(mail(1))
    assert len(connector.fetch_messages(empty.cursor, 10).items) == 1


def test_mail_older_than_the_window_is_left_alone(box):
    box.deliver(mail(1), received_at=NOW - timedelta(days=90))
    box.deliver(mail(2), received_at=NOW - timedelta(days=2))
    items, cursor, _ = read_all(box.connector(since_days=30))
    assert [item.external_id for item in items] == ["<m2@buyer.example>"]
    box.deliver(mail(3), received_at=NOW - timedelta(days=80))
    assert read_all(box.connector(since_days=30), cursor)[0] == []


def test_a_renumbered_mailbox_starts_the_window_again(box):
    box.make_folder("Support")
    box.deliver(mail(1), folder="Support")
    connector = box.connector(folder="Support")
    _, cursor, _ = read_all(connector)
    with box.open() as view:
        view.folder.delete("Support")
    box.make_folder("Support")
    box.deliver(mail(1), folder="Support")
    with pytest.raises(CursorExpired, match="UIDVALIDITY"):
        connector.fetch_messages(cursor, 10)
    assert [item.external_id for item in read_all(connector)[0]] == ["<m1@buyer.example>"]


def test_the_simulator_renumbers_its_inbox(simulator, plain):
    plain.deliver(mail(1))
    cursor = plain.connector().fetch_messages(None, 10).cursor
    simulator.reset_uidvalidity()
    with pytest.raises(CursorExpired, match="UIDVALIDITY"):
        plain.connector().fetch_messages(cursor, 10)
    assert len(plain.connector().fetch_messages(None, 10).items) == 1


@pytest.mark.parametrize("cursor", ["", "{}", "nonsense", '{"since": "2026-01-01", "folders": {"INBOX": 7}}'])
def test_a_cursor_of_another_make_restarts_the_window(plain, cursor):
    with pytest.raises(CursorExpired):
        plain.connector().fetch_messages(cursor, 10)


def test_the_cursor_names_uidvalidity_and_the_last_uid(box):
    box.deliver(mail(1))
    mark = json.loads(box.connector().fetch_messages(None, 10).cursor)["folders"]["INBOX"]
    assert mark["uidvalidity"] > 0
    assert mark["last_uid"] > 0


def test_a_ten_megabyte_mail(box):
    blob = base64.encodebytes(b"\x00\x01" * 5_500_000)
    box.deliver(
        b"From: a@buyer.example\r\nMessage-ID: <big@buyer.example>\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsee the film\r\n--b\r\n"
        b'Content-Type: video/mp4; name="film.mp4"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
        + blob
        + b"\r\n--b--\r\n"
    )
    box.deliver(mail(2))
    items, _, _ = read_all(box.connector())
    assert items[0].text == "see the film"
    (film,) = items[0].attachments
    assert (film.filename, film.size, film.content) == ("film.mp4", 11_000_000, None)
    assert items[1].external_id == "<m2@buyer.example>"


def test_broken_charset_and_missing_message_id_lose_nothing(box):
    box.deliver(
        b"From: J\xfcrgen <j@buyer.example>\r\nSubject: Gr\xf6\xdfe\r\n"
        b"Content-Type: text/plain; charset=x-unknown\r\n\r\n"
        b"Die Gr\xf6\xdfe passt nicht, ich m\xf6chte zur\xfcckgeben.\r\n"
    )
    (message,) = box.connector().fetch_messages(None, 10).items
    assert message.text == "Die Größe passt nicht, ich möchte zurückgeben."
    assert message.author.name == "Jürgen"
    assert message.external_id.startswith("<")


def test_own_address_as_author_is_an_answer_given_elsewhere(box):
    box.deliver(mail(1, author="HELP@shop.example").replace(b"To: help@shop.example", b"To: anna@buyer.example"))
    (message,) = box.connector().fetch_messages(None, 10).items
    assert (message.direction, message.reply_to) == (Direction.OUTBOUND, "anna@buyer.example")


def test_a_forged_own_address_stops_no_clock(box):
    verdict = "Authentication-Results: mx.shop.example; dmarc=fail header.from=shop.example\r\n"
    box.deliver(mail(1, author="help@shop.example", headers=verdict))
    (message,) = box.connector(authserv_id="mx.shop.example").fetch_messages(None, 10).items
    assert (message.direction, message.authenticity) == (Direction.INBOUND, Authenticity.FAIL)
    assert message.raw_mail.authenticity is Authenticity.FAIL


def test_the_sent_folder_is_read_as_well(box):
    box.make_folder("Sent")
    box.deliver(mail(1))
    box.deliver(mail(2, author="other-alias@shop.example"), folder="Sent")
    connector = box.connector(sent_folder="Sent")
    items, cursor, _ = read_all(connector)
    assert [(item.external_id, item.direction) for item in items] == [
        ("<m1@buyer.example>", Direction.INBOUND),
        ("<m2@buyer.example>", Direction.OUTBOUND),
    ]
    assert connector.fetch_messages(cursor, 10).items == ()
    one_by_one, _, _ = read_all(connector, limit=1)
    assert [item.external_id for item in one_by_one] == [item.external_id for item in items]


@pytest.mark.parametrize("whole", [1, 2, 4])
def test_a_drop_in_the_middle_keeps_what_came_whole(simulator, plain, whole):
    for number in range(5):
        plain.deliver(mail(number))
    connector = plain.connector()
    simulator.drop_imap_after(mails=whole)
    page = connector.fetch_messages(None, 10)
    assert [item.external_id for item in page.items] == [f"<m{number}@buyer.example>" for number in range(whole)]
    assert page.more
    rest, _, _ = read_all(connector, page.cursor)
    assert [item.external_id for item in rest] == [f"<m{number}@buyer.example>" for number in range(whole, 5)]


def test_a_drop_before_the_first_whole_mail_is_unavailable(simulator, plain):
    plain.deliver(mail(1))
    simulator.drop_imap_after(mails=0)
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:\d+ broke off"):
        plain.connector().fetch_messages(None, 10)


def test_a_wrong_password_is_named_without_the_secret(box):
    if box.name == "pymap":
        box.simulator.change_password("another")
        connector, secret = box.connector(), SECRET
    else:
        secret = "wrong-and-secret"
        connector = box.connector(imap_password=secret)
    with pytest.raises(AuthExpired, match="app password") as caught:
        connector.fetch_messages(None, 10)
    chain = caught.value
    while chain is not None:
        assert secret not in f"{chain!r} {chain} {chain.args}"
        chain = chain.__cause__ or chain.__context__
    assert secret not in repr(connector.settings)


def test_a_password_beyond_ascii_can_log_in(simulator, plain):
    simulator.change_password("pässwörd")
    assert plain.connector(imap_password="pässwörd").fetch_messages(None, 10).items == ()


def test_an_unreachable_host_is_named_with_its_port(box):
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1 cannot be reached.*check host, port"):
        box.connector(imap_port=1).fetch_messages(None, 10)


def test_a_missing_folder_names_those_there_are(box):
    box.make_folder("Support")
    with pytest.raises(Invalid, match=r"no folder 'Nowhere'; it has: .*Support"):
        box.connector(folder="Nowhere").fetch_messages(None, 10)


def test_one_mail_the_server_cannot_read_blocks_no_other(box, monkeypatch):
    for number in range(4):
        box.deliver(mail(number))
    connector = box.connector()
    with box.open() as view:
        view.folder.set("INBOX", readonly=True)
        bad = view.uids("ALL", charset=None)[2]
    honest = imaplib.IMAP4.uid

    def uid(self, command, *args):
        if command == "FETCH" and bad in args[0].split(",") and "BODY" in args[1]:
            return "NO", [b"[SERVERBUG] internal error"]
        return honest(self, command, *args)

    monkeypatch.setattr(imaplib.IMAP4, "uid", uid)
    items, cursor, skipped = read_all(connector)
    assert [item.external_id for item in items] == [f"<m{number}@buyer.example>" for number in (0, 1, 3)]
    assert len(skipped) == 1
    assert f"UID {bad}" in skipped[0]
    assert connector.fetch_messages(cursor, 10).items == ()


def test_a_mail_over_the_cap_is_read_in_its_beginning_and_said_so(box, monkeypatch):
    monkeypatch.setattr("aftersail_email.imap.MAIL_CAP", 1000)
    box.deliver(mail(1, text="begin " + "x" * 5000))
    box.deliver(mail(2))
    items, _, skipped = read_all(box.connector())
    assert [item.external_id for item in items] == ["<m1@buyer.example>", "<m2@buyer.example>"]
    assert items[0].text.startswith("begin xxx")
    assert len(items[0].raw_mail.content) == 1000
    assert len(skipped) == 1
    assert "its first 1000 were read" in skipped[0]


@pytest.mark.parametrize(
    ("code", "error"),
    [("[UNAVAILABLE]", Unavailable), ("[LIMIT]", Unavailable), ("[AUTHENTICATIONFAILED]", AuthExpired)],
)
def test_a_login_put_off_is_no_wrong_password_and_an_echoed_one_is_hidden(plain, code, error):
    def serve() -> None:
        connection, _ = server.accept()
        connection.settimeout(10)
        with connection, connection.makefile("rb") as lines:
            connection.sendall(b"* OK ready\r\n")
            for line in lines:
                tag, command = line.split()[:2]
                if command == b"LOGIN":
                    connection.sendall(tag + f" NO {code} you said ".encode() + line)
                else:
                    connection.sendall(b"* CAPABILITY IMAP4rev1\r\n" + tag + b" OK done\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(error) as caught:
            plain.connector(imap_port=server.getsockname()[1]).fetch_messages(None, 10)
        thread.join(10)
    assert SECRET not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
