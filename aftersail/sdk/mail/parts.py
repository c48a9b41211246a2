"""The MIME tree of a mail: its text, its HTML, its attachments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message as MimePart
from email.utils import collapse_rfc2231_value

from aftersail.core.contract import Attachment
from aftersail.core.contract.markup import html_to_text
from aftersail.sdk.mail.decode import decode_text, header_text

_PART_CAP = 1000
"""Parts of one mail that are looked at; no honest mail has more."""


@dataclass(frozen=True)
class Body:
    """What a mail says, and the files it brings."""

    text: str
    html: str | None
    attachments: tuple[Attachment, ...]


def leaves(root: MimePart) -> Iterator[MimePart]:
    """Yield the parts that hold content, in reading order; a forwarded mail is one part."""
    waiting, seen = [root], 0
    while waiting and seen < _PART_CAP:
        part = waiting.pop()
        seen += 1
        inner = part.get_payload()
        if part.get_content_maintype() != "message" and isinstance(inner, list):
            waiting.extend(reversed([child for child in inner if isinstance(child, MimePart)]))
        else:
            yield part


def content_of(part: MimePart) -> bytes:
    """Undo the transfer encoding of one part; what cannot be undone comes back as it stands."""
    payload = part.get_payload()
    if isinstance(payload, list):
        return b"".join(_source(inner) for inner in payload if isinstance(inner, MimePart))
    try:
        decoded = part.get_payload(decode=True)
    except Exception:  # noqa: BLE001 - the parser raises nearly anything on a broken transfer encoding
        decoded = None
    return decoded if isinstance(decoded, bytes) else str(payload or "").encode("utf-8", "surrogateescape")


def _source(inner: MimePart) -> bytes:
    try:
        return inner.as_bytes()
    except Exception:  # noqa: BLE001 - the generator raises nearly anything on a broken inner mail
        return "\n".join(f"{name}: {value}" for name, value in inner.items()).encode("utf-8", "surrogateescape")


def _filename(part: MimePart) -> str | None:
    for header, name in (("content-disposition", "filename"), ("content-type", "name")):
        try:
            value = part.get_param(name, None, header)
            if value is not None:
                text = header_text(collapse_rfc2231_value(value))
                return text.replace("\\", "/").rpartition("/")[2].strip() or None
        except (ValueError, LookupError, TypeError, AttributeError):  # broken RFC 2231 continuations
            continue
    return None


def _charset(part: MimePart) -> str | None:
    try:
        value = part.get_param("charset")
        return None if value is None else collapse_rfc2231_value(value)
    except (ValueError, LookupError, TypeError, AttributeError):  # broken RFC 2231 continuations
        return None


def _is_text(part: MimePart, filename: str | None) -> bool:
    attached = str(part.get("content-disposition", "")).strip().lower().startswith("attachment")
    return not attached and filename is None and part.get_content_type() in {"text/plain", "text/html"}


def _attachment(part: MimePart, filename: str | None, cap: int) -> Attachment:
    content = content_of(part)
    kind = header_text(part.get_content_type()) or "application/octet-stream"
    fallback = "forwarded.eml" if kind == "message/rfc822" else "attachment"
    return Attachment(
        filename=filename or fallback,
        content_type=kind,
        size=len(content),
        content=content if len(content) <= cap else None,
    )


def read_body(root: MimePart, *, attachment_cap: int) -> Body:
    """Read a mail's text (made from its HTML where it has no plain text), its HTML and its attachments."""
    texts: list[str] = []
    pages: list[str] = []
    attachments: list[Attachment] = []
    for part in leaves(root):
        filename = _filename(part)
        kind = part.get_content_type()
        if _is_text(part, filename) or part.get_content_maintype() == "multipart":
            text = decode_text(content_of(part), _charset(part))
            (pages if kind == "text/html" else texts).append(text)
        elif kind != "text/x-amp-html":
            attachments.append(_attachment(part, filename, attachment_cap))
    html = "\n".join(pages) or None
    text = "\n".join(texts).strip()
    return Body(text=text or (html_to_text(html) if html else ""), html=html, attachments=tuple(attachments))
