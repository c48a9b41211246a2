"""What comes in: messages, orders, cases and parcels, in the words of the field and of no single platform."""

from __future__ import annotations

from enum import StrEnum
from typing import Generic, TypeVar

from pydantic import Field

from aftersail.core.contract.base import Instant, Record
from aftersail.core.contract.money import Money


class Direction(StrEnum):
    """Who wrote a message."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    """The seller, possibly on the platform's own page: such a message stops our clocks too."""


class MessageKind(StrEnum):
    """What a message is; only `message` starts or stops a clock."""

    MESSAGE = "message"
    AUTO_REPLY = "auto_reply"
    BOUNCE = "bounce"
    NOTICE = "notice"
    """Written by the platform, such as "a return was requested"."""


class Authenticity(StrEnum):
    """Whether a mail is from whom it claims, as the receiving host has found (SPF, DKIM, DMARC)."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    UNKNOWN = "unknown"


class Party(Record):
    """A person on the other side, as far as the platform shows them.

    Attributes:
        external_id: the platform's stable id of the person, or the part of a relay address that is stable.
        email: may be a relay address.
    """

    external_id: str | None = None
    name: str | None = None
    email: str | None = None


class Attachment(Record):
    """A file that came with a message. `content` is None where the file was too large to keep."""

    filename: str
    content_type: str
    size: int
    content: bytes | None = None
    url: str | None = None


class MailRefs(Record):
    """The headers that thread a mail: its own Message-ID and those it answers, in angle brackets, oldest first."""

    message_id: str | None = None
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()


class RawMail(Record):
    """One mail as it lies in the mailbox.

    Attributes:
        content: RFC 5322 bytes.
        received_at: when the mailbox got it (IMAP INTERNALDATE), UTC.
        mailbox: id of the e-mail channel that fetched it.
        authenticity: the receiving host's verdict.
    """

    content: bytes
    received_at: Instant
    mailbox: str
    authenticity: Authenticity = Authenticity.UNKNOWN


class Message(Record):
    """One message of a conversation.

    Attributes:
        external_id: the platform's id, stable over fetches (mail: Message-ID).
        revision: grows when the platform changed the message; a lower one than stored is ignored.
        thread_id: the platform's conversation id, where it has one.
        order_id: the platform's order id or order name, where the platform or the text names it.
        sent_at: when the author sent it, not when we read it: policy and clocks count from here.
        reply_to: where an answer goes (conversation id, relay address).
        language: BCP 47 tag the platform gives, a prior for our own detection.
        reason_code: the platform's own reason, kept as it is; triage maps it.
        respond_by: the platform's own deadline, which wins over our tables where it is earlier.
        link: the platform's page for a person.
        raw_mail: the mail it was made from, offered to `claim_email` of other channels and not stored.
    """

    external_id: str = Field(min_length=1)
    revision: int = 0
    direction: Direction = Direction.INBOUND
    kind: MessageKind = MessageKind.MESSAGE
    sent_at: Instant
    author: Party = Party()
    subject: str = ""
    text: str = ""
    html: str | None = None
    thread_id: str | None = None
    order_id: str | None = None
    reply_to: str | None = None
    language: str | None = None
    reason_code: str | None = None
    respond_by: Instant | None = None
    available_actions: tuple[str, ...] = ()
    link: str | None = None
    mail: MailRefs | None = None
    authenticity: Authenticity = Authenticity.UNKNOWN
    attachments: tuple[Attachment, ...] = ()
    raw_mail: RawMail | None = Field(default=None, exclude=True, repr=False)


class Parcel(Record):
    """A parcel to look up: its tracking number and, where known, the carrier (the carrier's own code)."""

    tracking_number: str = Field(min_length=1)
    carrier: str | None = None


class TrackingStatus(StrEnum):
    """The common list every carrier's status is mapped to."""

    UNKNOWN = "unknown"
    REGISTERED = "registered"
    IN_TRANSIT = "in_transit"
    CUSTOMS = "customs"
    OUT_FOR_DELIVERY = "out_for_delivery"
    AVAILABLE_FOR_PICKUP = "available_for_pickup"
    DELIVERED = "delivered"
    FAILED_ATTEMPT = "failed_attempt"
    EXCEPTION = "exception"
    RETURNED = "returned"


class TrackingEvent(Record):
    """One movement of a parcel, at the carrier's own instant (UTC)."""

    at: Instant
    status: TrackingStatus
    description: str = ""
    location: str | None = None


class Tracking(Record):
    """What a carrier knows of one parcel, newest event last."""

    parcel: Parcel
    status: TrackingStatus
    events: tuple[TrackingEvent, ...] = ()
    estimated_delivery: Instant | None = None
    link: str | None = None


class OrderLine(Record):
    """One position of an order; `unit_price` is what the buyer paid for one piece after discounts.

    Attributes:
        digital: whether nothing is shipped for it (a download, a code, a service); None where the platform does not
            say..
        tracking_numbers: the parcels of the order that hold it, once all of its pieces are sent; empty until then, and
            where the platform does not say.
    """

    external_id: str
    title: str
    quantity: int = Field(ge=0)
    unit_price: Money
    sku: str | None = None
    digital: bool | None = None
    tracking_numbers: tuple[str, ...] = ()


class Order(Record):
    """An order as the platform shows it now.

    Attributes:
        number: the name a buyer would write, such as `#1001`.
        total: what the buyer paid.
        refunded: what has gone back already, by anyone.
        refundable: what the platform says may still go back; None where it does not say.
        shipping_paid: what the buyer paid for delivery, before refunds, after discounts, with whatever tax is part of
            `total`; None where the platform does not say so much.
        ship_country: ISO 3166-1 alpha-2.
        ship_region: ISO 3166-2, such as `US-CA`; None where the platform writes it otherwise.
        locale: BCP 47 tag of the buyer's language, where the platform gives it.
    """

    external_id: str = Field(min_length=1)
    revision: int = 0
    number: str
    placed_at: Instant
    buyer: Party = Party()
    total: Money
    refunded: Money | None = None
    refundable: Money | None = None
    lines: tuple[OrderLine, ...] = ()
    parcels: tuple[Parcel, ...] = ()
    status: str = ""
    delivered_at: Instant | None = None
    shipping_paid: Money | None = None
    ship_country: str | None = Field(default=None, pattern=r"^[A-Z]{2}$")
    ship_region: str | None = Field(default=None, pattern=r"^[A-Z]{2}-[A-Z0-9]{1,3}$")
    locale: str | None = None
    link: str | None = None


class CaseKind(StrEnum):
    """What kind of formal matter a platform has opened."""

    RETURN_REQUEST = "return_request"
    ITEM_NOT_RECEIVED = "item_not_received"
    CLAIM = "claim"
    DISPUTE = "dispute"
    CHARGEBACK = "chargeback"


class Case(Record):
    """A formal matter on the platform: its clock and its allowed actions come from the platform itself.

    Attributes:
        open: whether the seller can still act.
        amount: what is claimed; None where the platform does not say.
        line_ids: the order lines it is about, by their external id.
        respond_by: the platform's deadline.
        available_actions: what `decide_case` would be allowed to do right now.
    """

    external_id: str = Field(min_length=1)
    revision: int = 0
    kind: CaseKind
    order_id: str | None = None
    line_ids: tuple[str, ...] = ()
    open: bool = True
    status: str = ""
    opened_at: Instant
    buyer: Party = Party()
    reason_code: str | None = None
    reason_text: str = ""
    amount: Money | None = None
    respond_by: Instant | None = None
    available_actions: tuple[str, ...] = ()
    link: str | None = None


ItemT = TypeVar("ItemT", bound=Record)


class Page(Record, Generic[ItemT]):
    """One page of a stream.

    Attributes:
        items: may overlap with earlier pages and come in any order; the host drops what it has.
        cursor: opaque to the host, saved in the transaction that stores the items; None keeps the one before.
        more: whether another page can be fetched at once.
        skipped: what could not be read and why, one sentence each, so that one bad item never blocks a stream.
    """

    items: tuple[ItemT, ...] = ()
    cursor: str | None = None
    more: bool = False
    skipped: tuple[str, ...] = ()
