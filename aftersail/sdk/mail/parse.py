"""Any mail, read: headers, author, text, attachments, kind, time and authenticity."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from email import policy
from email.message import Message as MimePart
from email.parser import BytesHeaderParser, BytesParser
from email.utils import parsedate_to_datetime
from typing import Any

from pydantic import Field

from aftersail.core.contract import (
    Attachment,
    Authenticity,
    Instant,
    MailRefs,
    Message,
    MessageKind,
    Party,
    RawMail,
    Record,
)
from aftersail.sdk.mail.authenticity import authenticity_in
from aftersail.sdk.mail.decode import addresses, decode_text, header_text, message_ids, raw_text
from aftersail.sdk.mail.kind import Verdict, judge
from aftersail.sdk.mail.parts import Body, read_body

ATTACHMENT_CAP = 10_000_000
"""Bytes of one attachment that are kept; a larger one keeps its name, type and size."""

_OLDEST = timedelta(days=7)
"""A mail on the way for longer has a wrong Date: servers give up after 4 to 5 days (RFC 5321, section 4.5.4.1)."""

_REFERENCES_CAP = 100
_ID_CAP = 900
_SPACE = re.compile(r"\s+")


class ParsedMail(Record):
    """One mail, read.

    Attributes:
        raw: the mail it was read from, with the verdict on its author.
        external_id: its Message-ID; where it has none, one made from its bytes, the same at every fetch.
        headers: name and decoded value, in the order of the mail.
        author: name and address of From; the address may be a relay's.
        recipients: To and Cc.
        reply_to: where an answer goes: Reply-To, else From.
        text: plain text, made from the HTML where there is none; quotes are still in it.
        refs: threading headers; a bounce refers to the mail that came back.
        kind: message, auto_reply or bounce.
        sent_at: the Date header; the time of receipt where it is missing, in the future or more than seven days old.
        failed_recipients: addresses a bounce says are unreachable for good.
    """

    raw: RawMail = Field(repr=False)
    external_id: str
    headers: tuple[tuple[str, str], ...] = ()
    author: Party = Party()
    recipients: tuple[Party, ...] = ()
    reply_to: str | None = None
    subject: str = ""
    text: str = ""
    html: str | None = None
    refs: MailRefs = MailRefs()
    attachments: tuple[Attachment, ...] = ()
    kind: MessageKind = MessageKind.MESSAGE
    sent_at: Instant
    authenticity: Authenticity = Authenticity.UNKNOWN
    failed_recipients: tuple[str, ...] = ()

    def header(self, name: str) -> str | None:
        """Return the first header of that name, decoded; None where there is none."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def to_message(self, **changes: Any) -> Message:
        """Make the message of a channel.

        Args:
            changes: fields of `Message` that the caller knows better, such as `order_id`, `kind` or `direction`.
        """
        fields: dict[str, Any] = {
            "external_id": self.external_id,
            "kind": self.kind,
            "sent_at": self.sent_at,
            "author": self.author,
            "subject": self.subject,
            "text": self.text,
            "html": self.html,
            "reply_to": self.reply_to,
            "mail": self.refs,
            "authenticity": self.authenticity,
            "attachments": self.attachments,
            "raw_mail": self.raw,
        }
        return Message(**(fields | changes))


class _RawHeaders(policy.Compat32):
    """The forgiving parser, which hands out headers as they stand and leaves their decoding to us."""

    def header_fetch_parse(self, name: str, value: str) -> str:  # noqa: ARG002 - the parser's signature
        return value


def parse_mail(
    raw: RawMail,
    *,
    external_id: str | None = None,
    authserv_id: str | None = None,
    attachment_cap: int = ATTACHMENT_CAP,
) -> ParsedMail:
    """Read a mail. Never raises: of a mail that cannot be understood, what is readable is kept.

    Args:
        raw: the mail as it lies in the mailbox.
        external_id: the id to give it instead of its Message-ID.
        authserv_id: the receiving host whose `Authentication-Results` are trusted; None keeps the verdict of `raw`.
        attachment_cap: bytes of one attachment that are kept.
    """
    for parse in (_whole, _flat):
        try:
            return _read(parse(raw.content), raw, external_id, authserv_id, attachment_cap)
        except Exception:  # noqa: BLE001, S112 - a hostile mail finds ways that nobody has listed; read less of it
            continue
    return ParsedMail(
        raw=raw,
        external_id=external_id or _made_id(raw.content),
        text=decode_text(raw.content[:attachment_cap], None),
        sent_at=raw.received_at,
    )


def _whole(content: bytes) -> MimePart:
    return BytesParser(policy=_RawHeaders()).parsebytes(content)


def _flat(content: bytes) -> MimePart:
    """Parse the headers alone and take all the rest as plain text, for a MIME tree too deep or too broken to climb."""
    root = BytesHeaderParser(policy=_RawHeaders()).parsebytes(content)
    del root["content-type"], root["content-transfer-encoding"], root["content-disposition"]
    return root


def _read(
    root: MimePart, raw: RawMail, external_id: str | None, authserv_id: str | None, attachment_cap: int
) -> ParsedMail:
    author = _parties(root, "from")[:1] or _parties(root, "sender")[:1]
    first = author[0] if author else Party()
    verdict = judge(root, raw.content, first.email)
    body: Body = read_body(root, attachment_cap=attachment_cap)
    authenticity = authenticity_in(root, authserv_id) if authserv_id else raw.authenticity
    refs = _refs(root, verdict)
    answers_to = _parties(root, "reply-to")[:1]
    return ParsedMail(
        raw=raw.model_copy(update={"authenticity": authenticity}),
        external_id=external_id or refs.message_id or _made_id(raw.content),
        headers=tuple((header_text(name), header_text(str(value))) for name, value in root.items()),
        author=first,
        recipients=(*_parties(root, "to"), *_parties(root, "cc")),
        reply_to=answers_to[0].email if answers_to else first.email,
        subject=header_text(str(root.get("subject", ""))),
        text=body.text,
        html=body.html,
        refs=refs,
        attachments=body.attachments,
        kind=verdict.kind,
        sent_at=_sent_at(root, raw.received_at),
        authenticity=authenticity,
        failed_recipients=verdict.failed,
    )


def _made_id(content: bytes) -> str:
    return f"<{hashlib.sha256(content).hexdigest()[:40]}@no-message-id.invalid>"


def _parties(root: MimePart, name: str) -> tuple[Party, ...]:
    found = (pair for value in root.get_all(name, []) for pair in addresses(str(value)))
    return tuple(Party(name=title or None, email=address) for title, address in found)


def _ids(root: MimePart, name: str) -> tuple[str, ...]:
    return tuple(item for value in root.get_all(name, []) for item in message_ids(str(value)))


def _message_id(root: MimePart) -> str | None:
    ids = _ids(root, "message-id")
    if ids:
        return ids[0]
    bare = raw_text(str(root.get("message-id", ""))).strip("<> \t")
    return f"<{bare}>" if bare and len(bare) <= _ID_CAP and not _SPACE.search(bare) else None


def _refs(root: MimePart, verdict: Verdict) -> MailRefs:
    references = _ids(root, "references")
    if len(references) > _REFERENCES_CAP:
        references = (references[0], *references[1 - _REFERENCES_CAP :])
    answered = next(iter(_ids(root, "in-reply-to")), None) or verdict.bounced_id
    return MailRefs(message_id=_message_id(root), in_reply_to=answered, references=references)


def _sent_at(root: MimePart, received_at: datetime) -> datetime:
    """Read the Date header, which the author's machine wrote: its wrong clock must neither start nor breach ours."""
    try:
        sent = parsedate_to_datetime(raw_text(str(root.get("date", ""))))
        sent = sent.replace(tzinfo=UTC) if sent.tzinfo is None else sent.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError, AttributeError):
        return received_at
    return sent if received_at - _OLDEST <= sent <= received_at else received_at
