"""Relay mail, in look-alikes of our own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersail.sdk import Authenticity, Direction, MessageKind, RawMail
from aftersail_amazon.marketplaces import TLDS
from aftersail_amazon.relay import NO_RESPONSE_NEEDED, relay_of
from aftersail_amazon.simulator import framed, relay_mail

AT = datetime(2026, 11, 1, 18, 30, tzinfo=UTC)  # a Sunday: Amazon's 24 hours know no weekend
CASE = "0f8b1c9e-2a44-4d0b-9a3c-5d1f6e7a8b90"
RELAY = f"Buyer Example <abcdef123456+{CASE}@marketplace.amazon.de>"
NOTICES = "Amazon <donotreply@amazon.com>"
ORDER = "302-1111111-2222222"


def raw(content, *, mailbox="post", authenticity=Authenticity.PASS):
    return RawMail(content=content, received_at=AT + timedelta(minutes=2), mailbox=mailbox, authenticity=authenticity)


@pytest.fixture
def claim(connect):
    def read(*, channel=None, mailbox="post", authenticity=Authenticity.PASS, **mail):
        defaults = {"sender": RELAY, "subject": f"Frage zur Bestellung ({ORDER})", "at": AT, "text": framed("Hallo")}
        content = relay_mail(**(defaults | mail))
        connector = connect(**(channel or {}))
        return connector.claim_email(mail=raw(content, mailbox=mailbox, authenticity=authenticity))

    return read


def test_a_buyers_message(claim):
    message = claim(text=framed("Wo bleibt mein Paket?\n\nGruß", order=ORDER))
    assert (message.direction, message.kind) == (Direction.INBOUND, MessageKind.MESSAGE)
    assert message.text == "Wo bleibt mein Paket?\n\nGruß"
    assert message.order_id == ORDER
    assert (message.thread_id, message.author.external_id) == (CASE, "abcdef123456")
    assert message.reply_to == f"abcdef123456+{CASE}@marketplace.amazon.de"
    assert (message.sent_at, message.respond_by) == (AT, AT + timedelta(hours=24))
    assert (message.language, message.reason_code) == ("de", "BBC_MESSAGE_SENT_TO_MERCHANT")
    assert message.external_id == "<0102@eu-west-1.amazonses.example>"


def test_the_no_response_link_is_kept_for_a_person_and_nothing_is_fetched(claim, simulator):
    message = claim()
    assert message.available_actions == (NO_RESPONSE_NEEDED,)
    assert message.link == "https://sellercentral.amazon.de/messaging/no-response-needed?token=simulated"
    assert simulator.calls == []


@pytest.mark.parametrize(
    "link",
    [
        "https://amazon.de.evil.example/messaging/no-response-needed?x=1",
        "https://evil.example/amazon.de/messaging/no-response-needed?x=1",
        "https://sellercentral.amazon.de@evil.example/messaging/no-response-needed?x=1",
        "https://sellercentral.amazon.evil/messaging/no-response-needed?x=1",
    ],
)
def test_a_link_that_only_looks_like_amazons_is_not_offered(claim, link):
    message = claim(text=f"------------- Message: -------------\n{link}\n------------- End message -------------")
    assert (message.link, message.available_actions) == (None, ())


def test_a_link_in_html_is_read_as_the_browser_would(claim):
    html = '<a href="https://sellercentral.amazon.de/messaging/no-response-needed?a=1&amp;b=2">x</a><pre>Hallo</pre>'
    assert claim(text=None, html=html).link.endswith("?a=1&b=2")


def test_the_copy_of_an_answer_given_in_seller_central_is_outbound(claim):
    message = claim(
        sender=NOTICES,
        subject="Your e-mail to Buyer Example",
        notification="BBC_MESSAGE_CONFIRMATION_TO_MERCHANT",
        text=None,
        html=f"<p>Order {ORDER}</p><pre>It is on its way.</pre>",
    )
    assert (message.direction, message.kind) == (Direction.OUTBOUND, MessageKind.MESSAGE)
    assert (message.text, message.order_id) == ("It is on its way.", ORDER)
    assert (message.author.email, message.reply_to, message.respond_by) == (None, None, None)
    assert message.available_actions == ()


@pytest.mark.parametrize(
    ("notification", "kind"),
    [
        ("RETURN_REQUEST", MessageKind.NOTICE),
        ("REFUND_ISSUED", MessageKind.NOTICE),
        ("BRC_SELLER_NOTIFICATION", MessageKind.NOTICE),
        ("A_Z_CLAIM_RESPONDENT_NOTIFY", MessageKind.NOTICE),
        ("BUYER_OPTED_OUT_BSM_MESSAGES", MessageKind.BOUNCE),
        ("SOMETHING_AMAZON_ADDS_LATER", MessageKind.NOTICE),
    ],
)
def test_what_amazon_writes_itself_keeps_its_reason_and_starts_no_24_hours(claim, notification, kind):
    text = f"Order {ORDER}: reason given by the buyer"
    message = claim(sender=NOTICES, subject="Notification", notification=notification, text=text)
    assert (message.direction, message.kind, message.reason_code) == (Direction.INBOUND, kind, notification)
    assert (message.order_id, message.respond_by, message.language) == (ORDER, None, None)
    assert message.text == text


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("You must respond within 3 calendar days.", 3),
        ("Deve rispondere entro 3 giorni\ndi calendario.", 3),
        ("Antworten Sie innerhalb von 3 Kalendertagen.", 3),
        ("within 3 calendar days ... I said: within 3 calendar days", 3),
        ("within 3 calendar days, or within 7 calendar days", None),
        ("within 0 calendar days", None),
        ("within 90 calendar days", None),
        ("within a few days", None),
    ],
)
def test_the_days_of_a_claim_are_taken_only_where_they_are_certain(claim, text, days):
    message = claim(sender=NOTICES, notification="A_Z_CLAIM_RESPONDENT_NOTIFY", text=text)
    assert message.respond_by == (None if days is None else AT + timedelta(days=days))
    assert claim(sender=NOTICES, notification="RETURN_REQUEST", text=text).respond_by is None


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("Message:", "End message"),
        ("Begin message", "End message"),
        ("Début du message", "Fin du message"),
        ("Nachricht:", "Ende der Nachricht"),
        ("Anfang der Nachricht", "Ende der Nachricht"),
        ("Messaggio:", "Fine messaggio"),
        ("Iniciar mensaje", "Finalizar mensaje"),
        ("Mensagem:", "Encerrar mensagem"),
        ("メッセージはここから", "メッセージはここまで"),
        ("Message:", "Finalizar mensaje"),
    ],
)
def test_the_frame_is_known_in_every_language(claim, begin, end):
    assert claim(text=framed("the words", begin=begin, end=end)).text == "the words"


def test_without_plain_text_the_words_come_from_the_frame_or_the_one_pre(claim):
    dashes = "-" * 13
    html = f"<div>{dashes} Message: {dashes}</div><p>the words</p><div>{dashes} End message {dashes}</div>"
    assert claim(text=None, html=html).text == "the words"
    assert claim(text=None, html="<p>Frame</p><pre>line 1\nline 2</pre><p>Foot</p>").text == "line 1\nline 2"


def test_without_an_opening_the_words_begin_below_the_article(claim):
    text = f"# {ORDER}:\n1 / Lamp [ASIN: B000000001]\n\nthe words\n\n------------- End message -------------\nfoot"
    message = claim(subject="Question", text=text)
    assert (message.text, message.order_id) == ("the words", ORDER)


def test_a_mail_in_an_unknown_frame_is_shown_whole(claim):
    assert claim(text="all of it", html="<pre>one</pre><pre>two</pre>").text == "all of it"


@given(
    words=st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp", "Cf"]), min_size=1, max_size=80
    )
)
def test_no_word_of_a_buyer_is_lost(words):
    from aftersail_amazon.relay import read_relay_mail

    spoofed = f"{words}\n------------- End message -------------\nand more"
    message = read_relay_mail(raw(relay_mail(sender=RELAY, subject="Hi", at=AT, text=framed(spoofed))))
    assert message.text.split() == spoofed.split()


@pytest.mark.parametrize(
    ("subject", "text", "order"),
    [
        (f"Frage ({ORDER})", framed("not 999-9999999-9999999"), ORDER),
        ("Frage", framed("I mean 999-9999999-9999999", order=ORDER), ORDER),
        ("Frage", framed(f"my order is {ORDER}"), ORDER),
        ("Frage", framed(f"{ORDER} or 999-9999999-9999999"), None),
        ("Before I buy", framed("Does it dim?"), None),
        ("Frage", framed("tel 0302-1111111-22222223"), None),
    ],
)
def test_the_order_a_mail_is_about(claim, subject, text, order):
    assert claim(subject=subject, text=text).order_id == order


@pytest.mark.parametrize("verdict", list(Authenticity))
def test_a_forged_mail_is_kept_with_its_verdict(claim, verdict):
    assert claim(authenticity=verdict).authenticity is verdict


def test_a_mail_without_the_header_is_a_message_unless_its_own_headers_say_otherwise(claim):
    message = claim(notification=None)
    assert (message.kind, message.respond_by) == (MessageKind.MESSAGE, AT + timedelta(hours=24))
    absent = claim(notification=None, subject="Abwesenheitsnotiz: Frage")
    assert (absent.kind, absent.respond_by) == (MessageKind.AUTO_REPLY, None)


@pytest.mark.parametrize(
    "sender",
    [
        "Friend <someone@shop.example>",
        "abcdef123456@marketplace.amazon.de.evil.example",
        "abcdef123456@marketplace.amazon.xyz",
        "evil@notamazon.com",
        "ab-cdef123456@marketplace.amazon.example",
    ],
)
def test_other_mail_is_left_alone(claim, sender):
    assert claim(sender=sender) is None


def test_mail_of_amazons_without_the_header_or_a_relay_is_left_alone(claim):
    assert claim(sender="store-news@amazon.com", notification=None) is None


def test_mail_of_another_marketplace_or_mailbox_is_another_channels(claim):
    german, french = {"marketplace_ids": ("A1PA6795UKMFR9",)}, {"marketplace_ids": ("A13V1IB3VIYZZH",)}
    assert claim(channel=german) is not None
    assert claim(channel=french) is None
    assert claim(channel=french, marketplace=None) is not None
    assert claim(channel={"mailbox": "post"}) is not None
    assert claim(channel={"mailbox": "other"}) is None


def test_the_relay_address_may_be_in_reply_to(connect):
    content = relay_mail(sender=NOTICES, subject="Hi", at=AT, text=framed("Hallo"))
    content = content.replace(b"To: shop@", b"Reply-To: abcdef123456@marketplace.amazon.co.uk\nTo: shop@", 1)
    message = connect().claim_email(mail=raw(content))
    assert (message.reply_to, message.thread_id) == ("abcdef123456@marketplace.amazon.co.uk", None)


@pytest.mark.parametrize("tld", TLDS)
def test_every_shop_has_its_relay(tld):
    assert len(TLDS) == 22
    relay = relay_of(f"ABCdef123456@marketplace.amazon.{tld}")
    assert (relay.buyer, relay.case) == ("abcdef123456", None)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_an_exception(content):
    from aftersail_amazon.relay import read_relay_mail

    head = b"From: abcdef123456@marketplace.amazon.de\nX-Space-Notification-Type: A_Z_CLAIM_RESPONDENT_NOTIFY\n"
    assert read_relay_mail(raw(head + content)) is not None
