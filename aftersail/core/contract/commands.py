"""What goes out: replies, refunds, decisions, labels, and the receipts that prove them."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from aftersail.core.contract.base import Instant, Record
from aftersail.core.contract.models import Attachment, MailRefs, Parcel
from aftersail.core.contract.money import Money


class Reply(Record):
    """An answer to a buyer.

    Attributes:
        key: our idempotency key, fixed when the answer was planned; a mail's Message-ID is made from it.
        to: where it goes, as the message said in `reply_to`.
        mail: threading headers with our own Message-ID, for channels that answer by mail.
        language: BCP 47 tag of the text.
    """

    key: str = Field(min_length=1)
    to: str | None = None
    thread_id: str | None = None
    order_id: str | None = None
    subject: str = ""
    text: str = Field(min_length=1)
    language: str | None = None
    mail: MailRefs | None = None
    attachments: tuple[Attachment, ...] = ()


class Receipt(Record):
    """Proof that the platform took something: its id of it and when (UTC)."""

    external_id: str
    at: Instant


class RefundLine(Record):
    """The part of a refund that belongs to one order line."""

    line_id: str
    quantity: int = Field(ge=0)
    amount: Money | None = None


class RefundRequest(Record):
    """Money that is to go back to the buyer.

    Attributes:
        key: our idempotency key, fixed when the row was written; the same key always carries the same body.
        amount: in the order's currency.
        planned_at: when the row was written; a look-up may ignore anything older.
        reason: our reason code, for the platform's reason list.
        note: text the platform shows or keeps.
    """

    key: str = Field(min_length=1)
    order_id: str
    amount: Money
    planned_at: Instant
    lines: tuple[RefundLine, ...] = ()
    case_id: str | None = None
    reason: str = ""
    note: str = ""


class RefundState(StrEnum):
    """How far the platform is with a refund."""

    SETTLED = "settled"
    PENDING = "pending"
    REFUSED = "refused"


class RefundReceipt(Record):
    """What the platform says of one refund; `amount` is what it really booked."""

    external_id: str
    state: RefundState
    amount: Money
    at: Instant
    detail: str = ""


class RefundQuote(Record):
    """What the platform would still pay back on an order.

    Attributes:
        remaining: the most that may go back now.
        refunds: what has gone back before, by anyone.
    """

    order_id: str
    remaining: Money
    refunds: tuple[RefundReceipt, ...] = ()


class CaseAction(StrEnum):
    """What a seller may answer to a case."""

    APPROVE = "approve"
    DECLINE = "decline"
    OFFER_PARTIAL_REFUND = "offer_partial_refund"
    PROVIDE_LABEL = "provide_label"
    PROVIDE_TRACKING = "provide_tracking"
    ESCALATE = "escalate"
    APPEAL = "appeal"


class CaseDecision(Record):
    """The seller's answer to a case. `reason` is the platform's code where the action needs one."""

    key: str = Field(min_length=1)
    case_id: str
    action: CaseAction
    reason: str | None = None
    amount: Money | None = None
    parcel: Parcel | None = None
    note: str = ""


class Evidence(Record):
    """A file that backs the seller's side of a case."""

    key: str = Field(min_length=1)
    case_id: str
    kind: str
    file: Attachment
    note: str = ""


class LabelRequest(Record):
    """A return label to buy for one order.

    Attributes:
        key: our idempotency key, fixed when the label was planned; the same key always carries the same body.
        reference: the number of the return, for the label's reference field; buyer and warehouse know it.
        line_ids: the order lines that come back, by their external id; empty for all of them.
    """

    key: str = Field(min_length=1)
    order_id: str
    case_id: str | None = None
    reference: str = ""
    line_ids: tuple[str, ...] = ()
    carrier: str | None = None
    service: str | None = None


class Label(Record):
    """A bought label: its parcel, the file or its address, and what it cost."""

    external_id: str
    parcel: Parcel
    cost: Money | None = None
    url: str | None = None
    file: Attachment | None = None


class WebhookRequest(Record):
    """An incoming call as it arrived: header names in lower case, the body untouched."""

    method: str = "POST"
    headers: dict[str, str] = Field(default_factory=dict)
    query: dict[str, str] = Field(default_factory=dict)
    body: bytes = b""
    received_at: Instant


class Stream(StrEnum):
    """What can be fetched page by page."""

    MESSAGES = "messages"
    CASES = "cases"
    ORDERS = "orders"


class WebhookHint(Record):
    """What a webhook tells us to look at: polling stays the truth.

    Attributes:
        event_id: the platform's delivery id, to drop repeats; None where it has none.
        response: body to answer a handshake with; None for an ordinary delivery.
    """

    streams: tuple[Stream, ...] = ()
    event_id: str | None = None
    response: str | None = None


class Subscription(Record):
    """A push subscription that the platform now holds for us."""

    external_id: str
    topics: tuple[str, ...]
    expires_at: Instant | None = None


class Account(Record):
    """Who the credentials belong to, as the platform answers.

    Attributes:
        external_id: the platform's id of the account.
        title: what a person would call it.
        warnings: what will not work and why, such as a missing scope.
    """

    external_id: str
    title: str
    warnings: tuple[str, ...] = ()
