"""What buyers say of the service: asked once per ticket and kind, answered once."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import sqlalchemy as sa

from aftersail.core.desk.tickets import TicketError, get_ticket
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit
from aftersail.core.store.write import insert_once


class SurveyKind(StrEnum):
    """What is asked."""

    CSAT = "csat"
    """How satisfied are you with our service: 1 (not at all) to 5 (very)."""
    NPS = "nps"
    """Would you recommend us: 0 (never) to 10 (surely)."""


SCORES: Final = {SurveyKind.CSAT: range(1, 6), SurveyKind.NPS: range(11)}
"""Which answers there are."""


class SurveyError(TicketError):
    """An answer that cannot be taken; the text says why."""


def ask_survey(unit: Unit, ticket: int, kind: SurveyKind) -> bool:
    """Write down that a buyer is asked; False where the same was asked before.

    Raises:
        TicketError: there is no such ticket.
    """
    row = get_ticket(unit.conn, ticket)
    asked = {"ticket": ticket, "kind": kind, "asked_at": unit.now}
    new = insert_once(unit.conn, tables.survey, asked, key=["ticket", "kind"])
    if new:
        unit.record("survey_asked", row.channel, ticket, survey=kind)
    return new


def answer_survey(unit: Unit, ticket: int, kind: SurveyKind, score: int, comment: str = "") -> None:
    """Store a buyer's answer; the first one counts.

    Raises:
        SurveyError: nobody asked, the answer is off the scale, or the buyer has answered before.
        TicketError: there is no such ticket.
    """
    row = get_ticket(unit.conn, ticket)
    scale = SCORES[kind]
    if score not in scale:
        raise SurveyError(f"a {kind} score is {scale[0]} to {scale[-1]}, not {score}")
    table = tables.survey
    own = (table.c.ticket == ticket, table.c.kind == kind)
    first = sa.update(table).where(*own, table.c.answered_at.is_(None))
    if unit.conn.execute(first.values(answered_at=unit.now, score=score, comment=comment or None)).rowcount == 1:
        unit.record("survey_answered", row.channel, ticket, actor="buyer", survey=kind, score=score)
        return
    if unit.conn.scalar(sa.select(table.c.id).where(*own)) is None:
        raise SurveyError(f"the buyer of ticket {ticket} was not asked for {kind}; ask first")
    raise SurveyError(f"the buyer of ticket {ticket} has answered the {kind} survey already; the first answer counts")
