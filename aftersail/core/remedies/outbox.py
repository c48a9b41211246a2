"""The outbox: takes approved remedies, claims them, sends them once, and follows them until they are settled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
import structlog
from structlog.contextvars import bound_contextvars

from aftersail.core.contract import (
    ChannelError,
    ChannelNeedsAttention,
    Money,
    RefundRequest,
)
from aftersail.core.host import Channel
from aftersail.core.host.channel import ConnectorDefectError
from aftersail.core.jobs import JobState, is_over
from aftersail.core.remedies.outcome import LOOK_DELAYS, PENDING_DELAY, PERSON_DELAY, Outcome, look_delay, of_error
from aftersail.core.remedies.plan import AUTOMATION, enqueue, job_id_of, park, withdraw_replies
from aftersail.core.remedies.senders import SENDERS, refund_objection
from aftersail.core.remedies.serial import Siblings, ceiling_objection, refunded_so_far, siblings
from aftersail.core.remedies.settling import settle
from aftersail.core.remedies.states import RemedyKind, RemedyState, move
from aftersail.core.remedies.tasks import open_task
from aftersail.core.store import tables
from aftersail.core.store.engine import reading
from aftersail.core.store.unit import Notify, Unit, unit_of_work
from aftersail.core.telemetry import span

if TYPE_CHECKING:
    from aftersail.core.jobs import Jobs

_log = structlog.get_logger(__name__)

_STALE: Final = timedelta(minutes=1)
_MOST_LOOKS: Final = 8

_asked: Final = sa.exists().where(
    tables.task.c.remedy == tables.remedy.c.key, tables.task.c.kind == tables.remedy.c.kind + "_unknown"
)
"""A person was asked what became of a remedy."""


class Outbox:
    """Works on remedies.

    Args:
        engine: the store.
        channel: gives the channel of an id; raises where it is not configured.
        jobs: where work is handed over.
        now: the clock (UTC).
        notify: tells plugins what was committed.
        settled: called in the transaction that settles a remedy, so that ticket and clocks agree with it.
    """

    def __init__(
        self,
        engine: sa.Engine,
        *,
        channel: Callable[[str], Channel],
        jobs: Jobs,
        now: Callable[[], datetime],
        notify: Notify,
        settled: Callable[[Unit, Any], None],
    ) -> None:
        self._engine = engine
        self._channel = channel
        self._jobs = jobs
        self._now = now
        self._notify = notify
        self._settled = settled

    def work(self, key: str) -> None:
        """Do the next step of one remedy; safe to call again after any crash."""
        row = self._read(key)
        if row is None:
            _log.warning("remedy_gone", key=key)
            return
        known = {"channel": row.channel, "ticket": row.ticket}
        name = "remedy send" if row.state == RemedyState.APPROVED else "remedy look-up"
        with bound_contextvars(**known, remedy=key), span(name, kind=row.kind, **known):
            self._step(row)

    def _step(self, row: Any) -> None:
        if row.next_at is not None and row.next_at > self._now():
            _log.info("remedy_too_early")  # a job that ran before; the next one comes at its time
        elif row.state == RemedyState.APPROVED:
            self._send(row)
        elif row.state == RemedyState.CLAIMED:
            self._abandoned(row)
        elif row.state in {RemedyState.SENT, RemedyState.UNKNOWN}:
            self._look(row)

    def hand_over(self, limit: int = 500) -> int:
        """Hand every remedy whose time has come to a worker; tell how many."""
        table = tables.remedy
        with unit_of_work(self._engine, self._now()) as unit:
            due = sa.select(table.c.key, table.c.kind, table.c.channel, table.c.tries).where(
                table.c.next_at <= unit.now
            )
            rows = unit.conn.execute(due.order_by(table.c.next_at).limit(limit).with_for_update(skip_locked=True)).all()
            for row in rows:
                tries = row.tries + 1
                unit.conn.execute(sa.update(table).where(table.c.key == row.key).values(tries=tries, next_at=None))
                enqueue(unit, self._jobs, row.key, RemedyKind(row.kind), row.channel, tries)
        return len(rows)

    def _read(self, key: str) -> Any | None:
        with reading(self._engine).connect() as conn:
            row = conn.execute(sa.select(tables.remedy).where(tables.remedy.c.key == key)).first()
        return SimpleNamespace(**row._mapping) if row else None  # noqa: SLF001 - SQLAlchemy's public name for it

    # -- sending -------------------------------------------------------------------------------------------------------

    def _send(self, row: Any) -> None:
        try:
            channel = self._channel(row.channel)
            if row.kind == RemedyKind.REFUND and not self._may_refund(channel, row):
                return
        except (ChannelError, ConnectorDefectError) as error:
            self._finish(row, self._before_sending(row, error))
            return
        if not self._claim(row):
            return
        try:
            outcome = SENDERS[row.kind].send(channel, row.body, self._now())
        except (ChannelError, ConnectorDefectError) as error:
            outcome = of_error(error, self._now(), row.tries)
        self._finish(row, outcome)

    def _before_sending(self, row: Any, error: ChannelError | ConnectorDefectError) -> Outcome:
        """An error before the claim: nothing has left, so "unknown" becomes "later"."""
        outcome = of_error(error, self._now(), row.tries)
        if outcome.state is RemedyState.UNKNOWN:
            return Outcome(
                state=RemedyState.APPROVED, detail=outcome.detail, next_at=self._now() + look_delay(row.tries)
            )
        return outcome

    def _may_refund(self, channel: Channel, row: Any) -> bool:
        """See what else happens and has happened on the order; where that forbids the refund, write it down."""
        refund = RefundRequest.model_validate(row.body)
        with reading(self._engine).connect() as conn:
            row.siblings = siblings(conn, row)
            objection = None if channel.can("quote_refund") else ceiling_objection(conn, row.channel, refund)
            filed = conn.scalar(sa.select(tables.ticket.c.filed_at).where(tables.ticket.c.id == row.ticket))
        if row.siblings.under_way:
            self._finish(row, self._wait_for(row.siblings))
            return False
        if row.claimed_at and channel.can("lookup_refund") and channel.lookup_refund(refund) is not None:
            found = "found on the platform before it was sent again"
            self._finish(row, Outcome(state=RemedyState.UNKNOWN, detail=found, next_at=self._now()))
            return False
        if objection is None:
            since = row.approved_at if row.approved_by != AUTOMATION else filed
            objection = refund_objection(channel, refund, row.siblings.ours, since or row.planned_at)
        if objection:
            self._finish(row, Outcome(state=RemedyState.REFUSED, detail=objection))
        return objection is None

    def _wait_for(self, others: Siblings) -> Outcome:
        """Look again soon; where a person has to free the other one, that person's word brings this one back."""
        why = f"waits for refund {(others.under_way or '')[:8]} on the same order"
        wait = PERSON_DELAY if others.with_person else PENDING_DELAY
        return Outcome(state=RemedyState.APPROVED, detail=why, next_at=self._now() + wait)

    def _claim(self, row: Any) -> bool:
        """Write down that it is being sent, before it is; another worker or another refund may have been quicker."""
        with unit_of_work(self._engine, self._now()) as unit:
            if row.kind == RemedyKind.REFUND:
                now = siblings(unit.conn, row, lock=True)
                if now.under_way or now.begun != row.siblings.begun:
                    move(unit, row.key, RemedyState.APPROVED, source=RemedyState.APPROVED, next_at=unit.now)
                    return False
            values: dict[str, Any] = {"claimed_at": unit.now, "next_at": None, "looks": 0}
            if row.kind == RemedyKind.REFUND and row.refunded_before is None:
                values["refunded_before"] = refunded_so_far(unit.conn, row)
            if not move(unit, row.key, RemedyState.CLAIMED, source=RemedyState.APPROVED, **values):
                return False
        row.state, row.claimed_at = RemedyState.CLAIMED, unit.now
        return True

    def _abandoned(self, row: Any) -> None:
        """A worker died between claim and outcome: nobody knows whether it was sent."""
        why = "a worker stopped while it was sending"
        self._finish(row, Outcome(state=RemedyState.UNKNOWN, detail=why, next_at=self._now() + look_delay(0)))

    # -- following -----------------------------------------------------------------------------------------------------

    def _look(self, row: Any) -> None:
        try:
            outcome = SENDERS[row.kind].look(self._channel(row.channel), row.body, row.looks, self._now())
        except (ChannelError, ConnectorDefectError) as error:
            self._finish(row, self._not_seen(row, error))
            return
        if row.external_id and not outcome.external_id:
            outcome = self._vanished(row, outcome)
        self._finish(row, replace(outcome, looks=0 if outcome.external_id else row.looks + 1))

    def _not_seen(self, row: Any, error: ChannelError | ConnectorDefectError) -> Outcome:
        """A look-up that failed: "later" is no look-up at all, anything else counts, and after many a person looks."""
        failed = of_error(error, self._now(), row.tries)
        later = failed.state is RemedyState.APPROVED
        hopeless = not later and row.looks >= _MOST_LOOKS
        return Outcome(
            state=RemedyState.UNKNOWN if hopeless else RemedyState(row.state),
            detail=str(error),
            link=failed.link,
            next_at=None if hopeless else failed.next_at or self._now() + look_delay(row.looks + 1),
            attention=failed.attention,
            looks=row.looks if later else row.looks + 1,
        )

    def _vanished(self, row: Any, outcome: Outcome) -> Outcome:
        """The platform took it once: where it does not show it now, it is never sent again, a person looks."""
        why = f"the platform took it as {row.external_id} and does not show it"
        if outcome.next_at is None or row.looks + 1 >= len(LOOK_DELAYS):
            return Outcome(state=RemedyState.UNKNOWN, detail=why)
        return Outcome(state=RemedyState(row.state), detail=why, next_at=self._now() + look_delay(row.looks + 1))

    def _finish(self, row: Any, outcome: Outcome) -> None:
        """Write what came of it; a remedy that moved meanwhile stays where it is."""
        outcome = self._never_refused_blindly(row, outcome)
        values: dict[str, Any] = {"detail": outcome.detail or None, "next_at": outcome.next_at}
        if outcome.looks is not None:
            values["looks"] = outcome.looks
        if outcome.external_id:
            values |= {"external_id": outcome.external_id, "booked": outcome.booked}
        if outcome.state in {RemedyState.SENT, RemedyState.UNKNOWN, RemedyState.SETTLED} and not row.sent_at:
            values["sent_at"] = row.claimed_at or self._now()
        if outcome.result is not None:
            values["result"] = dict(outcome.result)
        if outcome.state is RemedyState.SETTLED:
            values["settled_at"] = self._now()
        # "Nothing happened" is true of the attempt that says so, not of a later one.
        only = None
        if outcome.state in {RemedyState.APPROVED, RemedyState.REFUSED}:
            only = tables.remedy.c.claimed_at.is_not_distinct_from(row.claimed_at)
        with unit_of_work(self._engine, self._now(), self._notify) as unit:
            if move(unit, row.key, outcome.state, only=only, **values):
                self._tell(unit, row, outcome)

    def _never_refused_blindly(self, row: Any, outcome: Outcome) -> Outcome:
        """A refusal of the second attempt says nothing about the first: look again, and then let a person look."""
        if outcome.state is not RemedyState.REFUSED or outcome.external_id or not row.sent_at:
            return outcome
        looks = row.looks + 1
        return replace(
            outcome,
            state=RemedyState.UNKNOWN,
            detail=f"it may have been done before: {outcome.detail}",
            next_at=self._now() + look_delay(looks) if looks < len(LOOK_DELAYS) else None,
            looks=looks,
        )

    def _tell(self, unit: Unit, row: Any, outcome: Outcome) -> None:
        if outcome.state != row.state or outcome.attention:
            became = "postponed" if outcome.state is RemedyState.APPROVED else outcome.state
            unit.record(
                f"{row.kind}_{became}",
                row.channel,
                row.ticket,
                key=row.key,
                why=outcome.detail,
                external_id=outcome.external_id,
                before=row.state,
                after=outcome.state,
                booked=None if outcome.booked is None else str(outcome.booked),
            )
            _log.info("remedy_moved", kind=row.kind, became=became)
        if outcome.attention:
            needs_attention(unit, row.channel, outcome.attention)
        if outcome.state is RemedyState.SETTLED:
            current = unit.conn.execute(sa.select(tables.remedy).where(tables.remedy.c.key == row.key)).one()
            settle(unit, self._jobs, current, "aftersail")
            self._settled(unit, current)
        elif outcome.state is RemedyState.REFUSED:
            self._park(unit, row, f"{row.kind}_refused", outcome.detail, outcome.link)
        elif outcome.state is RemedyState.UNKNOWN and outcome.next_at is None:
            self._park(
                unit, row, f"{row.kind}_unknown", f"nobody knows whether it happened: {outcome.detail}", outcome.link
            )

    def _park(self, unit: Unit, row: Any, kind: str, why: str, link: str | None) -> None:
        if kind == "refund_refused":
            withdraw_replies(unit, row.key, why)
        if row.kind == RemedyKind.REFUND:
            park(unit, row.ticket, row.channel, row.key, row.order_id, _amount(row), kind, why, link)
        else:
            open_task(unit, row.ticket, kind, why, remedy=row.key, link=link)

    def rescue(self) -> int:
        """Bring back remedies whose job is over without having dealt with them; tell how many.

        A job that was parked has failed again and again: a person is asked to look before it is tried once more.
        """
        table = tables.remedy
        with reading(self._engine).connect() as conn:
            stuck = sa.or_(
                table.c.state.in_([RemedyState.APPROVED, RemedyState.CLAIMED, RemedyState.SENT]),
                sa.and_(table.c.state == RemedyState.UNKNOWN, sa.not_(_asked)),
            )
            since = sa.func.coalesce(table.c.claimed_at, table.c.approved_at)
            waiting = sa.select(table).where(stuck, table.c.next_at.is_(None), since < self._now() - _STALE)
            rows = conn.execute(waiting).all()
        over = [(row, job) for row in rows if is_over(job := self._jobs.find(job_id_of(row.key, row.tries)))]
        with unit_of_work(self._engine, self._now(), self._notify) as unit:
            for row, job in over:
                if job is not None and job.state is JobState.PARKED:
                    why = f"its job failed again and again: {job.error}; aftersail jobs retry {job.job_id}"
                    self._park(unit, row, f"{row.kind}_stuck", why, None)
                else:
                    same = (table.c.key == row.key, table.c.state == row.state, table.c.tries == row.tries)
                    again = sa.update(table).where(*same, table.c.next_at.is_(None))
                    unit.conn.execute(again.values(next_at=unit.now))
        return len(over)


def _amount(row: Any) -> Money:
    return Money(amount=row.amount, currency=row.currency).rounded()


def needs_attention(unit: Unit, channel: str, why: str) -> None:
    """Mark a channel as waiting for a person, and tell the plugins the first time; the newest reason stands."""
    table = tables.channel
    own = table.c.id == channel
    first = unit.conn.execute(sa.update(table).where(own, table.c.attention.is_(None)).values(attention=why)).rowcount
    unit.conn.execute(sa.update(table).where(own, table.c.attention != why).values(attention=why))
    if first:
        mend = f"aftersail channel renew {channel}"
        unit.record("channel_attention", channel, why=why, mend=mend)
        told = ChannelNeedsAttention(at=unit.now, channel=channel, why=why, mend=mend)
        unit.tell("aftersail_channel_needs_attention", told)
