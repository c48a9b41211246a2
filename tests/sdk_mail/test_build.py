from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aftersail.sdk import Attachment, Invalid, MailRefs, MessageKind, Party, RawMail, Reply
from aftersail.sdk.mail import build_mail, message_id_for, parse_mail, trim_references

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
SHOP = Party(name="Der Laden, GmbH", email="help@shop.example")


def reply(**changes) -> Reply:
    return Reply(**({"key": "k1", "to": "anna@buyer.example", "subject": "Re: x", "text": "hello"} | changes))


def sent(answer: Reply, **options):
    return message_from_bytes(build_mail(answer, sender=SHOP, at=AT, **options).as_bytes(), policy=policy.default)


def test_the_same_key_is_the_same_message_id():
    assert sent(reply())["Message-ID"] == sent(reply(text="other"))["Message-ID"] == "<k1@shop.example>"
    assert sent(reply(), domain="mail.example")["Message-ID"] == "<k1@mail.example>"


def test_an_id_that_the_host_has_fixed_is_kept():
    assert sent(reply(mail=MailRefs(message_id="<fixed@x.example>")))["Message-ID"] == "<fixed@x.example>"


def test_headers_of_a_persons_answer():
    mail = sent(reply(language="de"), ticket="T-7")
    assert mail["From"] == '"Der Laden, GmbH" <help@shop.example>'
    assert (mail["To"], mail["Date"].datetime) == ("anna@buyer.example", AT)
    assert (mail["Content-Language"], mail["X-Aftersail-Ticket"], mail["Auto-Submitted"]) == ("de", "T-7", None)
    assert sent(reply(), automatic=True)["Auto-Submitted"] == "auto-replied"


def test_threading_headers():
    refs = MailRefs(in_reply_to="<b@x>", references=("<a@x>", "<b@x>"))
    mail = sent(reply(mail=refs))
    assert (mail["In-Reply-To"], mail["References"]) == ("<b@x>", "<a@x> <b@x>")
    assert sent(reply())["References"] is None


def test_references_keep_the_first_and_the_last():
    many = [f"<{number:060}@buyer.example>" for number in range(100)]
    kept = trim_references(many)
    assert len(" ".join(kept)) <= 1500
    assert kept[0] == many[0]
    assert kept[1:] == tuple(many[-len(kept) + 1 :])
    assert len(" ".join((*kept, many[50]))) > 1500
    mail = sent(reply(mail=MailRefs(in_reply_to=many[-1], references=tuple(many))))
    assert mail["References"].split() == list(kept)
    assert trim_references(["<a@x>", "<a@x>", "<b@x>"]) == ("<a@x>", "<b@x>")


@pytest.mark.parametrize("to", [None, "", "anna", "a@b@c", "anna@buyer.example\r\nBcc: x@y.example", "a b@c.example"])
def test_a_wrong_recipient_is_refused(to):
    with pytest.raises(Invalid, match="recipient"):
        sent(reply(to=to))


def test_a_header_cannot_be_smuggled_in():
    mail = sent(reply(subject="x\r\nBcc: spy@evil.example"), ticket="1\r\nBcc: spy@evil.example")
    assert mail["Bcc"] is None


def test_attachments_keep_name_type_and_bytes():
    file = Attachment(filename="größe.png", content_type="image/png", size=3, content=b"\x00\xff\n")
    (part,) = sent(reply(attachments=(file,))).iter_attachments()
    assert (part.get_filename(), part.get_content_type(), part.get_content()) == (
        "größe.png",
        "image/png",
        b"\x00\xff\n",
    )
    with pytest.raises(Invalid, match=r"größe\.png"):
        sent(reply(attachments=(file.model_copy(update={"content": None}),)))


@example(key=".a")
@example(key="a.")
@example(key="a..b")
@example(key="k" * 181)
@given(key=st.text(min_size=1, max_size=300))
def test_every_key_makes_a_legal_id_and_different_keys_different_ids(key):
    made = message_id_for(key, "shop.example")
    assert made.isascii()
    assert len(made) < 250
    assert not set(made[1:-1]) & set(' \t\r\n<>()[]\\,;:"')
    assert made.count("@") == 1
    local = made[1:].partition("@")[0]
    assert not local.startswith(".")
    assert not local.endswith(".")
    assert ".." not in local
    assert made != message_id_for(key + "x", "shop.example")


@settings(max_examples=100, deadline=None)
@given(
    subject=st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=120),
    text=st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=300),
    number=st.integers(0, 40),
)
def test_what_we_write_we_can_read(subject, text, number):
    refs = MailRefs(references=tuple(f"<{n}{'r' * 70}@buyer.example>" for n in range(number)))
    answer = reply(subject=subject, text=text, mail=refs)
    raw = RawMail(content=build_mail(answer, sender=SHOP, at=AT).as_bytes(), received_at=AT, mailbox="box")
    mail = parse_mail(raw)
    assert raw.content.isascii()
    assert mail.subject == " ".join(subject.split())
    assert " ".join(mail.text.split()) == " ".join(text.split())
    assert (mail.author.name, mail.author.email, mail.kind) == (SHOP.name, SHOP.email, MessageKind.MESSAGE)
    assert mail.refs.references == trim_references(refs.references)
