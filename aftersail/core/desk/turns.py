"""Whose turn it is, read from the whole conversation: it does not matter in which order its parts came in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from aftersail.core.contract import Direction, MessageKind
from aftersail.core.desk.tickets import SETTLED
from aftersail.core.remedies.plan import AUTOMATION
from aftersail.core.remedies.states import RemedyKind
from aftersail.core.store import tables
from aftersail.core.triage.courtesy import is_courtesy


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What asks for an answer: a buyer's message, or a case.

    Attributes:
        at: when it was sent or opened (UTC).
        stored_at: since when we can have read it.
        language: as the platform says; None where it does not.
        waits: False for a case that is closed, and for mere thanks after the ticket was.
    """

    at: datetime
    identity: str
    stored_at: datetime
    subject: str
    text: str
    reason_code: str | None
    language: str | None = None
    waits: bool = True


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the seller has said.

    Attributes:
        saw: when an answer of ours was decided on; nothing that was stored later can have been meant by it. None for
            an answer from the platform's own page, of which only its time is known.
    """

    at: datetime
    saw: datetime | None


@dataclass(frozen=True, kw_only=True)
class Turns:
    """A conversation as far as it is stored.

    Attributes:
        heard: what the buyer has said, the oldest first.
        answers: what the seller has said, the oldest first; a mere receipt and an automatic reply are no answers.
        closed_at: when a person last called the ticket resolved, closed or spam.
    """

    heard: tuple[Heard, ...]
    answers: tuple[Answer, ...]
    closed_at: datetime | None

    def answered_at(self, heard: Heard) -> datetime | None:
        """When something was answered; None while it was not."""
        return next(
            (
                answer.at
                for answer in self.answers
                if answer.at >= heard.at and (answer.saw is None or heard.stored_at <= answer.saw)
            ),
            None,
        )

    @property
    def since(self) -> datetime | None:
        """Since when the buyer waits; None where nobody does."""
        waiting = (
            heard.at
            for heard in self.heard
            if heard.waits
            and self.answered_at(heard) is None
            and (self.closed_at is None or heard.stored_at > self.closed_at)
        )
        return min(waiting, default=None)

    def dropped(self, started_at: datetime) -> bool:
        """Whether what started a clock at an instant needs no answer any more: a case that was closed."""
        said_then = [heard for heard in self.heard if heard.at == started_at]
        return bool(said_then) and not any(heard.waits for heard in said_then)

    def answer_to(self, started_at: datetime) -> datetime | None:
        """When a clock that started at an instant was answered; None while something said then still waits."""
        said_then = [self.answered_at(heard) for heard in self.heard if heard.at == started_at]
        if said_then:
            return None if None in said_then else max(at for at in said_then if at)
        return next((answer.at for answer in self.answers if answer.at >= started_at), None)


def message_identity(channel: str, external_id: str) -> str:
    """Name a message among what was heard."""
    return f"message:{channel}:{external_id}"


def case_identity(channel: str, external_id: str) -> str:
    """Name a case among what was heard; of the same instant, it comes before messages."""
    return f"case:{channel}:{external_id}"


def read_turns(conn: sa.Connection, ticket: int) -> Turns:
    """Read a ticket's conversation."""
    closed_at = _closed_at(conn, ticket)
    said = (*_messages(conn, ticket, closed_at), *_cases(conn, ticket))
    heard = sorted(said, key=lambda each: (each.at, each.identity))
    answers = sorted(_answers(conn, ticket), key=lambda each: each.at)
    return Turns(heard=tuple(heard), answers=tuple(answers), closed_at=closed_at)


def _spoken(ticket: int, direction: Direction) -> sa.Select[Any]:
    table = tables.message
    return sa.select(table).where(
        table.c.ticket == ticket, table.c.kind == MessageKind.MESSAGE, table.c.direction == direction
    )


def _messages(conn: sa.Connection, ticket: int, closed_at: datetime | None) -> list[Heard]:
    return [
        Heard(
            at=row.sent_at,
            identity=message_identity(row.channel, row.external_id),
            stored_at=row.stored_at,
            subject=row.subject,
            text=row.text,
            reason_code=row.reason_code,
            language=row.language,
            waits=closed_at is None or row.stored_at <= closed_at or not is_courtesy(row.text),
        )
        for row in conn.execute(_spoken(ticket, Direction.INBOUND))
    ]


def _cases(conn: sa.Connection, ticket: int) -> list[Heard]:
    return [
        Heard(
            at=row.opened_at,
            identity=case_identity(row.channel, row.external_id),
            stored_at=row.opened_at,
            subject="",
            text=row.reason_text,
            reason_code=row.reason_code,
            waits=bool(row.open),
        )
        for row in conn.execute(sa.select(tables.cases).where(tables.cases.c.ticket == ticket))
    ]


def _answers(conn: sa.Connection, ticket: int) -> list[Answer]:
    table = tables.remedy
    ours = {
        row.external_id or row.key: row
        for row in conn.execute(sa.select(table).where(table.c.ticket == ticket, table.c.kind == RemedyKind.REPLY))
    }
    found = []
    for row in conn.execute(_spoken(ticket, Direction.OUTBOUND)):
        remedy = ours.get(row.external_id)
        if remedy is None:
            found.append(Answer(at=row.sent_at, saw=None))
        elif remedy.stops_clocks:
            by_rule = remedy.approved_by == AUTOMATION
            found.append(Answer(at=row.sent_at, saw=remedy.planned_at if by_rule else remedy.approved_at))
    return found


def _closed_at(conn: sa.Connection, ticket: int) -> datetime | None:
    table = tables.event
    moves = sa.select(table.c.at, table.c.data).where(table.c.ticket == ticket, table.c.kind == "ticket_state")
    return max((row.at for row in conn.execute(moves) if row.data["after"] in SETTLED), default=None)
