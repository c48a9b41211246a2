"""Real mail servers on loopback, in memory: IMAP by pymap, SMTP by aiosmtpd, with faults to order.

For the demo, QA and tests; needs the extra `aftersail-email[simulator]`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from argparse import Namespace
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import uuid4

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from proxyprotocol.sock import SocketInfo
from pymap.backend.dict import Config, DictBackend
from pymap.concurrent import Subsystem
from pymap.imap import IMAPServer
from pymap.parsing.message import AppendMessage
from pymap.user import Passwords
from pysasl.hashing import BuiltinHash

ResultT = TypeVar("ResultT")

_PATIENCE = 10.0
"""Seconds a server may take to start, stop or store a mail."""

_BODY = b"BODY[] {"
_BYTES_OF_A_CUT_MAIL = 40


@dataclass(frozen=True, kw_only=True)
class ReceivedMail:
    """A mail that the SMTP server took; the ledger of what has really left."""

    message_id: str | None
    sender: str
    recipients: tuple[str, ...]
    content: bytes


class MailSimulator:
    """A mailbox and an outgoing server, as a context manager.

    Attributes:
        address, password: the one login of both servers.
        imap_port, smtp_port: where the servers listen on `host` while the context is open.
        sent: every mail the SMTP server took, oldest first.
        refused_recipients: addresses the SMTP server answers with 550.
        drop_smtp_after_data: cut every connection after the whole mail was sent and before the answer.
        accept_dropped: whether a mail whose connection is cut was taken all the same.
        smtp_auth: whether the SMTP server wants a login.
    """

    host = "127.0.0.1"

    def __init__(
        self,
        *,
        address: str = "help@shop.example",
        password: str = "correct horse",  # noqa: S107 - a simulator's, good for nothing else
        smtp_auth: bool = True,
    ) -> None:
        self.address = address
        self.password = password
        self.imap_port = 0
        self.smtp_port = 0
        self.sent: list[ReceivedMail] = []
        self.refused_recipients: set[str] = set()
        self.drop_smtp_after_data = False
        self.accept_dropped = True
        self.smtp_auth = smtp_auth
        self._delivered: list[AppendMessage] = []
        self._mails_until_drop: int | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mail-simulator", daemon=True)
        self._servers: list[asyncio.Server] = []
        self._backend: DictBackend
        self._config: Config

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        self._loop.close()

    # -- what a test or the demo does ----------------------------------------------------------------------------------

    def deliver(self, mail: bytes | EmailMessage, received_at: datetime | None = None, folder: str = "INBOX") -> None:
        """Put a mail into the mailbox; `received_at` (aware) becomes its INTERNALDATE, now where it is None."""
        content = mail.as_bytes() if isinstance(mail, EmailMessage) else mail
        message = AppendMessage(content, received_at or datetime.now(UTC))
        if folder == "INBOX":
            self._delivered.append(message)
        self._do(self._append(folder, [message]))

    def reset_uidvalidity(self) -> None:
        """Number the mailbox anew, as a server does after a restored backup: same mails, other UIDs."""
        self._config.set_cache.pop(self.address, None)
        self._do(self._append("INBOX", self._delivered))

    def make_folder(self, name: str) -> None:
        """Make another folder, such as `Sent`."""
        self._do(self._make_folder(name))

    def change_password(self, password: str) -> None:
        """Let both servers want another password, as after a token has died."""
        self.password = password
        self._do(self._set_password())

    def drop_imap_after(self, mails: int) -> None:
        """Cut the IMAP connection once, in the middle of the mail that follows `mails` whole ones."""
        self._mails_until_drop = mails

    # -- servers ---------------------------------------------------------------------------------------------------

    def _do(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE)

    async def _start(self) -> None:
        arguments = Namespace(
            host=self.host,
            port=0,
            debug=False,
            cert=None,
            key=None,
            tls=False,
            passlib_cfg=None,
            proxy_protocol=None,
            demo_data=False,
            demo_user=self.address,
            demo_password=self.password,
        )
        self._backend, self._config = await DictBackend.init(
            arguments, hash_context=BuiltinHash(rounds=1), cpu_subsystem=Subsystem.for_asyncio(), reject_dnsbl=False
        )
        imap = IMAPServer(self._backend.login, self._config)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(asyncio.CancelledError):  # only `_stop` cancels
                await imap(reader, writer, SocketInfo.get(writer, None, unique_id=uuid4().bytes))

        inner = await asyncio.start_server(serve, self.host, 0)
        inner_port: int = inner.sockets[0].getsockname()[1]

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(asyncio.CancelledError):
                await self._relay(inner_port, reader, writer)

        front = await asyncio.start_server(relay, self.host, 0)
        smtp = await self._loop.create_server(self._smtp, self.host, 0)
        self.imap_port = front.sockets[0].getsockname()[1]
        self.smtp_port = smtp.sockets[0].getsockname()[1]
        self._servers = [smtp, front, inner]

    async def _stop(self) -> None:
        for server in self._servers:
            server.close()
        running = asyncio.all_tasks() - {asyncio.current_task()}
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await asyncio.sleep(0)  # closed transports let go of their sockets in the loop's next round

    async def _append(self, folder: str, messages: list[AppendMessage]) -> None:
        async with self._backend.login.demo_user_identity.new_session() as session:
            for message in messages:
                await session.append_messages(folder, [message])

    async def _make_folder(self, name: str) -> None:
        async with self._backend.login.demo_user_identity.new_session() as session:
            await session.create_mailbox(name)

    async def _set_password(self) -> None:
        identity = self._backend.login.demo_user_identity
        known = await identity.get()
        hashed = await Passwords(self._config).hash_password(self.password)
        await identity.set(replace(known, password=hashed, previous_entity_tag=known.entity_tag))

    async def _relay(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Stand between client and IMAP server, to cut the line in the middle of a mail when asked."""
        inner_reader, inner_writer = await asyncio.open_connection(self.host, port)
        upward = asyncio.create_task(_pump(reader, inner_writer))
        try:
            seen = b""
            while chunk := await inner_reader.read(65_536):
                cut = self._cut(seen, chunk)
                writer.write(chunk[:cut])
                await writer.drain()
                if cut is not None:
                    return
                seen = (seen + chunk)[1 - len(_BODY) :]
        except ConnectionError:
            return  # the client has gone, as clients do
        finally:
            upward.cancel()
            writer.close()
            inner_writer.close()

    def _cut(self, before: bytes, chunk: bytes) -> int | None:
        """Tell after how many bytes of this chunk the line goes dead; None for not at all."""
        if self._mails_until_drop is None:
            return None
        text, start = before + chunk, 0
        while (found := text.find(_BODY, start)) >= 0:
            start = found + len(_BODY)
            self._mails_until_drop -= 1
            if self._mails_until_drop < 0:
                self._mails_until_drop = None
                return start - len(before) + _BYTES_OF_A_CUT_MAIL
        return None

    def _smtp(self) -> SMTP:
        logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd warns of its own use of a deprecated name
        return SMTP(
            _Outgoing(self),
            hostname="simulator",
            loop=self._loop,
            enable_SMTPUTF8=True,
            authenticator=self._authenticate if self.smtp_auth else None,
            auth_require_tls=False,
        )

    def _authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _kind: str, data: Any) -> AuthResult:
        given = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode())
        return AuthResult(success=given == (self.address, self.password), handled=False)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()
    writer.close()


class _Outgoing:
    """What aiosmtpd asks about each mail; the method names are its own."""

    def __init__(self, simulator: MailSimulator) -> None:
        self._simulator = simulator

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._simulator.smtp_auth and not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self._simulator.refused_recipients:
            return "550 5.1.1 No such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        simulator = self._simulator
        if not simulator.drop_smtp_after_data or simulator.accept_dropped:
            simulator.sent.append(_ledger_entry(envelope))
        if simulator.drop_smtp_after_data and isinstance(server.transport, asyncio.WriteTransport):
            server.transport.abort()
        return "250 OK"


def _ledger_entry(envelope: Envelope) -> ReceivedMail:
    content = bytes(envelope.original_content or b"")
    message_id = BytesHeaderParser().parsebytes(content).get("message-id")
    return ReceivedMail(
        message_id=str(message_id).strip() if message_id else None,
        sender=envelope.mail_from or "",
        recipients=tuple(envelope.rcpt_tos),
        content=content,
    )
