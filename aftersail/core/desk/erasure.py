"""Making the desk forget a buyer, and keep what it owes the books: money, clocks and who decided what.

Texts, subjects, names, addresses, mail headers, files and links go, wherever they stand: in the ticket, its messages,
cases, decisions, remedies, tasks, appeals and history. Orders' totals, remedies with their amounts and states, clocks,
grades and the chain of the audit log stay. Of a message stays a tombstone, so that a platform which serves it again
brings nothing back.

It works in transactions of a few milliseconds, and marks ticket and order last: broken off, it begins again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core.desk.agent import put_ticket
from aftersail.core.desk.appeals import PENDING
from aftersail.core.desk.buyers import Buyer
from aftersail.core.desk.services import Services
from aftersail.core.desk.tickets import OVER, TicketState, get_ticket
from aftersail.core.jobs.tables import job
from aftersail.core.remedies.people import reject
from aftersail.core.remedies.plan import job_id_of
from aftersail.core.remedies.states import FINAL, RemedyKind, RemedyState
from aftersail.core.store import tables
from aftersail.core.store.audit import ERASED, MARK, blank
from aftersail.core.store.compact import overwrite_freed
from aftersail.core.store.engine import reading
from aftersail.core.store.tombstone import LAST_REVISION, tombstone
from aftersail.core.store.unit import Unit, unit_of_work

FORGETTABLE: Final = frozenset({*OVER, TicketState.RESOLVED})
"""States of a ticket in which nobody waits for anything."""

_MESSAGES: Final = 50
_DECISIONS: Final = 20
_EVENTS: Final = 200
_FILE_BYTES: Final = 2_000_000
"""What may be overwritten in one transaction; a larger file has one of its own."""

_OURS: Final = frozenset(
    {
        "action",
        "amount",
        "carrier",
        "case_id",
        "currency",
        "key",
        "language",
        "line_id",
        "line_ids",
        "lines",
        "order_id",
        "planned_at",
        "quantity",
        "reason",
        "reference",
        "service",
    }
)
"""Keys of a remedy's body that are codes, amounts and ids of the ledger; all else in it goes."""


class ErasureError(Exception):
    """A buyer cannot be forgotten yet; the text says what is open."""


@dataclass(kw_only=True)
class Erased:
    """What an erasure has done.

    Attributes:
        kept: remedies that have not ended, whose text is kept until they have; only where that was forced.
    """

    tickets: int = 0
    orders: int = 0
    messages: int = 0
    attachments: int = 0
    kept: list[str] = field(default_factory=list)


def blockers(conn: sa.Connection, tickets: Collection[int]) -> list[str]:
    """Say what is still open on tickets, so that they cannot be forgotten yet."""
    ticket, remedy, cases, appeal = tables.ticket, tables.remedy, tables.cases, tables.appeal
    live = sa.select(ticket.c.id, ticket.c.state).where(
        ticket.c.id.in_(tickets), ticket.c.state.not_in(sorted(FORGETTABLE))
    )
    found = [f"ticket {row.id} is {row.state}" for row in conn.execute(live.order_by(ticket.c.id))]
    unsettled = sa.select(remedy).where(remedy.c.ticket.in_(tickets), remedy.c.state.not_in(sorted(FINAL)))
    found += [
        f"{row.kind} {row.key[:12]} of ticket {row.ticket} is {row.state}"
        for row in conn.execute(unsettled.order_by(remedy.c.ticket, remedy.c.key))
    ]
    formal = sa.select(cases).where(cases.c.ticket.in_(tickets), cases.c.open).order_by(cases.c.id)
    found += [f"{row.kind} {row.external_id} of ticket {row.ticket} is open" for row in conn.execute(formal)]
    asked = sa.select(appeal).where(appeal.c.ticket.in_(tickets), appeal.c.state.in_(sorted(PENDING)))
    found += [f"{row.kind} {row.id} of ticket {row.ticket} is not decided" for row in conn.execute(asked)]
    return found


class Eraser:
    """Forgets tickets and orders, one at a time.

    Args:
        engine: the store.
        now: the clock (UTC).
        actor: who has it done.
        rule: why, as it is written down: `on request`, or the schedule's row.
        services: what closing a ticket needs, where the erasure is forced.
    """

    def __init__(
        self, engine: sa.Engine, *, now: Callable[[], datetime], actor: str, rule: str, services: Services | None = None
    ) -> None:
        self._engine = engine
        self._now = now
        self._actor = actor
        self._rule = rule
        self._services = services
        self.done = Erased()

    def buyer(self, buyer: Buyer, *, force: bool, progress: Callable[[int, int], None] = lambda *_: None) -> Erased:
        """Forget a buyer.

        Raises:
            ErasureError: something is open, and it is not forced.
        """
        with reading(self._engine).connect() as conn:
            still = blockers(conn, buyer.tickets)
        if still and not force:
            raise ErasureError(f"not erased, since {'; '.join(still)}. End these first, or erase with --force")
        if still:
            self._end(buyer.tickets)
        whole = len(buyer.tickets) + len(buyer.orders)
        for index, number in enumerate(sorted(buyer.tickets), 1):
            self.ticket(number, buyer.words)
            progress(index, whole)
        for index, number in enumerate(sorted(buyer.orders), len(buyer.tickets) + 1):
            self.order(number)
            progress(index, whole)
        self._stray(buyer.words)
        return self.done

    @contextmanager
    def _unit(self) -> Iterator[Unit]:
        with unit_of_work(self._engine, self._now()) as unit:
            overwrite_freed(unit.conn)
            yield unit

    def _end(self, tickets: Iterable[int]) -> None:
        """Close what is open, and take back answers that have not left: nobody is there to read them."""
        table = tables.remedy
        early = (RemedyState.PLANNED, RemedyState.APPROVED)
        with self._unit() as unit:
            waiting = sa.select(table).where(table.c.ticket.in_(sorted(tickets)), table.c.state.in_(early))
            for row in unit.conn.execute(waiting.where(table.c.kind == RemedyKind.REPLY, table.c.sent_at.is_(None))):
                reject(unit, row.key, self._actor, MARK)
            for number in tickets:
                if self._services is not None and get_ticket(unit.conn, number).state not in FORGETTABLE:
                    put_ticket(unit, self._services, number, TicketState.CLOSED, self._actor)

    # -- a ticket --------------------------------------------------------------------------------------------------

    def ticket(self, number: int, words: Collection[str] = ()) -> None:
        """Forget who a ticket is about; nothing joins it any more."""
        with reading(self._engine).connect() as conn:
            row = get_ticket(conn, number)
            known = {*words, *self._words(conn, row)}
        while self._files(number) or self._messages(number):
            pass
        self._decisions(number, known)
        while self._history(row):
            pass
        with self._unit() as unit:
            self._rest(unit, row)
            table = tables.ticket
            gone = dict.fromkeys(("buyer_key", "buyer_email", "reply_to", "thread_id"))
            shown = dict.fromkeys(("subject", "buyer_name", "reason_because"), MARK)
            unit.conn.execute(sa.update(table).where(table.c.id == number).values(**gone, **shown, erased_at=unit.now))
            self._write_down(unit, row.channel, number, blank(unit.conn, tables.event.c.ticket == number))
        self.done.tickets += 1

    def _words(self, conn: sa.Connection, ticket: Any) -> set[str]:
        """What a decision may have taken over: who the buyer is, and which parcel is theirs."""
        shipment = tables.shipment
        parcels = sa.select(shipment.c.tracking_number).where(shipment.c.orders_id == ticket.orders_id)
        words = {ticket.buyer_name, ticket.buyer_email, ticket.reply_to, ticket.buyer_key, *conn.scalars(parcels)}
        return {word for word in words if word and len(word) >= _SHORTEST}

    def _files(self, number: int) -> bool:
        """Blank some files; tell whether there were any."""
        table, message = tables.attachment, tables.message
        of_ticket = sa.select(message.c.id).where(message.c.ticket == number)
        left = sa.select(table.c.id, table.c.size).where(table.c.message.in_(of_ticket), table.c.filename != MARK)
        with reading(self._engine).connect() as conn:
            rows = conn.execute(left.order_by(table.c.id).limit(_MESSAGES)).all()
        some: list[int] = []
        size = 0
        for row in rows:
            if some and size + row.size > _FILE_BYTES:
                break
            some.append(row.id)
            size += row.size
        if some:
            with self._unit() as unit:
                values = {"filename": MARK, "content": None, "url": None}
                unit.conn.execute(sa.update(table).where(table.c.id.in_(some)).values(**values))
            self.done.attachments += len(some)
        return bool(some)

    def _messages(self, number: int) -> bool:
        """Blank some messages; tell whether there were any."""
        table = tables.message
        left = sa.select(table.c.id, table.c.channel, table.c.external_id).where(
            table.c.ticket == number, table.c.revision != LAST_REVISION
        )
        with self._unit() as unit:
            rows = unit.conn.execute(left.order_by(table.c.id).limit(_MESSAGES)).all()
            values = dict.fromkeys(("author", "subject", "text", "full_text"), MARK)
            gone = dict.fromkeys(("html", "link", "mail"))
            for row in rows:
                same = sa.update(table).where(table.c.id == row.id)
                known_by = tombstone(row.channel, row.external_id)
                unit.conn.execute(same.values(**values, **gone, external_id=known_by, revision=LAST_REVISION))
        self.done.messages += len(rows)
        return bool(rows)

    def _decisions(self, number: int, words: Collection[str]) -> None:
        """Take the buyer's words out of decisions, which hold facts and no texts: mostly none is there."""
        table = tables.decision
        found = _finder(words)
        last = 0
        while True:
            some = sa.select(table.c.id, table.c.summary, table.c.facts, table.c.body).where(
                table.c.ticket == number, table.c.id > last
            )
            with reading(self._engine).connect() as conn:
                rows = conn.execute(some.order_by(table.c.id).limit(_DECISIONS)).all()
            if not rows:
                return
            last = rows[-1].id
            changed = {row.id: values for row in rows if (values := _without(found, row))}
            if changed:
                with self._unit() as unit:
                    for each, values in changed.items():
                        unit.conn.execute(sa.update(table).where(table.c.id == each).values(**values))

    def _history(self, ticket: Any) -> bool:
        """Blank a part of a long history, before the rest goes with the ticket; tell whether there may be more."""
        table = tables.event
        own = sa.and_(table.c.ticket == ticket.id, table.c.salt.is_not(None))
        with self._unit() as unit:
            some = unit.conn.scalars(sa.select(table.c.id).where(own).order_by(table.c.id).limit(_EVENTS)).all()
            if len(some) == _EVENTS:
                self._write_down(unit, ticket.channel, ticket.id, blank(unit.conn, table.c.id.in_(some)))
        return len(some) == _EVENTS

    def _rest(self, unit: Unit, ticket: Any) -> None:
        number = ticket.id
        conn = unit.conn
        for table, values in _TEXTS:
            conn.execute(sa.update(table).where(table.c.ticket == number).values(**values))
        for table, column in ((tables.survey, "comment"), (tables.appeal, "note")):
            written = sa.update(table).where(table.c.ticket == number, table.c[column].is_not(None))
            conn.execute(written.values({column: MARK}))
        task = tables.task
        for each in conn.scalars(sa.select(task.c.id).where(task.c.ticket == number)).all():
            conn.execute(sa.update(task).where(task.c.id == each).values(why=f"{MARK} {each}", link=None))
        for table in (tables.thread_key, tables.order_mention):
            conn.execute(sa.delete(table).where(table.c.ticket == number))
        self._remedies(conn, number)

    def _remedies(self, conn: sa.Connection, number: int) -> None:
        """Keep the money, and drop the words. What is still under way keeps its body, which its key stands for."""
        table = tables.remedy
        for row in conn.execute(sa.select(table).where(table.c.ticket == number)).all():
            values: dict[str, Any] = {"why": MARK, "detail": MARK if row.detail else None}
            if row.state in FINAL:
                values |= {"body": _hollow(row.body), "result": None}
            else:
                self.done.kept.append(row.key)
            conn.execute(sa.update(table).where(table.c.key == row.key).values(**values))
            ids = [job_id_of(row.key, tries) for tries in range(row.tries + 1)]
            conn.execute(sa.update(job).where(job.c.id.in_(ids), job.c.error.is_not(None)).values(error=MARK))

    # -- an order --------------------------------------------------------------------------------------------------

    def order(self, number: int) -> None:
        """Forget who ordered, and where the parcels went."""
        table, shipment, ticket = tables.orders, tables.shipment, tables.ticket
        with self._unit() as unit:
            row = unit.conn.execute(sa.select(table).where(table.c.id == number)).one()
            gone = dict.fromkeys(("buyer_key", "buyer_name", "buyer_email"))
            unit.conn.execute(sa.update(table).where(table.c.id == number).values(**gone, erased_at=unit.now))
            if row.buyer_name:
                named = sa.update(ticket).where(ticket.c.orders_id == number, ticket.c.buyer_name == row.buyer_name)
                unit.conn.execute(named.values(buyer_name=MARK))
            for parcel in unit.conn.execute(sa.select(shipment).where(shipment.c.orders_id == number)).all():
                moves = [{"at": each["at"], "status": each["status"]} for each in parcel.events]
                values = {"tracking_number": f"erased-{parcel.id}", "events": moves, "link": None, "due_at": None}
                unit.conn.execute(sa.update(shipment).where(shipment.c.id == parcel.id).values(**values))
            unit.record(ERASED, row.channel, actor=self._actor, rule=self._rule, orders_id=number, events=[])
        self.done.orders += 1

    # -- what belongs to no ticket -----------------------------------------------------------------------------------

    def _stray(self, words: Collection[str]) -> None:
        """Take a buyer's words out of errors: of pages with something unreadable, of channels, of jobs."""
        found, table, channel = _finder(words), tables.event, tables.channel
        if found is None:
            return
        loose = sa.select(table.c.id, table.c.data).where(table.c.ticket.is_(None), table.c.kind != ERASED)
        with reading(self._engine).connect() as conn:
            rows = conn.execution_options(yield_per=1000).execute(loose)
            events = [row.id for row in rows if found.search(json.dumps(row.data, ensure_ascii=False))]
            errors = conn.execute(sa.select(job.c.id, job.c.error).where(job.c.error.is_not(None)))
            jobs = [row.id for row in errors if found.search(row.error)]
            trouble = conn.execute(sa.select(channel.c.id, channel.c.attention).where(channel.c.attention.is_not(None)))
            marked = {row.id: found.sub(MARK, row.attention) for row in trouble if found.search(row.attention)}
        with self._unit() as unit:
            if events:
                self._write_down(unit, "", None, blank(unit.conn, table.c.id.in_(events)))
            if jobs:
                unit.conn.execute(sa.update(job).where(job.c.id.in_(jobs)).values(error=MARK))
            for name, text in marked.items():
                unit.conn.execute(sa.update(channel).where(channel.c.id == name).values(attention=text))

    def _write_down(self, unit: Unit, where: str, ticket: int | None, events: list[tuple[int, int]]) -> None:
        unit.record(ERASED, where, ticket, actor=self._actor, rule=self._rule, events=[list(each) for each in events])


_SHORTEST: Final = 4

_TEXTS: Final[tuple[tuple[sa.Table, Mapping[str, Any]], ...]] = (
    (tables.cases, {"reason_text": MARK, "link": None, "revision": LAST_REVISION}),
    (tables.appeal, {"why": MARK}),
    (tables.extension, {"reason": MARK, "report": MARK, "told": MARK}),
)


def _hollow(body: Mapping[str, Any]) -> dict[str, Any]:
    """Keep of a remedy's body what the books need, in a form that can still be read as a command."""
    return {key: value if key in _OURS else _blank(value) for key, value in body.items()}


def _blank(value: Any) -> Any:
    return MARK if isinstance(value, str) else [] if isinstance(value, list) else None


def _finder(words: Collection[str]) -> re.Pattern[str] | None:
    """Find any of some words as a word of its own, as text or inside JSON."""
    both = {form for word in words for form in (word, json.dumps(word, ensure_ascii=False)[1:-1])}
    if not both:
        return None
    known = "|".join(re.escape(word) for word in sorted(both, key=len, reverse=True))
    return re.compile(rf"(?<!\w)(?:{known})(?!\w)", re.IGNORECASE)


def _without(found: re.Pattern[str] | None, decision: Any) -> dict[str, Any]:
    """Give the parts of a decision that change when the words are taken out."""
    changed: dict[str, Any] = {}
    if found is None:
        return changed
    for name in ("facts", "body"):
        text = json.dumps(getattr(decision, name), ensure_ascii=False)
        if found.search(text):
            changed[name] = _replaced(getattr(decision, name), found)
    if found.search(decision.summary):
        changed["summary"] = found.sub(MARK, decision.summary)
    return changed


def _replaced(value: Any, found: re.Pattern[str]) -> Any:
    if isinstance(value, str):
        return found.sub(MARK, value)
    if isinstance(value, list):
        return [_replaced(each, found) for each in value]
    if isinstance(value, dict):
        return {key: _replaced(each, found) for key, each in value.items()}
    return value
