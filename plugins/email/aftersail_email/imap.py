"""The mailbox, read by UID and never changed but for copies of sent mail."""

from __future__ import annotations

import imaplib
import re
import ssl
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self

from imap_tools import A, BaseMailBox, H, MailBox, MailBoxUnencrypted, U
from imap_tools.errors import ImapToolsError

from aftersail.sdk import AuthExpired, ChannelError, Invalid, Unavailable
from aftersail_email.settings import EmailSettings, Security

MAIL_CAP = 30_000_000
"""Bytes of one mail that are read; of a larger one only its beginning is."""

_BATCH_BYTES = 4_000_000
_BATCH_MAILS = 50
_UID = re.compile(rb"\bUID (\d+)")
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d+)")
_DATE = re.compile(rb'\bINTERNALDATE "([^"]+)"')
_LITERAL = re.compile(rb"\{(\d+)\}$")
# RFC 5530: the login may work later; it is not the password.
_LATER = ("[UNAVAILABLE]", "[INUSE]", "[LIMIT]", "[SERVERBUG]", "[CONTACTADMIN]")


@dataclass(frozen=True)
class FolderState:
    """A folder as it was opened: another `uidvalidity` means other UIDs; `uid_next` is the UID of the next mail."""

    uidvalidity: int
    uid_next: int | None


@dataclass(frozen=True)
class StoredMail:
    """One mail of a folder; `received_at` is None where the server does not say."""

    uid: int
    content: bytes
    received_at: datetime | None


@dataclass(frozen=True)
class Batch:
    """Some mails in the order of their UIDs.

    Attributes:
        last_uid: up to here everything asked for has been read, has been skipped or is gone.
        skipped: mails that could not be read, or not to their end, one sentence each.
        broken: why the connection was lost before all were read; None where it held.
    """

    mails: tuple[StoredMail, ...]
    last_uid: int
    skipped: tuple[str, ...] = ()
    broken: str | None = None


class ImapSession:
    """One login, as a context manager.

    Raises on entry:
        AuthExpired: the login is refused.
        Invalid: the server does not offer what the settings ask for.
        Unavailable: no connection.
    """

    def __init__(self, settings: EmailSettings) -> None:
        self._settings = settings
        self._where = f"IMAP server {settings.imap_host}:{settings.imap_port}"
        self._box: BaseMailBox

    def __enter__(self) -> Self:
        with self._reaching():
            self._box = self._connect()
        try:
            self._secure()
            self._login()
        except BaseException:
            self._hang_up()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError, imaplib.IMAP4.error, ImapToolsError):
            self._box.client.logout()
        self._hang_up()

    def _connect(self) -> BaseMailBox:
        settings = self._settings
        host, port, timeout = settings.imap_host, settings.imap_port, settings.timeout
        if settings.imap_security is Security.SSL:
            return MailBox(host, port, timeout=timeout, ssl_context=ssl.create_default_context())
        return MailBoxUnencrypted(host, port, timeout=timeout)

    def _secure(self) -> None:
        if self._settings.imap_security is not Security.STARTTLS:
            return
        client = self._box.client
        if "STARTTLS" not in client.capabilities:
            raise Invalid(f"{self._where} does not offer STARTTLS; use ssl, or another port")
        with self._reaching():
            client.starttls(ssl_context=ssl.create_default_context())

    def _login(self) -> None:
        user = self._settings.imap_username or self._settings.address
        password = self._settings.imap_password.get_secret_value()
        plain = (user + password).isascii()
        refusal: str | None = None
        with self._reaching():
            try:
                (self._box.login if plain else self._box.login_utf8)(user, password, initial_folder=None)
            except imaplib.IMAP4.abort:
                raise
            except (imaplib.IMAP4.error, ImapToolsError) as error:
                refusal = str(error).replace(password, "***")
        # Raised outside the handler: the server's own error may echo the password, and must not hang on ours.
        if refusal is None:
            return
        if any(code in refusal for code in _LATER):
            raise Unavailable(f"{self._where} cannot log {user!r} in now: {refusal}")
        raise AuthExpired(
            f"{self._where} refuses the login of {user!r}; check the IMAP user and password,"
            " and whether the provider wants an app password"
        )

    def _hang_up(self) -> None:
        with suppress(OSError):
            self._box.client.shutdown()

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Turn whatever goes wrong on the line into the closed set of errors."""
        try:
            yield
        except ChannelError:
            raise
        except ssl.SSLCertVerificationError as error:
            fix = "use the host name the certificate is for"
            raise Unavailable(f"{self._where}: the certificate is refused ({error.verify_message}); {fix}") from error
        except (OSError, EOFError, imaplib.IMAP4.abort) as error:
            why = str(error) or type(error).__name__
            raise Unavailable(f"{self._where} cannot be reached: {why}; check host, port and security") from error
        except (imaplib.IMAP4.error, ImapToolsError) as error:
            raise Invalid(f"{self._where} refuses: {error}") from error

    # -- reading ---------------------------------------------------------------------------------------------------

    def has_folder(self, folder: str) -> bool:
        """Tell whether a folder exists."""
        with self._reaching():
            return bool(self._box.folder.exists(folder))

    def open(self, folder: str) -> FolderState:
        """Open a folder read-only.

        Raises:
            Invalid: there is no such folder; the detail names those there are.
            Unavailable: the connection was lost.
        """
        with self._reaching():
            try:
                self._box.folder.set(folder, readonly=True)
            except ImapToolsError as error:
                names = ", ".join(sorted(item.name for item in self._box.folder.list())[:20])
                raise Invalid(f"{self._where} has no folder {folder!r}; it has: {names}") from error
            client = self._box.client
            validity, following = client.response("UIDVALIDITY")[1], client.response("UIDNEXT")[1]
            return FolderState(_number(validity) or 0, _number(following))

    def uids(self, after: int, since: date) -> list[int]:
        """List the UIDs above `after` of mails received since that day, lowest first."""
        with self._reaching():
            found = self._box.uids(A(uid=U(str(after + 1), "*"), date_gte=since), charset=None)
        return sorted(uid for uid in map(int, found) if uid > after)  # `n:*` always names the last mail too

    def find(self, folder: str, message_id: str) -> bool:
        """Tell whether a folder holds a mail with that Message-ID."""
        self.open(folder)
        with self._reaching():
            return bool(self._box.uids(A(header=H("Message-ID", message_id)), charset=None))

    def append(self, folder: str, content: bytes, at: datetime) -> None:
        """Put a copy of a sent mail into a folder, marked as read."""
        with self._reaching():
            self._box.append(content, folder, dt=at, flag_set=[r"\Seen"])

    def batches(self, uids: Sequence[int]) -> Iterator[Batch]:
        """Read mails without marking them as read, a few megabytes at a time; ends with a broken batch."""
        if not uids:
            return
        try:
            sizes = self._sizes(uids)
        except Unavailable as error:
            yield Batch((), 0, broken=error.detail)
            return
        for group in _groups(uids, sizes):
            batch = self._batch(group, sizes)
            yield batch
            if batch.broken is not None:
                return

    def _sizes(self, uids: Sequence[int]) -> dict[int, int]:
        with self._reaching():
            _, data = self._box.client.uid("FETCH", _listed(uids), "(UID RFC822.SIZE)")
        found = [(_UID.search(item), _SIZE.search(item)) for item in data if isinstance(item, bytes)]
        return {int(uid.group(1)): int(size.group(1)) for uid, size in found if uid and size}

    def _batch(self, uids: Sequence[int], sizes: dict[int, int]) -> Batch:
        big = sizes.get(uids[0], 0) > MAIL_CAP
        wanted = f"BODY.PEEK[]<0.{MAIL_CAP}>" if big else "BODY.PEEK[]"
        client = self._box.client
        try:
            status, data = client.uid("FETCH", _listed(uids), f"(UID INTERNALDATE {wanted})")
        except (OSError, EOFError, imaplib.IMAP4.abort) as error:
            return self._saved(uids, client.response("FETCH")[1], str(error) or type(error).__name__)
        except imaplib.IMAP4.error as error:
            status, data = "NO", [str(error).encode()]
        if status == "OK":
            note = (
                f"{self._where}: mail with UID {uids[0]} has {sizes.get(uids[0])} bytes; its first {MAIL_CAP} were read"
            )
            return Batch(tuple(_mails(data, uids)), uids[-1], (note,) if big else ())
        if len(uids) > 1:
            return self._one_by_one(uids, sizes)
        why = b" ".join(item for item in data if isinstance(item, bytes)).decode("utf-8", "replace")
        return Batch((), uids[0], (f"{self._where}: mail with UID {uids[0]} cannot be read: {why}",))

    def _one_by_one(self, uids: Sequence[int], sizes: dict[int, int]) -> Batch:
        """Read a refused batch mail by mail, so that the one the server cannot read does not take others with it."""
        mails: list[StoredMail] = []
        skipped: list[str] = []
        last = 0
        for uid in uids:
            batch = self._batch([uid], sizes)
            mails += batch.mails
            skipped += batch.skipped
            last = batch.last_uid or last
            if batch.broken is not None:
                return Batch(tuple(mails), last, tuple(skipped), batch.broken)
        return Batch(tuple(mails), last, tuple(skipped))

    def _saved(self, uids: Sequence[int], data: Iterable[Any], why: str) -> Batch:
        """Keep what came whole before the line went dead, up to the first mail that is missing."""
        whole = {mail.uid: mail for mail in _mails(data, uids)}
        kept: list[StoredMail] = []
        for uid in uids:
            if uid not in whole:
                break
            kept.append(whole[uid])
        return Batch(tuple(kept), kept[-1].uid if kept else 0, broken=f"{self._where} broke off: {why}")


def _number(answer: Sequence[Any]) -> int | None:
    return int(answer[-1]) if answer and answer[-1] else None


def _listed(uids: Sequence[int]) -> str:
    return ",".join(map(str, uids))


def _groups(uids: Sequence[int], sizes: dict[int, int]) -> Iterator[list[int]]:
    """Cut a list of UIDs into batches of bounded bytes; a mail over the cap stands alone."""
    group: list[int] = []
    size = 0
    for uid in uids:
        own = sizes.get(uid, 0)
        if group and (size + own > _BATCH_BYTES or len(group) >= _BATCH_MAILS):
            yield group
            group, size = [], 0
        group.append(uid)
        size += own
    if group:
        yield group


def _mails(data: Iterable[Any], uids: Sequence[int]) -> list[StoredMail]:
    """Read a FETCH answer; the UID may stand before or behind the mail, and a mail cut short is left out."""
    wanted = set(uids)
    found: dict[int, StoredMail] = {}
    items = list(data)
    for item, following in zip(items, [*items[1:], b""], strict=True):
        if not isinstance(item, tuple):
            continue
        head, content = item[0], item[1]
        around = head + b" " + (following if isinstance(following, bytes) else b"")
        announced, uid, received = _LITERAL.search(head), _UID.search(around), _DATE.search(around)
        if announced and uid and int(announced.group(1)) == len(content) and int(uid.group(1)) in wanted:
            number = int(uid.group(1))
            found[number] = StoredMail(number, content, _instant(received.group(1)) if received else None)
    return [found[uid] for uid in sorted(found)]


def _instant(internal_date: bytes) -> datetime | None:
    try:
        moment = parsedate_to_datetime(internal_date.decode("ascii"))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
