from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink

from aftersail.sdk import Unavailable
from aftersail_email.smtp import SmtpSession


@pytest.fixture
def trusted(certificate, monkeypatch) -> None:
    """Let clients of this test trust the certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))


@pytest.mark.parametrize(("security", "offset"), [("starttls", 0), ("ssl", 1)])
def test_imap_over_tls(dovecot_box, trusted, security, offset):
    dovecot_box.deliver(b"From: a@b.example\r\n\r\nhi\r\n")
    connector = dovecot_box.connector(imap_security=security, imap_port=dovecot_box.imap_port + offset)
    assert len(connector.fetch_messages(None, 10).items) == 1


@pytest.mark.parametrize(("security", "offset"), [("starttls", 0), ("ssl", 1)])
def test_imap_refuses_a_certificate_nobody_vouches_for(dovecot_box, security, offset):
    connector = dovecot_box.connector(imap_security=security, imap_port=dovecot_box.imap_port + offset)
    with pytest.raises(Unavailable, match="certificate is refused"):
        connector.fetch_messages(None, 10)


@pytest.fixture(params=["starttls", "ssl"])
def smtp(request, certificate) -> Iterator[tuple[str, int]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    option = {"tls_context": context} if request.param == "starttls" else {"ssl_context": context}
    for port in range(20_000 + random_offset(request.node.nodeid), 60_000):
        controller = Controller(Sink(), hostname="127.0.0.1", port=port, **option)
        try:
            controller.start()
        except OSError:
            continue
        break
    yield request.param, controller.port
    controller.stop()


def random_offset(name: str) -> int:
    return abs(hash(name)) % 10_000


def test_smtp_over_tls(plain, smtp, trusted):
    security, port = smtp
    settings = plain.connector(smtp_security=security, smtp_port=port, smtp_username="").settings
    with SmtpSession(settings) as session:
        session.send("help@shop.example", "anna@buyer.example", b"Subject: x\r\n\r\nhi\r\n")


def test_smtp_refuses_a_certificate_nobody_vouches_for(plain, smtp):
    security, port = smtp
    settings = plain.connector(smtp_security=security, smtp_port=port, smtp_username="").settings
    with pytest.raises(Unavailable, match="certificate is refused"), SmtpSession(settings):
        pass
