from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aftersail.sdk import Direction, Message, MessageKind, RawMail
from aftersail.sdk.mail import parse_mail

RECEIVED = datetime(2026, 11, 22, 12, tzinfo=UTC)

MULTIPART = (
    "From: =?utf-8?q?J=C3=BCrgen_M=C3=BCller?= <Juergen@BUYER.example>\r\n"
    "Reply-To: relay+42@relay.example\r\nTo: The Shop <help@shop.example>, b@shop.example\r\nCc: c@shop.example\r\n"
    "Subject: =?utf-8?b?R3LDtsOfZQ==?= =?utf-8?b?IHBhc3N0?= nicht\r\nMessage-ID: <m1@buyer.example>\r\n"
    "In-Reply-To: <a0@shop.example>\r\nReferences: <a@shop.example>\r\n <a0@shop.example>\r\n"
    "Date: Sun, 22 Nov 2026 12:30:00 +0100\r\nX-Marketplace-ID: A1\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n"
    "--i\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nZu groß.\r\n"
    "--i\r\nContent-Type: text/html\r\n\r\n<p>Zu gro&szlig;.</p>\r\n"
    "--i--\r\n--o\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n"
    "Content-Disposition: attachment; filename*=utf-8''gr%C3%B6%C3%9Fe.png\r\n\r\niVBORw==\r\n--o--\r\n"
)


def test_a_whole_mail_is_read(read):
    mail = read(MULTIPART)
    assert (mail.author.name, mail.author.email) == ("Jürgen Müller", "Juergen@buyer.example")
    assert mail.reply_to == "relay+42@relay.example"
    assert [party.email for party in mail.recipients] == ["help@shop.example", "b@shop.example", "c@shop.example"]
    assert mail.subject == "Größe passt nicht"
    assert (mail.text, mail.html) == ("Zu groß.", "<p>Zu gro&szlig;.</p>")
    assert mail.external_id == "<m1@buyer.example>"
    assert mail.refs.in_reply_to == "<a0@shop.example>"
    assert mail.refs.references == ("<a@shop.example>", "<a0@shop.example>")
    assert mail.sent_at == datetime(2026, 11, 22, 11, 30, tzinfo=UTC)
    assert (mail.header("x-marketplace-id"), mail.header("X-None")) == ("A1", None)
    (picture,) = mail.attachments
    assert (picture.filename, picture.content_type, picture.content) == ("größe.png", "image/png", b"\x89PNG")


def test_a_parsed_mail_becomes_a_message_and_the_caller_knows_better(read):
    mail = read(MULTIPART)
    message = mail.to_message(order_id="17", direction=Direction.OUTBOUND, kind=MessageKind.NOTICE)
    assert (message.order_id, message.direction, message.kind) == ("17", Direction.OUTBOUND, MessageKind.NOTICE)
    assert (message.text, message.mail, message.raw_mail) == (mail.text, mail.refs, mail.raw)
    with pytest.raises(ValueError, match="no_such_field"):
        mail.to_message(no_such_field=1)


def test_a_missing_message_id_is_made_of_the_bytes(read):
    content = "From: a@b.example\r\n\r\nhello"
    assert read(content).external_id == read(content).external_id
    assert read(content).external_id != read(content + "!").external_id
    assert read(content).refs.message_id is None
    assert read(content, external_id="mine").external_id == "mine"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Message-ID: <a@b>", "<a@b>"),
        ("Message-ID:\r\n <a@b>", "<a@b>"),
        ("Message-ID: a@b", "<a@b>"),
        ("message-id: <a@b> (comment)", "<a@b>"),
        ("Message-ID: <>", None),
        ("Message-ID: two words", None),
        ("Message-ID: <" + "a" * 2000 + "@b>", None),
    ],
)
def test_message_ids_as_they_come(read, header, expected):
    mail = read(f"{header}\r\nFrom: a@b.example\r\n\r\nx")
    assert mail.refs.message_id == expected
    assert mail.external_id == expected or mail.external_id.endswith(".invalid>")


@pytest.mark.parametrize(
    ("date", "sent"),
    [
        ("Sun, 22 Nov 2026 09:00:00 -0200", RECEIVED - timedelta(hours=1)),
        ("22 Nov 2026 11:00:00 -0000", RECEIVED - timedelta(hours=1)),
        ("Sun, 22 Nov 2026 13:00:00 +0000", RECEIVED),
        ("Mon, 16 Nov 2026 12:00:00 +0000", RECEIVED - timedelta(days=6)),
        ("Thu, 01 Jan 1970 00:00:00 +0000", RECEIVED),
        ("Sun, 14 Nov 2027 12:00:00 +0000", RECEIVED),
        ("tomorrow", RECEIVED),
        ("Sun, 99 Nov 2026 99:00:00 +0000", RECEIVED),
        ("Mon, 01 Jan 0001 00:00:00 +2359", RECEIVED),
        ("", RECEIVED),
    ],
)
def test_sent_at_is_the_date_header_unless_it_is_absurd(read, date, sent):
    assert read(f"From: a@b.example\r\nDate: {date}\r\n\r\nx").sent_at == sent


def test_a_mail_without_a_date_was_sent_when_it_was_received(read):
    assert read("From: a@b.example\r\n\r\nx").sent_at == RECEIVED


@pytest.mark.parametrize(
    ("charset", "text", "encoding"),
    [
        ("utf-8", "Größe 大", "utf-8"),
        ("iso-8859-1", "it\u2019s \u201cfine\u201d \u2013 Größe", "cp1252"),
        ("gb2312", "我的包裹在哪里。镕", "gb18030"),
        ("shift_jis", "荷物はどこですか①", "cp932"),
        ("x-unknown", "Die Größe passt nicht, ich möchte zurückgeben", "cp1252"),
        (None, "Здравствуйте, где мой заказ? Прошло две недели", "koi8-r"),
        (None, "荷物はまだ届いていません。いつ届きますか", "iso2022_jp"),
        ("us-ascii", "Größe", "utf-8"),
        ("base64", "Größe", "utf-8"),
        ("unicode_escape", r"C:\u0041bc", "ascii"),
        ("punycode", "plain-text", "ascii"),
        ('"utf-8"', "Größe", "utf-8"),
        ("utf-8", "Die Größe ist falsch, bitte zurück", "cp1252"),
    ],
)
def test_charsets_right_wrong_and_missing(read, charset, text, encoding):
    kind = f"Content-Type: text/plain; charset={charset}\r\n" if charset else ""
    assert read(f"From: a@b.example\r\n{kind}\r\n".encode() + text.encode(encoding)).text == text


def test_one_broken_byte_does_not_turn_the_rest_into_noise(read):
    body = "Größe, Übergröße, Äpfel ".encode() * 3 + b"\xff"
    mail = read(b"From: a@b.example\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + body)
    assert mail.text.startswith("Größe, Übergröße")
    assert mail.text.endswith("\ufffd")


@pytest.mark.parametrize(
    ("header", "name", "address"),
    [
        ("Anna <anna@b.example>", "Anna", "anna@b.example"),
        ('"Müller, Jürgen" <j@b.example>', "Müller, Jürgen", "j@b.example"),
        ('"=?utf-8?q?J=C3=BCrgen?=" <j@b.example>', "Jürgen", "j@b.example"),
        ('"a@trusted.example" <evil@b.example>', "a@trusted.example", "evil@b.example"),
        ("=?utf-8?b?x?= <j@b.example>", "=?utf-8?b?x?=", "j@b.example"),
        ("j@b.example (Jürgen)", "Jürgen", "j@b.example"),
        ("Anna <anna@b.example", "Anna", "anna@b.example"),
        ("<<anna@b.example>>", None, "anna@b.example"),
        ("undisclosed-recipients:;", None, None),
        ("nobody", None, None),
    ],
)
def test_authors_as_they_come(read, header, name, address):
    author = read(f"From: {header}\r\n\r\nx").author
    assert (author.name, author.email) == (name, address)


def test_eight_bit_headers_without_a_charset(read):
    mail = read("From: Jürgen <j@b.example>\r\nSubject: Größe der Schuhe\r\n\r\nx".encode("latin-1"))
    assert (mail.author.name, mail.subject) == ("Jürgen", "Größe der Schuhe")


def test_html_alone_gives_the_text(read):
    html = (
        "<html><head><title>t</title><style>p{color:red}</style></head><body><p>Hello  <b>big</b>\nworld</p>"
        "<div>one<br>two</div>three<script>x()</script><table><tr><td>a</td><td>b</td></tr></table>"
        "<pre>line 1\nline 2</pre></body></html>"
    )
    mail = read(f"From: a@b.example\r\nContent-Type: text/html\r\n\r\n{html}")
    assert mail.text == "Hello big world\n\none\ntwo\nthree\n\na b\n\nline 1\nline 2"
    assert mail.html == html


def test_an_empty_mail_is_still_a_message(read):
    for content in (b"", b"\r\n\r\n", b"From: a@b.example\r\n\r\n", b"\x00\xff\xfe"):
        message = read(content).to_message()
        assert message.external_id
        assert message.sent_at == RECEIVED


def test_an_attachment_over_the_cap_keeps_name_size_and_type(read):
    blob = base64.encodebytes(bytes(10_000_001)).decode()
    mail = read(
        "From: a@b.example\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n\r\nhi\r\n--o\r\n"
        'Content-Type: video/mp4; name="../etc/film.mp4"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
        f"{blob}\r\n--o--\r\n"
    )
    (film,) = mail.attachments
    assert (film.filename, film.content_type, film.size) == ("film.mp4", "video/mp4", 10_000_001)
    assert film.content is None
    assert mail.text == "hi"


def test_a_forwarded_mail_is_an_attachment(read):
    mail = read(
        "From: a@b.example\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n\r\nsee below\r\n--o\r\n"
        "Content-Type: message/rfc822\r\n\r\nFrom: c@d.example\r\nSubject: inner\r\n\r\ninner text\r\n--o--\r\n"
    )
    (inner,) = mail.attachments
    assert (mail.text, inner.content_type, inner.filename) == ("see below", "message/rfc822", "forwarded.eml")
    assert b"inner text" in inner.content


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(
            "From: a@b.example\r\n" + "Content-Type: message/rfc822\r\n\r\n" * 3000 + "deep", id="nested mails"
        ),
        pytest.param(
            "From: a@b.example\r\n"
            + "".join(f"Content-Type: multipart/mixed; boundary=x{n}\r\n\r\n--x{n}\r\n" for n in range(3000))
            + "\r\ndeep",
            id="nested parts",
        ),
        pytest.param("From: a@b.example\r\nContent-Type: multipart/mixed\r\n\r\nno boundary: deep", id="no boundary"),
        pytest.param(
            "From: a@b.example\r\nContent-Type: text/plain; charset*0*=%FF\r\n\r\ndeep", id="broken parameter"
        ),
        pytest.param(
            "From: a@b.example\r\nContent-Transfer-Encoding: base64\r\n\r\nZGVlcCBkb3d",
            id="transfer encoding cut short",
        ),
    ],
)
def test_a_broken_tree_still_says_who_wrote_and_what(read, content):
    mail = read(content)
    assert mail.author.email == "a@b.example"
    assert "deep" in mail.text or b"deep" in b"".join(part.content or b"" for part in mail.attachments)


def test_nul_and_lone_surrogates_are_taken_out(read):
    mail = read(b"From: a@b.example\r\nSubject: a\x00b\r\nContent-Type: text/plain; charset=utf-7\r\n\r\nx\x00+2AA-y")
    assert "\x00" not in mail.subject + mail.text
    mail.to_message().model_dump_json(exclude={"attachments"})


PIECES = """\
From: |To: a@b.example|Date: |Message-ID: <|Subject: =?utf-8?b?|?=|--x|--x--|utf-7|x-uuencode|<p>|<!--|;|<
Content-Type: multipart/mixed; boundary=x|Content-Type: text/html; charset=|Content-Type: message/rfc822|begin 644 a
Content-Type: text/plain; charset*=utf-16''%ff%fe|Content-Transfer-Encoding: base64|Return-Path: <>|Auto-Submitted:
Content-Transfer-Encoding: quoted-printable|Content-Type: multipart/report; report-type=delivery-status; boundary=x
Content-Type: message/delivery-status|From: mailer-daemon@b.example|Content-Disposition: attachment; filename*0*=
Authentication-Results: mx; dmarc=|pass|\x1b$B"""
LINES = st.one_of(
    st.sampled_from([piece.encode() for piece in PIECES.replace("\n", "|").split("|")] + [b"\r\n", b"\r\n\r\n", b"\n"]),
    st.binary(max_size=40),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(LINES, max_size=25).map(b"".join))
def test_no_bytes_raise_and_the_same_bytes_read_the_same(content):
    raw = RawMail(content=content, received_at=RECEIVED, mailbox="box")
    mail = parse_mail(raw, authserv_id="mx")
    message = mail.to_message()
    assert message.external_id == parse_mail(raw, authserv_id="mx").external_id
    stored = message.model_dump_json(exclude={"attachments"})
    assert Message.model_validate_json(stored) == message.model_copy(update={"attachments": (), "raw_mail": None})
    assert "\\u0000" not in stored
    assert mail.sent_at <= RECEIVED
