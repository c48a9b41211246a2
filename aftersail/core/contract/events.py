"""What happened, told to notification hooks after the transaction that made it true."""

from __future__ import annotations

from aftersail.core.contract.base import Instant, Record
from aftersail.core.contract.money import Money


class Event(Record):
    """Base of every event.

    Attributes:
        at: when it happened (UTC).
        channel: the channel's id.
        ticket: the ticket's number, where there is one.
    """

    at: Instant
    channel: str
    ticket: int | None = None


class MessageStored(Event):
    """A message is in the store for the first time, or in a newer revision."""

    message_external_id: str
    revision: int


class TicketOpened(Event):
    """A new ticket exists, triaged and decided."""

    reason: str
    tier: str


class ClockWarned(Event):
    """A clock comes near its due instant; told once per clock. `recipients` are who is to be told, never nobody."""

    metric: str
    due_at: Instant
    recipients: tuple[str, ...] = ()


class ClockBreached(Event):
    """A clock ran out. `due_at` is the breach; `detected_at` only when it was noticed; `recipients` as of a warning."""

    metric: str
    due_at: Instant
    detected_at: Instant
    recipients: tuple[str, ...] = ()


class ExtensionReported(Event):
    """Somebody asks for more time for a promise; told once for each time it is asked for.

    Attributes:
        reason: why, as the history keeps it.
        report: what the marketplace or the manager is told.
        recipients: who is to be told, never nobody.
    """

    metric: str
    reason: str
    report: str
    recipients: tuple[str, ...]


class ReplySent(Event):
    """The platform took an answer."""

    key: str
    external_id: str


class RefundSettled(Event):
    """The platform has booked a refund."""

    key: str
    order_id: str
    amount: Money
    external_id: str


class RefundParked(Event):
    """A refund waits for a person: for approval, or because nobody knows whether it was paid."""

    key: str
    order_id: str
    amount: Money
    why: str


class ShipmentMoved(Event):
    """A parcel has a new status."""

    tracking_number: str
    status: str


class ChannelNeedsAttention(Event):
    """A channel cannot go on without a person; `mend` is the exact command."""

    why: str
    mend: str


class AlarmRaised(Event):
    """A figure of the desk is abnormal; told once per episode. `channel` is empty: it is about the whole desk.

    Attributes:
        metric: which figure, such as `inquiries`.
        subject: what it is about, such as a reason; `all` for everything.
        recipients: who is to be told, agents and manager.
    """

    metric: str
    subject: str
    why: str
    recipients: tuple[str, ...]
