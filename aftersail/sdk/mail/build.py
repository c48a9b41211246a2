"""An answer as a mail: its Message-ID is fixed before it leaves, and it threads with what it answers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from urllib.parse import quote

from aftersail.core.contract import Attachment, Invalid, MailRefs, Party, Reply
from aftersail.sdk.mail.decode import header_text, message_ids

_REFERENCES_BYTES = 1500
_KEY_CAP = 180
# 7-bit, so that no server on the way has to convert it; long header lines, since old ids must not be torn apart.
_POLICY = SMTP.clone(cte_type="7bit", max_line_length=990)


def message_id_for(key: str, domain: str) -> str:
    """Make the Message-ID of an answer from its key: the same key always gives the same id.

    What an id may not hold is percent-encoded; a key over 180 characters is hashed.
    """
    local = quote(key, safe="!#$&'*+=?^`{|}~")
    if local.startswith(".") or local.endswith(".") or ".." in local:
        local = local.replace(".", "%2E")
    if len(local) > _KEY_CAP:
        local = hashlib.sha256(key.encode()).hexdigest()
    return f"<{local}@{domain}>"


def trim_references(references: Sequence[str], limit: int = _REFERENCES_BYTES) -> tuple[str, ...]:
    """Keep the first reference, which names the thread, and as many of the last as fit into `limit` bytes."""
    unique = [item for item in dict.fromkeys(references) if item.isascii() and len(item) <= limit]
    if not unique:
        return ()
    first, rest = unique[0], unique[1:]
    room = limit - len(first)
    kept: list[str] = []
    for item in reversed(rest):
        room -= len(item) + 1
        if room < 0:
            break
        kept.append(item)
    return (first, *reversed(kept))


def build_mail(
    reply: Reply,
    *,
    sender: Party,
    at: datetime,
    domain: str | None = None,
    ticket: str | None = None,
    automatic: bool = False,
) -> EmailMessage:
    """Write an answer as a mail.

    Args:
        reply: what to say, to whom; its `mail` carries the threading headers. Its Message-ID is `mail.message_id`
            where the host has fixed one, else it is made from `key`.
        sender: who it is from; the address is needed.
        at: the Date header; aware.
        domain: right-hand side of a made Message-ID; the sender's domain by default.
        ticket: our own thread token for the header `X-Aftersail-Ticket`.
        automatic: a machine wrote it: marked `Auto-Submitted: auto-replied`, so that other machines stay silent.

    Raises:
        Invalid: no or a wrong recipient or sender, or an attachment without content.
    """
    own = sender.email or ""
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = _address(own, sender.name or "", "the sender")
    mail["To"] = _address(reply.to or "", "", "the recipient")
    mail["Subject"] = header_text(reply.subject)
    mail["Date"] = format_datetime(at)
    refs = reply.mail or MailRefs()
    mail["Message-ID"] = refs.message_id or message_id_for(reply.key, domain or own.rpartition("@")[2])
    answered = trim_references(message_ids(refs.in_reply_to or ""))
    if answered:
        mail["In-Reply-To"] = answered[0]
    references = trim_references([*(item for value in refs.references for item in message_ids(value)), *answered])
    if references:
        mail["References"] = " ".join(references)
    if ticket:
        mail["X-Aftersail-Ticket"] = header_text(ticket)
    if automatic:
        mail["Auto-Submitted"] = "auto-replied"
    mail.set_content(reply.text)
    if reply.language:
        mail["Content-Language"] = header_text(reply.language)
    for attachment in reply.attachments:
        _attach(mail, attachment)
    return mail


def _address(address: str, name: str, who: str) -> Address:
    try:
        parsed = Address(display_name=header_text(name), addr_spec=address.strip())
    except (ValueError, IndexError, MessageError) as error:
        raise Invalid(f"{who} {address!r} is no mail address; give one such as name@shop.example") from error
    if not parsed.username or not parsed.domain:
        raise Invalid(f"{who} {address!r} is no mail address; give one such as name@shop.example")
    return parsed


def _attach(mail: EmailMessage, attachment: Attachment) -> None:
    if attachment.content is None:
        raise Invalid(f"the attachment {attachment.filename!r} has no content; load it before it is sent")
    main, _, sub = attachment.content_type.partition("/")
    if not (main and sub and attachment.content_type.isascii()) or main in {"multipart", "message"}:
        main, sub = "application", "octet-stream"
    mail.add_attachment(
        attachment.content, maintype=main, subtype=sub.partition(";")[0].strip(), filename=attachment.filename
    )
