"""Amazon's relay mail: whose it is, what it says, how long there is to answer.

Amazon documents none of this. The facts come from independent implementations of 2026 that name real mails as their
source, checked 2026-11-22: addresses, the header `X-Space-Notification-Type` and its values, the localised markers
around a buyer's text, the number of days in an A-to-z notice (seen in Italian).
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from selectolax.lexbor import LexborHTMLParser

from aftersail.sdk import Direction, Message, MessageKind, Party, RawMail
from aftersail.sdk.mail import ParsedMail, html_to_text, parse_mail
from aftersail_amazon.marketplaces import LANGUAGES, TLDS

RESPONSE_TIME: Final = timedelta(hours=24)
"""Amazon's target for every buyer's message, weekends and holidays included (Seller Central help 202152030)."""

NO_RESPONSE_NEEDED: Final = "no_response_needed"
"""The action behind `Message.link` where a mail carries it: a person opens it; it is never fetched."""

A_TO_Z: Final = "A_Z_CLAIM_RESPONDENT_NOTIFY"
_BUYER_WROTE, _SELLER_WROTE = "BBC_MESSAGE_SENT_TO_MERCHANT", "BBC_MESSAGE_CONFIRMATION_TO_MERCHANT"

NOTIFICATIONS: Final = MappingProxyType(
    {
        _BUYER_WROTE: (Direction.INBOUND, MessageKind.MESSAGE),
        # A copy of what the seller answered in Seller Central: it stops our clock.
        _SELLER_WROTE: (Direction.OUTBOUND, MessageKind.MESSAGE),
        "RETURN_REQUEST": (Direction.INBOUND, MessageKind.NOTICE),
        "REFUND_ISSUED": (Direction.INBOUND, MessageKind.NOTICE),
        "BRC_SELLER_NOTIFICATION": (Direction.INBOUND, MessageKind.NOTICE),
        A_TO_Z: (Direction.INBOUND, MessageKind.NOTICE),
        # The buyer takes no unasked mail: what we sent did not arrive.
        "BUYER_OPTED_OUT_BSM_MESSAGES": (Direction.INBOUND, MessageKind.BOUNCE),
    }
)
"""What the values of `X-Space-Notification-Type` mean; any other value is a notice."""

_TLD = "|".join(re.escape(tld) for tld in TLDS)
_RELAY = re.compile(rf"([a-z0-9]{{8,32}})(?:\+([0-9a-f-]{{36}}))?@marketplace\.amazon\.(?:{_TLD})", re.IGNORECASE)
_AMAZON = re.compile(rf"(?:[a-z0-9-]+\.)*amazon\.(?:{_TLD})", re.IGNORECASE)
_ORDER = re.compile(r"(?<![\d-])\d{3}-\d{7}-\d{7}(?![\d-])")
_HEADING = re.compile(rf"^\s*#\s*({_ORDER.pattern})\s*:", re.MULTILINE)
_LINK = re.compile(r"https://[^\s\"'<>]+/messaging/no-response-needed\?[^\s\"'<>]+")

_BEGINNINGS = (
    *("Message", "Begin message", "Début du message"),
    *("Nachricht", "Anfang der Nachricht"),
    *("Messaggio", "Inizio messaggio"),
    *("Mensaje", "Iniciar mensaje"),
    *("Mensagem", "Iniciar mensagem"),
    "メッセージはここから",
)
_ENDINGS = (
    *("End message", "Fin du message"),
    "Ende der Nachricht",
    *("Fine messaggio", "Fine del messaggio"),
    *("Finalizar mensaje", "Fin del mensaje"),
    "Encerrar mensagem",
    "メッセージはここまで",
)
_OPENING, _CLOSING = (
    re.compile(
        rf"^[ \t]*-{{5,}}\s*(?:{'|'.join(map(re.escape, words))})\s*:?\s*-{{5,}}[ \t]*$", re.IGNORECASE | re.MULTILINE
    )
    for words in (_BEGINNINGS, _ENDINGS)
)
_PRODUCT = re.compile(r"^.*\[ASIN: ?[A-Z0-9]{10}\].*$", re.MULTILINE)

_DAYS = re.compile(
    r"(?:within|entro|innerhalb von|en un plazo de)\s+(\d{1,2})\s+"
    r"(?:calendar days|giorni di calendario|Kalendertagen|d[ií]as naturales)",
    re.IGNORECASE,
)
_MOST_DAYS = 30


@dataclass(frozen=True)
class Relay:
    """A buyer's relay address.

    Attributes:
        address: where an answer goes.
        buyer: the part that is the same for every mail of one buyer.
        case: Seller Central's id of the conversation, where the address carries it.
    """

    address: str
    buyer: str
    case: str | None


def relay_of(address: str | None) -> Relay | None:
    """Read a relay address; None for any other address."""
    match = _RELAY.fullmatch(address or "")
    if match is None:
        return None
    return Relay(address=match.group(0), buyer=match.group(1).lower(), case=(match.group(2) or "").lower() or None)


def read_relay_mail(raw: RawMail, *, marketplace_ids: tuple[str, ...] = ()) -> Message | None:
    """Read a mail that came through Amazon's relay, or is one of Amazon's notices about an order.

    The mail's authenticity is kept on the message and judged by the host: a forged mail goes to review, it is not
    dropped here.

    Args:
        raw: the mail.
        marketplace_ids: the channel's marketplaces; a mail that names another one is not this channel's.

    Returns:
        the message; None where the mail is not Amazon's or not this channel's.
    """
    mail = parse_mail(raw)
    relay = relay_of(mail.reply_to) or relay_of(mail.author.email)
    notification = (mail.header("X-Space-Notification-Type") or "").strip()
    if relay is None and not (notification and _is_amazons(mail.author.email)):
        return None
    marketplace = (mail.header("X-Marketplace-ID") or "").strip()
    if marketplace and marketplace_ids and marketplace not in marketplace_ids:
        return None
    direction, kind = _sort(mail, notification)
    asked = direction is Direction.INBOUND and kind is MessageKind.MESSAGE
    link = _no_response_link(mail) if asked else None
    return mail.to_message(
        direction=direction,
        kind=kind,
        author=_author(mail, relay, direction),
        text=_own_words(mail) if kind is MessageKind.MESSAGE else mail.text,
        thread_id=relay.case if relay else None,
        order_id=order_id_of(mail),
        reply_to=relay.address if relay else None,
        language=LANGUAGES.get(marketplace) if asked else None,
        reason_code=notification or None,
        respond_by=mail.sent_at + RESPONSE_TIME if asked else _claim_deadline(mail, notification),
        available_actions=(NO_RESPONSE_NEEDED,) if link else (),
        link=link,
    )


def order_id_of(mail: ParsedMail) -> str | None:
    """Find the order a mail is about; None for a question before the purchase.

    Amazon names it in the subject or in a heading above the message. In the buyer's own words it counts only where
    there is a single one: a buyer may compare two orders.
    """
    in_subject = _ORDER.search(mail.subject)
    if in_subject:
        return in_subject.group(0)
    opening = _OPENING.search(mail.text)
    above = mail.text[: opening.start()] if opening else mail.text
    heading = _HEADING.search(above)
    if heading:
        return heading.group(1)
    named = set(_ORDER.findall(above)) or set(_ORDER.findall(mail.text)) or set(_ORDER.findall(_html_text(mail)))
    return named.pop() if len(named) == 1 else None


def _is_amazons(address: str | None) -> bool:
    return _AMAZON.fullmatch((address or "").rpartition("@")[2]) is not None


def _sort(mail: ParsedMail, notification: str) -> tuple[Direction, MessageKind]:
    if notification:
        return NOTIFICATIONS.get(notification, (Direction.INBOUND, MessageKind.NOTICE))
    # Without Amazon's word for it, a buyer's absence note is known by its own headers.
    return Direction.INBOUND, mail.kind


def _author(mail: ParsedMail, relay: Relay | None, direction: Direction) -> Party:
    if direction is Direction.OUTBOUND:
        return Party()
    if relay is None:
        return mail.author
    return Party(external_id=relay.buyer, name=mail.author.name, email=relay.address)


def _own_words(mail: ParsedMail) -> str:
    """Cut the buyer's words out of Amazon's frame; the whole text where no frame is recognised."""
    return _between_markers(mail.text) or _only_pre(mail.html) or _between_markers(_html_text(mail)) or mail.text


def _between_markers(text: str) -> str:
    # The last closing marker counts: a buyer who types one must not cut off what follows.
    closings = list(_CLOSING.finditer(text))
    if not closings:
        return ""
    framed = text[: closings[-1].start()]
    opening = _OPENING.search(framed)
    if opening is None:
        # Some mails have no opening marker: the words begin below the line that names the article.
        products = list(_PRODUCT.finditer(framed))
        return framed[products[-1].end() :].strip() if products else ""
    return framed[opening.end() :].strip()


def _only_pre(markup: str | None) -> str:
    if not markup:
        return ""
    found = LexborHTMLParser(markup).css("pre")
    return html_to_text(found[0].html or "").strip() if len(found) == 1 else ""


def _html_text(mail: ParsedMail) -> str:
    return html_to_text(mail.html) if mail.html else ""


def _no_response_link(mail: ParsedMail) -> str | None:
    for address in _links(mail):
        if _is_amazons(f"@{urlsplit(address).hostname or ''}"):
            return address
    return None


def _links(mail: ParsedMail) -> Iterator[str]:
    yield from (match.group(0) for match in _LINK.finditer(html.unescape(mail.html or "")))
    yield from (match.group(0) for match in _LINK.finditer(mail.text))


def _claim_deadline(mail: ParsedMail, notification: str) -> datetime | None:
    """Read the days an A-to-z notice gives; None unless it names exactly one number of days."""
    if notification != A_TO_Z:
        return None
    days = {int(found) for found in _DAYS.findall(" ".join((mail.text or _html_text(mail)).split()))}
    if len(days) != 1 or not 1 <= (only := days.pop()) <= _MOST_DAYS:
        return None
    return mail.sent_at + timedelta(days=only)
