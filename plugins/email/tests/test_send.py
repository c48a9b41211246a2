from __future__ import annotations

import socket
import threading
from email import message_from_bytes, policy

import pytest

from aftersail.sdk import (
    Ambiguous,
    Attachment,
    AuthExpired,
    Direction,
    Invalid,
    MailRefs,
    NotAllowed,
    Receipt,
    Reply,
    Unavailable,
)

from .conftest import NOW, SECRET

REPLY = Reply(
    key="reply-7",
    to="anna@buyer.example",
    subject="Re: Größe",
    text="Hallo Anna,\n.ein Punkt am Anfang\nIhr Geld ist unterwegs.",
    mail=MailRefs(in_reply_to="<m1@buyer.example>", references=("<m0@buyer.example>",)),
    attachments=(Attachment(filename="Beleg ä.txt", content_type="text/plain", size=3, content=b"abc"),),
)


def test_an_answer_arrives_with_its_fixed_message_id_and_threads(simulator, plain):
    receipt = plain.connector().post_reply(REPLY)
    assert receipt == Receipt(external_id="<reply-7@shop.example>", at=NOW)
    (sent,) = simulator.sent
    assert (sent.message_id, sent.sender, sent.recipients) == (
        "<reply-7@shop.example>",
        "help@shop.example",
        ("anna@buyer.example",),
    )
    mail = message_from_bytes(sent.content, policy=policy.default)
    assert mail["In-Reply-To"] == "<m1@buyer.example>"
    assert mail["References"] == "<m0@buyer.example> <m1@buyer.example>"
    assert mail["Subject"] == "Re: Größe"
    assert mail["From"].addresses[0].display_name == "The Shop"
    assert mail["Auto-Submitted"] is None
    assert mail.get_body().get_content().replace("\r\n", "\n") == REPLY.text + "\n"
    assert [(part.get_filename(), part.get_content()) for part in mail.iter_attachments()] == [("Beleg ä.txt", "abc")]


def test_a_drop_after_the_mail_left_is_ambiguous_and_is_not_repeated(simulator, plain):
    simulator.drop_smtp_after_data = True
    with pytest.raises(Ambiguous, match=r"127\.0\.0\.1:\d+ broke off after"):
        plain.connector().post_reply(REPLY)
    assert len(simulator.sent) == 1


def test_a_drop_is_settled_by_a_provider_that_keeps_sent_mail(simulator, plain):
    plain.make_folder("Sent")
    simulator.drop_smtp_after_data = True
    plain.deliver(b"Message-ID: <reply-7@shop.example>\r\n\r\nkept by the provider\r\n", folder="Sent")
    assert plain.connector(sent_folder="Sent").post_reply(REPLY).external_id == "<reply-7@shop.example>"


def test_a_drop_stays_ambiguous_where_the_sent_folder_holds_others_only(simulator, plain):
    plain.make_folder("Sent")
    simulator.drop_smtp_after_data = True
    simulator.accept_dropped = False
    plain.deliver(b"Message-ID: <reply-8@shop.example>\r\n\r\nanother\r\n", folder="Sent")
    with pytest.raises(Ambiguous):
        plain.connector(sent_folder="Sent").post_reply(REPLY)
    assert simulator.sent == []


def test_a_copy_is_kept_once_and_comes_back_under_the_same_id(box):
    box.make_folder("Sent")
    connector = box.connector(sent_folder="Sent")
    receipt = connector.post_reply(REPLY)
    (copy,) = connector.fetch_messages(None, 10).items
    assert (copy.external_id, copy.direction) == (receipt.external_id, Direction.OUTBOUND)
    connector.post_reply(REPLY)
    assert len(connector.fetch_messages(None, 10).items) == 1


def test_a_failing_copy_does_not_fail_the_answer(simulator, plain, caplog):
    receipt = plain.connector(sent_folder="Nowhere").post_reply(REPLY)
    assert receipt.external_id == "<reply-7@shop.example>"
    assert "no copy" in caplog.text


def test_a_refused_recipient_is_invalid_and_nothing_left(simulator, plain):
    simulator.refused_recipients.add("anna@buyer.example")
    with pytest.raises(Invalid, match=r"anna@buyer\.example.*No such user"):
        plain.connector().post_reply(REPLY)
    assert simulator.sent == []


@pytest.mark.parametrize("to", [None, "", "nobody", "a@b.example\nBcc: c@d.example", "@b.example"])
def test_a_wrong_address_is_invalid_before_anything_is_sent(simulator, plain, to):
    with pytest.raises(Invalid, match="recipient"):
        plain.connector().post_reply(REPLY.model_copy(update={"to": to}))
    assert simulator.sent == []


def test_a_wrong_smtp_password_is_named_without_the_secret(simulator, plain):
    with pytest.raises(AuthExpired, match="SMTP user and password") as caught:
        plain.connector(smtp_password="wrong-and-secret").post_reply(REPLY)
    assert "wrong-and-secret" not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
    assert simulator.sent == []


def test_a_server_that_wants_a_login_says_so(simulator, plain):
    with pytest.raises(AuthExpired, match="wants a login"):
        plain.connector(smtp_username="").post_reply(REPLY)


def test_a_password_beyond_ascii_is_invalid_for_smtp_and_not_shown(plain):
    with pytest.raises(Invalid, match="beyond ASCII") as caught:
        plain.connector(smtp_password="gehäim").post_reply(REPLY)
    assert caught.value.__context__ is None


def test_an_unreachable_smtp_host_is_unavailable(plain):
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1 cannot be reached.*check host, port"):
        plain.connector(smtp_port=1).post_reply(REPLY)


def test_starttls_that_is_not_offered_is_invalid(plain):
    with pytest.raises(Invalid, match="STARTTLS"):
        plain.connector(smtp_security="starttls").post_reply(REPLY)
    with pytest.raises(Invalid, match="STARTTLS"):
        plain.connector(imap_security="starttls").fetch_messages(None, 1)


def test_tls_against_a_plain_server_is_unavailable(plain):
    with pytest.raises(Unavailable, match="security"):
        plain.connector(smtp_security="ssl").post_reply(REPLY)
    with pytest.raises(Unavailable, match="security"):
        plain.connector(imap_security="ssl").fetch_messages(None, 1)


class Scripted:
    """A server that answers line by line from a script; for refusals no honest server can be asked for."""

    def __init__(self, *answers: bytes) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(10)
        self._answers = answers
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        connection.settimeout(10)
        with connection, connection.makefile("rb") as lines:
            for answer in self._answers:
                connection.sendall(answer)
                if answer.startswith(b"354"):
                    for line in lines:
                        if line == b".\r\n":
                            break
                else:
                    lines.readline()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._thread.join(10)
        self._socket.close()


OK = b"250 OK\r\n"
HELLO = (b"220 scripted\r\n", b"250 scripted\r\n")


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        pytest.param((b"554 no service\r\n",), Unavailable, id="greeting"),
        pytest.param((*HELLO, b"550 5.7.1 sender denied\r\n"), NotAllowed, id="sender denied"),
        pytest.param((*HELLO, b"530 5.7.0 log in\r\n"), AuthExpired, id="login wanted"),
        pytest.param((*HELLO, OK, b"451 4.7.1 greylisted\r\n"), Unavailable, id="greylisted"),
        pytest.param((*HELLO, OK, b"550 5.7.1 relaying denied\r\n"), NotAllowed, id="relaying denied"),
        pytest.param((*HELLO, OK, b"552 5.2.2 mailbox full\r\n"), Invalid, id="mailbox full"),
        pytest.param((*HELLO, OK, OK), Unavailable, id="dropped before DATA"),
        pytest.param((*HELLO, OK, OK, b"452 4.3.1 disk full\r\n"), Unavailable, id="DATA put off"),
        pytest.param((*HELLO, OK, OK, b"354 go\r\n"), Ambiguous, id="dropped after DATA"),
        pytest.param((*HELLO, OK, OK, b"354 go\r\n", b"banana\r\n"), Ambiguous, id="unreadable answer"),
        pytest.param((*HELLO, OK, OK, b"354 go\r\n", b"554 5.7.1 spam\r\n"), NotAllowed, id="refused as spam"),
        pytest.param((*HELLO, OK, OK, b"354 go\r\n", b"451 4.3.0 later\r\n"), Unavailable, id="put off after DATA"),
    ],
)
def test_every_refusal_is_told_apart(plain, answers, error):
    with Scripted(*answers) as server, pytest.raises(error):
        plain.connector(smtp_port=server.port, smtp_username="").post_reply(REPLY)


def test_check_account_logs_in_to_both_and_changes_nothing(box):
    box.deliver(b"From: a@b.example\r\nMessage-ID: <x@b.example>\r\n\r\nhi\r\n")
    account = box.connector(sent_folder="Nowhere").check_account()
    assert (account.external_id, account.title) == ("help@shop.example", "The Shop")
    assert any("Nowhere" in warning for warning in account.warnings)
    assert any("trusted mail host" in warning for warning in account.warnings)
    assert box.simulator.sent == []
    with box.open() as view:
        view.folder.set("INBOX", readonly=True)
        assert not any(r"\Seen" in item.flags for item in view.fetch(mark_seen=False))


def test_check_account_refuses_a_dead_login_on_either_side(simulator, plain):
    with pytest.raises(AuthExpired, match="SMTP"):
        plain.connector(smtp_password="other").check_account()
    with pytest.raises(AuthExpired, match="IMAP"):
        plain.connector(imap_password="other", smtp_password=SECRET).check_account()
