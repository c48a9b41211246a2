"""Sending, with every failure told apart: nothing happened, refused, or nobody knows."""

from __future__ import annotations

import re
import smtplib
import ssl
from contextlib import suppress
from types import TracebackType
from typing import Self

from aftersail.sdk import Ambiguous, AuthExpired, ChannelError, Invalid, NotAllowed, Unavailable
from aftersail_email.settings import EmailSettings, Security

_LINE_DOT = re.compile(rb"^\.", re.MULTILINE)
_GO_ON = range(354, 355)
_DONE = range(200, 300)
_REFUSED = 500
_NEEDS_LOGIN = 530
_POLICY = re.compile(r"\b5\.7\.\d")


class SmtpSession:
    """One connection, logged in where the settings name a user, as a context manager.

    Raises on entry:
        AuthExpired: the login is refused.
        Invalid: the server does not offer what the settings ask for.
        Unavailable: no connection, or no service now.
    """

    def __init__(self, settings: EmailSettings) -> None:
        self._settings = settings
        self._where = f"SMTP server {settings.smtp_host}:{settings.smtp_port}"
        self._server: smtplib.SMTP

    def __enter__(self) -> Self:
        try:
            self._server = self._connect()
        except (OSError, smtplib.SMTPException) as error:
            raise self._unreachable(error) from error
        try:
            self._greet()
        except BaseException:
            self._server.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError, smtplib.SMTPException):
            self._server.quit()
        self._server.close()

    def _unreachable(self, error: Exception) -> Unavailable:
        if isinstance(error, ssl.SSLCertVerificationError):
            fix = "use the host name the certificate is for"
            return Unavailable(f"{self._where}: the certificate is refused ({error.verify_message}); {fix}")
        why = str(error) or type(error).__name__
        return Unavailable(f"{self._where} cannot be reached: {why}; check host, port and security")

    def _connect(self) -> smtplib.SMTP:
        settings = self._settings
        host, port, timeout = settings.smtp_host, settings.smtp_port, settings.timeout
        if settings.smtp_security is Security.SSL:
            return smtplib.SMTP_SSL(host, port, timeout=timeout, context=ssl.create_default_context())
        return smtplib.SMTP(host, port, timeout=timeout)

    def _greet(self) -> None:
        try:
            self._server.ehlo_or_helo_if_needed()
            if self._settings.smtp_security is Security.STARTTLS:
                self._server.starttls(context=ssl.create_default_context())
                self._server.ehlo_or_helo_if_needed()
        except smtplib.SMTPNotSupportedError as error:
            raise Invalid(f"{self._where} does not offer STARTTLS; use ssl, or another port") from error
        except (OSError, smtplib.SMTPException) as error:
            raise self._unreachable(error) from error
        self._login()

    def _login(self) -> None:
        settings = self._settings
        user = settings.smtp_username
        if user is None:
            user = settings.imap_username or settings.address
        if not user:
            return
        password = (settings.smtp_password or settings.imap_password).get_secret_value()
        failure: ChannelError | None = None
        try:
            self._server.login(user, password)
        except smtplib.SMTPNotSupportedError:
            failure = Invalid(f"{self._where} offers no login here; use starttls or ssl, or leave the SMTP user empty")
        except smtplib.SMTPAuthenticationError as error:
            failure = self._login_refused(user, error.smtp_code)
        except UnicodeEncodeError:
            failure = Invalid(f"{self._where}: the SMTP user or password holds characters beyond ASCII; choose others")
        except (OSError, smtplib.SMTPException) as error:
            failure = self._unreachable(Exception(str(error).replace(password, "***")))
        # Raised outside the handler: the server's own error may echo the password, and must not hang on ours.
        if failure is not None:
            raise failure

    def _login_refused(self, user: str, code: int) -> ChannelError:
        if code < _REFUSED:
            return Unavailable(f"{self._where} cannot log {user!r} in now", code=str(code))
        return AuthExpired(
            f"{self._where} refuses the login of {user!r}; check the SMTP user and password,"
            " and whether the provider wants an app password",
            code=str(code),
        )

    def send(self, sender: str, recipient: str, content: bytes) -> None:
        """Send one mail to one recipient.

        Args:
            sender: the envelope's sender, where bounces go.
            recipient: the envelope's one recipient.
            content: the mail with CRLF line ends.

        Raises:
            Unavailable: nothing happened; try later.
            Invalid, NotAllowed, AuthExpired: refused, nothing happened.
            Ambiguous: the line went dead after the mail had left and before the answer came.
        """
        try:
            self._offer(sender, recipient, len(content))
        except (OSError, smtplib.SMTPException) as error:
            raise self._unreachable(error) from error
        body = _LINE_DOT.sub(b"..", content)
        try:
            self._server.send(body + (b"" if body.endswith(b"\r\n") else b"\r\n") + b".\r\n")
            code, answer = self._server.getreply()
        except (OSError, smtplib.SMTPException) as error:
            why = str(error) or type(error).__name__
            raise Ambiguous(
                f"{self._where} broke off after the mail to {recipient} had left ({why});"
                " look into the sent folder, or wait for a bounce"
            ) from error
        if code < 0:
            raise Ambiguous(f"{self._where} gave an unreadable answer after the mail to {recipient} had left")
        self._check(code, answer, f"the mail to {recipient}")

    def _offer(self, sender: str, recipient: str, size: int) -> None:
        """Do what comes before the mail itself; until here nothing has happened."""
        options = [f"SIZE={size}"] if self._server.has_extn("size") else []
        if not (sender + recipient).isascii():
            if not self._server.has_extn("smtputf8"):
                raise Invalid(f"{self._where} cannot send to addresses beyond ASCII such as {recipient!r}")
            self._server.command_encoding = "utf-8"
            options.append("SMTPUTF8")
        self._check(*self._server.mail(sender, options), f"the sender {sender}")
        self._check(*self._server.rcpt(recipient), f"the recipient {recipient}")
        code, answer = self._server.docmd("DATA")
        self._check(code, answer, f"the mail to {recipient}", wanted=_GO_ON)

    def _check(self, code: int, answer: bytes, what: str, wanted: range = _DONE) -> None:
        if code in wanted:
            return
        said = answer.decode("utf-8", "replace")
        if code < _REFUSED:
            raise Unavailable(f"{self._where} does not take {what} now: {said}", code=str(code))
        if code == _NEEDS_LOGIN:
            raise AuthExpired(f"{self._where} wants a login; set SMTP user and password: {said}", code=str(code))
        if _POLICY.search(said):
            raise NotAllowed(f"{self._where} does not allow {what}: {said}", code=str(code))
        raise Invalid(f"{self._where} refuses {what}: {said}", code=str(code))
