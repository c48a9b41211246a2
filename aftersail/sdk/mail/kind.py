"""Who or what wrote a mail: a person, a machine, or a mail server that could not deliver."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import Message as MimePart
from email.parser import BytesHeaderParser
from email.utils import collapse_rfc2231_value
from typing import Any

from aftersail.core.contract import MessageKind
from aftersail.sdk.mail.decode import decode_text, header_text, message_ids
from aftersail.sdk.mail.parts import content_of, leaves

_DAEMONS = frozenset({"mailer-daemon", "mailerdaemon", "mail-daemon"})
_PRECEDENCES = frozenset({"bulk", "junk", "list", "auto_reply", "auto-reply"})
_ROBOT_HEADERS = ("x-autoreply", "x-autorespond", "x-auto-reply-from", "list-unsubscribe", "list-id")
# Subjects that mail programs put before an absence note, by language; the headers of RFC 3834 are often missing.
_ABSENCE = re.compile(
    r"(auto(matic|mated|matische|matisch)?[ -]?(reply|response|antwort|antwoord)|automatisk svar|autosvar"
    r"|out of (the )?office( auto-?reply)?|abwesenheits(notiz|nachricht)|abwesend|r[ée]ponse automatique"
    r"|absence du bureau|respuesta autom[áa]tica|fuera de la oficina|risposta automatica|fuori sede"
    r"|resposta autom[áa]tica|automatyczna odpowied[źz]|afwezig|frånvaro|自动回复|自動回覆|自动答复|自動返信"
    r"|자동 ?회신|автоответ)\s*([:：(\[\-–—]|re\b|$)",  # noqa: RUF001 - these signs are what people's programs write
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Verdict:
    """What kind of mail it is.

    Attributes:
        failed: recipients that a bounce says are unreachable for good.
        bounced_id: Message-ID of the mail that came back, so that the bounce finds its ticket.
    """

    kind: MessageKind
    failed: tuple[str, ...] = ()
    bounced_id: str | None = None


def _value(root: MimePart, name: str) -> str:
    return header_text(str(root.get(name, ""))).lower()


def is_automatic(root: MimePart) -> bool:
    """Tell whether a machine wrote it (RFC 3834, section 5, and what providers use besides).

    `Auto-Submitted: no` is the author's own word that a person wrote it, and outweighs the rest.
    """
    submitted = _value(root, "auto-submitted").partition(";")[0].partition("(")[0].strip()
    if submitted:
        return submitted != "no"
    return (
        _value(root, "x-auto-response-suppress") not in {"", "none"}
        or _value(root, "precedence") in _PRECEDENCES
        or any(name in root for name in _ROBOT_HEADERS)
        or _value(root, "return-path") == "<>"
        or _ABSENCE.match(_value(root, "subject")) is not None
    )


def _report_type(root: MimePart) -> str:
    if root.get_content_type() != "multipart/report":
        return ""
    try:
        return collapse_rfc2231_value(root.get_param("report-type") or "").lower()
    except (ValueError, LookupError, TypeError, AttributeError):  # broken RFC 2231 continuations
        return ""


def _failures(content: bytes, author: str | None) -> tuple[bool, tuple[str, ...]]:
    """Ask the bounce detectors: is it a mere delay, and which recipients failed for good."""
    from flufl.bounce import all_failures  # noqa: PLC0415 - loads eighteen detectors; few mails are bounces

    report = message_from_bytes(content, policy=policy.compat32)
    if author is None:  # a detector trips over a report without an author, and fills the log with it
        del report["from"]
        report["From"] = "mailer-daemon@unknown.invalid"
    try:
        temporary, permanent = all_failures(report)
    except Exception:  # noqa: BLE001 - a detector that trips over a broken report has found nothing
        return False, ()
    failed = sorted(decode_text(address, None) for address in permanent)
    return bool(temporary) and not permanent, tuple(failed)


def _original_id(root: MimePart) -> str | None:
    for part in leaves(root):
        kind = part.get_content_type()
        inner = part.get_payload()
        original: Any = None
        if kind == "message/rfc822" and isinstance(inner, list) and inner:
            original = inner[0]
        elif kind == "text/rfc822-headers":
            original = BytesHeaderParser(policy=policy.compat32).parsebytes(content_of(part))
        ids = message_ids(str(original.get("message-id", ""))) if original is not None else ()
        if ids:
            return ids[0]
    return None


def judge(root: MimePart, content: bytes, author: str | None) -> Verdict:
    """Tell what kind of mail it is.

    A delivery report of a delay or of a success, and a read receipt, count as automatic: nothing has come back.
    """
    report = _report_type(root)
    local = (author or "").rpartition("@")[0].lower()
    suspect = report == "delivery-status" or local in _DAEMONS or "x-failed-recipients" in root
    if not suspect and local == "postmaster":
        suspect = is_automatic(root)
    if suspect:
        delayed, failed = _failures(content, author)
        if failed or (not delayed and report != "delivery-status"):
            return Verdict(MessageKind.BOUNCE, failed, _original_id(root))
        return Verdict(MessageKind.AUTO_REPLY, (), _original_id(root))
    if report or is_automatic(root):
        return Verdict(MessageKind.AUTO_REPLY)
    return Verdict(MessageKind.MESSAGE)
