"""What pages show and the API answers: read models, with no rule in them."""

from __future__ import annotations

from typing import Any

from aftersail.core.contract import Instant, Money, Record


class TicketRow(Record):
    """A ticket as the inbox lists it.

    Attributes:
        language: of the buyer's text (BCP 47); `und` where nobody can tell.
        due_at: the earliest running clock.
        due_metric: what that clock waits for.
        due_source: who demands it.
        warned: whether a running clock has warned already.
    """

    number: int
    channel: str
    buyer: str | None
    subject: str
    state: str
    language: str
    reason: str
    tier: str | None
    escalation: bool
    owner: str | None
    filed_at: Instant
    updated_at: Instant
    due_at: Instant | None
    due_metric: str | None
    due_source: str | None
    warned: bool


class TicketList(Record):
    """One page of tickets, most urgent first; `total` counts all that match."""

    total: int
    limit: int
    offset: int
    tickets: tuple[TicketRow, ...]


class AttachmentView(Record):
    """A file that came with a message; its content is not served yet."""

    filename: str
    content_type: str
    size: int
    kept: bool


class MessageView(Record):
    """One message as plain text.

    Attributes:
        text: what the author wrote now.
        full_text: with the quoted text; None where nothing was quoted.
    """

    direction: str
    kind: str
    channel: str
    author: str | None
    subject: str
    text: str
    full_text: str | None
    sent_at: Instant
    authenticity: str
    link: str | None
    attachments: tuple[AttachmentView, ...]


class OrderLineView(Record):
    """One position of an order."""

    title: str
    sku: str | None
    quantity: int
    unit_price: Money


class ShipmentView(Record):
    """A parcel and its newest movement."""

    tracking_number: str
    carrier: str | None
    status: str
    moved_at: Instant | None
    link: str | None


class OrderView(Record):
    """The order a ticket is about.

    Attributes:
        refundable: what the platform says may still go back; None where it does not say.
    """

    number: str
    status: str
    placed_at: Instant
    delivered_at: Instant | None
    total: Money
    refunded: Money | None
    refundable: Money | None
    ship_country: str | None
    link: str | None
    lines: tuple[OrderLineView, ...]
    shipments: tuple[ShipmentView, ...]


class CaseView(Record):
    """A formal matter on the platform."""

    external_id: str
    kind: str
    open: bool
    status: str
    opened_at: Instant
    reason: str
    amount: Money | None
    respond_by: Instant | None
    available_actions: tuple[str, ...]
    link: str | None


class ClockView(Record):
    """One clock; `arithmetic` tells in one line how it came to its due instant (UTC)."""

    metric: str
    state: str
    source: str
    started_at: Instant
    due_at: Instant | None
    warned_at: Instant | None
    breached_at: Instant | None
    met_at: Instant | None
    arithmetic: str


class DecisionView(Record):
    """A decision; `trace` is its whole explanation for a person."""

    at: Instant
    pack: str
    pack_version: int
    summary: str
    trace: str


class RemedyView(Record):
    """A reply, refund or answer to a case on its way.

    Attributes:
        booked: what the platform says it paid.
        text: a reply's text.
        after: the key of the refund it waits for.
        next_at: when it is tried or looked up again.
    """

    key: str
    kind: str
    ticket: int
    channel: str
    state: str
    order_id: str | None
    amount: Money | None
    booked: Money | None
    text: str | None
    rule: str | None
    why: str
    detail: str | None
    after: str | None
    approved_by: str | None
    planned_at: Instant
    claimed_at: Instant | None
    settled_at: Instant | None
    next_at: Instant | None
    external_id: str | None


class ReturnView(Record):
    """A return.

    Attributes:
        lines: the order lines that come back, by their external id.
        approval: how far the approval on the platform is; None where it has none.
        label: how far the label is; None where none is bought through an API.
        proved_at: when it was proved that the goods are on their way back.
        back_at: when they were here.
    """

    number: str
    lines: tuple[str, ...]
    case_id: str | None
    opened_at: Instant
    opened_by: str
    approval: str | None
    label: str | None
    tracking_number: str | None
    label_link: str | None
    label_cost: str | None
    proved_at: Instant | None
    back_at: Instant | None


class AppealView(Record):
    """A second look at the ticket: an appeal, an objection or a mediation.

    Attributes:
        decides: the reviewer, or the third party; None while nobody may.
        due_at: by when it has to be answered.
        note: why it was decided so.
        extended_until: the end of the service period that an approval extended.
    """

    id: int
    kind: str
    state: str
    lodged_by: str
    why: str
    filed_at: Instant
    due_at: Instant | None
    breached_at: Instant | None
    decides: str | None
    mediated: bool
    taken_at: Instant | None
    decided_at: Instant | None
    decided_by: str | None
    note: str | None
    extended_until: Instant | None


class SolutionView(Record):
    """What usually helps with the ticket's reason; it decides nothing.

    Attributes:
        remedies: what may be offered, the one that is tried first in front.
    """

    title: str
    steps: tuple[str, ...]
    remedies: tuple[str, ...]
    templates: tuple[str, ...]


class RefundList(Record):
    """One page of the ledger of refunds, newest first; `total` counts all that match."""

    total: int
    limit: int
    offset: int
    refunds: tuple[RemedyView, ...]


class TaskView(Record):
    """What a person has to do; `link` is the platform's page where it can be done."""

    kind: str
    why: str
    link: str | None
    opened_at: Instant
    closed_at: Instant | None
    closed_by: str | None


class HistoryLine(Record):
    """One line of the audit log."""

    at: Instant
    kind: str
    actor: str
    data: dict[str, Any]


class TicketView(Record):
    """Everything about one ticket.

    Attributes:
        reason_because: what in the text or the platform's own code led to the reason.
        history: oldest first.
    """

    ticket: TicketRow
    reason_because: str
    buyer_email: str | None
    opened_at: Instant
    closed_at: Instant | None
    pack: str | None
    messages: tuple[MessageView, ...]
    order: OrderView | None
    cases: tuple[CaseView, ...]
    clocks: tuple[ClockView, ...]
    decisions: tuple[DecisionView, ...]
    remedies: tuple[RemedyView, ...]
    returns: tuple[ReturnView, ...]
    appeals: tuple[AppealView, ...]
    solutions: tuple[SolutionView, ...]
    tasks: tuple[TaskView, ...]
    history: tuple[HistoryLine, ...]
