"""Considering a ticket once its news is stored: what it is about, who is to speak, what is decided."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core.clocks import Source, SourceKind
from aftersail.core.contract import Message, TicketOpened
from aftersail.core.desk.clockwork import refile_clocks, settle_turns, start_deadline
from aftersail.core.desk.judge import judge
from aftersail.core.desk.moves import move_ticket
from aftersail.core.desk.services import Services, clock_pack
from aftersail.core.desk.tickets import SETTLED, TicketState, get_ticket, update_ticket
from aftersail.core.desk.turns import Heard, Turns, read_turns
from aftersail.core.desk.views import targets_in_force
from aftersail.core.intake.text import own_words
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit
from aftersail.core.triage.language import UNKNOWN

_PATIENT: Final = frozenset({TicketState.NEED_INFO, TicketState.WAITING_CARRIER})


@dataclass(kw_only=True)
class News:
    """What one page brought to one ticket.

    Attributes:
        opened: the page opened it.
        heard: new messages of the buyer, by their identity among `Turns.heard`.
        revised: messages of the buyer that were changed, likewise.
        cases: identities of new cases.
        notices: new messages that a platform wrote: judged where nobody else has said anything.
        moved: the seller has spoken, or a case has changed: clocks may stop.
    """

    opened: bool = False
    heard: dict[str, Message] = field(default_factory=dict)
    revised: dict[str, Message] = field(default_factory=dict)
    cases: set[str] = field(default_factory=set)
    notices: list[Message] = field(default_factory=list)
    moved: bool = False


def consider(unit: Unit, services: Services, ticket: int, news: News) -> None:
    """Triage and judge a ticket with its news, keep its clocks, and say whose turn it is; nothing wakes spam."""
    if get_ticket(unit.conn, ticket).state == TicketState.SPAM:
        return
    turns = read_turns(unit.conn, ticket)
    speaks = bool(news.heard or news.revised or news.cases)
    if not turns.heard:
        _unspoken(unit, services, ticket, news)
    elif speaks:
        _spoken(unit, services, ticket, news, turns)
    if speaks or news.moved:
        _settle(unit, services, ticket, turns, news)
    if speaks and turns.heard:
        _tell(unit, ticket)


def _spoken(unit: Unit, services: Services, ticket: int, news: News, turns: Turns) -> None:
    """Judge anew. A message that was sent before all others, but read after them, opens the ticket from its time."""
    row = get_ticket(unit.conn, ticket)
    begins = turns.heard[0]
    fresh = [each for each in turns.heard if each.identity in news.heard or each.identity in news.cases]
    first = len(fresh) == len(turns.heard) or begins.at != row.filed_at
    if first:
        refile_clocks(unit, ticket)
    spoken = news.heard | news.revised
    subject = spoken[begins.identity].subject if begins.identity in spoken else ""
    pinned = {} if begins.at == row.filed_at else {"pack_id": None, "pack_version": None}
    update_ticket(unit, ticket, filed_at=begins.at, subject=subject or row.subject, **pinned)
    in_turn = not news.revised and fresh == list(turns.heard[len(turns.heard) - len(fresh) :])
    said = fresh if in_turn else turns.heard
    _understand(unit, services, row, said, blank=not in_turn or len(fresh) == len(turns.heard))
    waits = turns.since is not None or any(each.waits for each in fresh if each.identity in news.cases)
    clocks_run = waits or row.state not in SETTLED
    judge(unit, services, ticket, first=first and clocks_run, act=waits)
    source = Source(kind=SourceKind.MARKETPLACE, name=services.channels[row.channel].kind)
    for message in spoken.values():
        if message.respond_by and turns.answer_to(message.sent_at) is None:
            start_deadline(unit, ticket, message.sent_at, message.respond_by, source)


def _unspoken(unit: Unit, services: Services, ticket: int, news: News) -> None:
    """Only machines or the seller have written so far: a platform's notice is judged, but it starts no clock."""
    row = get_ticket(unit.conn, ticket)
    if not news.opened:
        return
    for notice in news.notices[:1]:
        said = Heard(
            at=notice.sent_at,
            identity=notice.external_id,
            stored_at=unit.now,
            subject=notice.subject,
            text=own_words(notice.text, notice.html),
            reason_code=notice.reason_code,
            language=notice.language,
        )
        _understand(unit, services, row, [said], blank=True)
        judge(unit, services, ticket, first=False)
        _tell(unit, ticket)
        return
    unit.record("ticket_opened", row.channel, ticket, subject=row.subject, reason=row.reason)


def _understand(unit: Unit, services: Services, row: Any, said: Iterable[Heard], *, blank: bool) -> None:
    """The first who says why gives the reason, the first whose language is known gives the language.

    The first message says how bad it is, and what is ever grave stays so.

    Args:
        unit: the transaction.
        services: triage, channels.
        row: the ticket.
        said: what is read, the oldest first.
        blank: begin anew; else on top of what was understood before.
    """
    order = sa.select(tables.orders.c.locale).where(tables.orders.c.id == row.orders_id)
    prior = unit.conn.scalar(order) or (row.language if row.language != UNKNOWN else None)
    language, reason, because = (UNKNOWN, "other", "") if blank else (row.language, row.reason, row.reason_because)
    escalation, severity = bool(row.escalation), None if blank else row.severity
    for each in said:
        found = services.triage.assess(
            subject=each.subject,
            text=each.text,
            language_hint=each.language or prior,
            reason_code=each.reason_code,
            connector=services.channels[row.channel].kind,
        )
        language = found.language if language == UNKNOWN else language
        if reason == "other":
            reason, because = found.reason, found.because
        escalation = escalation or found.escalation
        if severity is None or found.severity == "high":
            severity = found.severity
    said_for_good = {name: value for name, value in (row.graded or {}).items() if name in {"language", "reason"}}
    if "reason" in said_for_good:
        because = row.reason_because
    understood = {"language": language, "reason": reason, "reason_because": because, "escalation": escalation}
    understood["severity"] = severity or "medium"
    update_ticket(unit, row.id, **(understood | said_for_good))


def _settle(unit: Unit, services: Services, ticket: int, turns: Turns, news: News) -> None:
    row = get_ticket(unit.conn, ticket)
    targets, pack = targets_in_force(unit.conn, ticket), clock_pack(services, row, unit.now)
    settle_turns(unit, ticket, turns, targets, pack)
    told = [each.at for each in turns.heard if each.identity in {*news.heard, *news.revised, *news.cases}]
    asked = row.state in _PATIENT and not told  # only the buyer can say what is asked for
    if turns.since is not None and not asked:
        at = min(told, default=turns.since)
        move_ticket(unit, ticket, TicketState.OPEN, "buyer", at=at, targets=targets, pack=pack)
    elif row.state == TicketState.OPEN:
        at = max((answer.at for answer in turns.answers), default=unit.now)
        move_ticket(unit, ticket, TicketState.WAITING, "seller", at=at, targets=targets, pack=pack)


def _tell(unit: Unit, ticket: int) -> None:
    """Write and tell, once, that a ticket was opened."""
    table = tables.event
    told = sa.select(table.c.data).where(table.c.ticket == ticket, table.c.kind == "ticket_opened")
    if any("tier" in data for data in unit.conn.scalars(told)):
        return
    row = get_ticket(unit.conn, ticket)
    data = {
        "subject": row.subject,
        "language": row.language,
        "reason": row.reason,
        "because": row.reason_because,
        "tier": row.tier,
    }
    due = row.due_at.isoformat() if row.due_at else None
    unit.record(
        "ticket_opened", row.channel, ticket, **data, due_at=due, due_source=row.due_source, due_metric=row.due_metric
    )
    opened = TicketOpened(at=unit.now, channel=row.channel, ticket=ticket, reason=row.reason, tier=row.tier or "")
    unit.tell("aftersail_ticket_opened", opened)
