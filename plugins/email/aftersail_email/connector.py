"""The connector of one mailbox."""

from __future__ import annotations

import logging
from datetime import date, timedelta
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from aftersail.sdk import (
    Account,
    Ambiguous,
    AttachmentMode,
    Authenticity,
    Capabilities,
    ChannelError,
    Connector,
    CursorExpired,
    Direction,
    Inbound,
    Message,
    Page,
    Party,
    RawMail,
    Receipt,
    Reply,
    ReplyCapability,
    ReplyMode,
    Unavailable,
)
from aftersail.sdk.mail import build_mail, parse_mail
from aftersail_email.imap import ImapSession, StoredMail
from aftersail_email.settings import EmailSettings
from aftersail_email.smtp import SmtpSession

PAGE_BYTES = 30_000_000
"""A page ends early once its mails weigh this much."""

_log = logging.getLogger(__name__)


class FolderMark(BaseModel):
    """How far one folder has been read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uidvalidity: int
    last_uid: int


class Cursor(BaseModel):
    """Where a sync stands: how far each folder has been read, and the day the first sync began with."""

    model_config = ConfigDict(extra="forbid")

    since: date
    folders: dict[str, FolderMark]


class _Gathering:
    """A page in the making."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.items: list[Message] = []
        self.skipped: list[str] = []
        self.bytes = 0
        self.more = False
        self.broken = False

    @property
    def full(self) -> bool:
        return len(self.items) >= self.limit or self.bytes >= PAGE_BYTES


class EmailConnector(Connector[EmailSettings]):
    """One mailbox: read by IMAP without changing it, answered by SMTP."""

    kind: ClassVar[str] = "email"
    title: ClassVar[str] = "E-mail"
    settings_model = EmailSettings
    capabilities: ClassVar[Capabilities] = Capabilities(
        inbound=Inbound.API, reply=ReplyCapability(mode=ReplyMode.API, attachments=AttachmentMode.UPLOAD)
    )

    def check_account(self) -> Account:
        """Log in to both servers and open the folder; nothing is changed."""
        settings = self.settings
        warnings = []
        with ImapSession(settings) as imap:
            imap.open(settings.folder)
            if settings.sent_folder and not imap.has_folder(settings.sent_folder):
                warnings.append(f"there is no folder {settings.sent_folder!r}: copies of sent mail cannot be kept")
        with SmtpSession(settings):
            pass
        if not settings.authserv_id:
            warnings.append("no trusted mail host is set: no mail counts as proven to be from whom it claims")
        return Account(
            external_id=settings.address, title=settings.display_name or settings.address, warnings=tuple(warnings)
        )

    # -- in ----------------------------------------------------------------------------------------------------------

    def fetch_messages(self, cursor: str | None, limit: int) -> Page[Message]:
        """Fetch the mails that came after the cursor; see `ChannelSpec.fetch_messages`.

        Where the connection breaks in the middle, what came whole is a page and the next call goes on behind it.
        """
        place = self._place(cursor)
        page = _Gathering(limit)
        with ImapSession(self.settings) as imap:
            for folder in self._folders(imap):
                place.folders[folder] = self._read_folder(imap, folder, place, page)
                if page.broken:
                    break
        return Page[Message](
            items=tuple(page.items), cursor=place.model_dump_json(), more=page.more, skipped=tuple(page.skipped)
        )

    def _place(self, cursor: str | None) -> Cursor:
        if cursor is None:
            # A day more than asked for: servers compare the day of receipt in a zone of their own.
            since = self.context.now().date() - timedelta(days=self.settings.since_days + 1)
            return Cursor(since=since, folders={})
        try:
            return Cursor.model_validate_json(cursor)
        except ValidationError as error:
            raise CursorExpired(f"the cursor of channel {self.context.channel_id} is not readable") from error

    def _folders(self, imap: ImapSession) -> list[str]:
        sent = self.settings.sent_folder
        return [
            self.settings.folder,
            *([sent] if sent and sent != self.settings.folder and imap.has_folder(sent) else []),
        ]

    def _read_folder(self, imap: ImapSession, folder: str, place: Cursor, page: _Gathering) -> FolderMark:
        state = imap.open(folder)
        mark = place.folders.get(folder)
        if mark is not None and mark.uidvalidity != state.uidvalidity:
            raise CursorExpired(
                f"the server has numbered folder {folder!r} anew (UIDVALIDITY {mark.uidvalidity} is now"
                f" {state.uidvalidity}); it is read again from {place.since}"
            )
        last = mark.last_uid if mark else 0
        waiting = imap.uids(last, place.since)
        if not waiting and mark is None and state.uid_next is not None:
            return FolderMark(uidvalidity=state.uidvalidity, last_uid=state.uid_next - 1)
        room = max(page.limit - len(page.items), 0)
        page.more = page.more or len(waiting) > room
        for batch in imap.batches(waiting[:room]) if not page.full else ():
            page.items += [self._message(mail, folder) for mail in batch.mails]
            page.bytes += sum(len(mail.content) for mail in batch.mails)
            page.skipped += batch.skipped
            last = max(last, batch.last_uid)
            page.broken = batch.broken is not None
            if batch.broken is not None and not page.items and not page.skipped:
                raise Unavailable(batch.broken)
            if page.broken or page.full:
                break
        page.more = page.more or bool(waiting and waiting[-1] > last)
        return FolderMark(uidvalidity=state.uidvalidity, last_uid=last)

    def _message(self, mail: StoredMail, folder: str) -> Message:
        raw = RawMail(
            content=mail.content,
            received_at=mail.received_at or self.context.now(),
            mailbox=self.context.channel_id,
        )
        parsed = parse_mail(raw, authserv_id=self.settings.authserv_id)
        ours = (parsed.author.email or "").casefold() == self.settings.address.casefold()
        # A forged mail from our own address must not stop a clock.
        if folder == self.settings.sent_folder or (ours and parsed.authenticity is not Authenticity.FAIL):
            to = parsed.recipients[0].email if parsed.recipients else None
            return parsed.to_message(direction=Direction.OUTBOUND, reply_to=to)
        return parsed.to_message()

    # -- out ---------------------------------------------------------------------------------------------------------

    def post_reply(self, reply: Reply) -> Receipt:
        """Send an answer under its fixed Message-ID; see `ChannelSpec.post_reply`.

        A line that goes dead after the mail has left is settled by the sent folder where the provider keeps one by
        itself; otherwise nobody knows.
        """
        settings = self.settings
        now = self.context.now()
        sender = Party(name=settings.display_name or None, email=settings.address)
        mail = build_mail(reply, sender=sender, at=now)
        message_id, content = str(mail["Message-ID"]), mail.as_bytes()
        recipient = mail["To"].addresses[0].addr_spec
        with SmtpSession(settings) as smtp:
            try:
                smtp.send(settings.address, recipient, content)
            except Ambiguous:
                if not self._is_in_sent(message_id):
                    raise
                return Receipt(external_id=message_id, at=now)
        self._keep_copy(message_id, content)
        return Receipt(external_id=message_id, at=now)

    def _is_in_sent(self, message_id: str) -> bool:
        if not self.settings.sent_folder:
            return False
        try:
            with ImapSession(self.settings) as imap:
                return imap.find(self.settings.sent_folder, message_id)
        except ChannelError:
            return False

    def _keep_copy(self, message_id: str, content: bytes) -> None:
        """Keep a copy unless the provider has done so; the mail is sent, so a failure here fails nothing."""
        folder = self.settings.sent_folder
        if not folder:
            return
        try:
            with ImapSession(self.settings) as imap:
                if not imap.find(folder, message_id):
                    imap.append(folder, content, self.context.now())
        except ChannelError as error:
            _log.warning("channel %s: no copy of %s in %r: %s", self.context.channel_id, message_id, folder, error)
