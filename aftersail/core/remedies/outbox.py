"""The outbox: takes approved remedies, claims them, sends them once, and follows them until they are settled."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
import structlog

from aftersail.core.contract import (
    ChannelError,
    ChannelNeedsAttention,
    Money,
    RefundRequest,
    RefundSettled,
    ReplySent,
)
from aftersail.core.host import Channel
from aftersail.core.host.channel import ConnectorDefectError
from aftersail.core.jobs import JobState, is_over
from aftersail.core.remedies.outcome import Outcome, look_delay, of_error
from aftersail.core.remedies.plan import AUTOMATION, enqueue, job_id_of, park, release_replies, withdraw_replies
from aftersail.core.remedies.senders import SENDERS, refund_objection
from aftersail.core.remedies.states import RemedyKind, RemedyState, move
from aftersail.core.remedies.tasks import close_tasks, open_task
from aftersail.core.store import tables
from aftersail.core.store.engine import reading
from aftersail.core.store.unit import Notify, Unit, unit_of_work

if TYPE_CHECKING:
    from aftersail.core.jobs import Jobs

_log = structlog.get_logger(__name__)

_STALE: Final = timedelta(minutes=1)
_MOST_LOOKS: Final = 8


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
            objection = self._objection(channel, row) if row.kind == RemedyKind.REFUND else None
        except (ChannelError, ConnectorDefectError) as error:
            self._finish(row, self._before_sending(row, error))
            return
        if objection:
            self._object(row, objection)
            return
        with unit_of_work(self._engine, self._now()) as unit:
            if not move(unit, row.key, RemedyState.CLAIMED, source=RemedyState.APPROVED, claimed_at=unit.now):
                return
        row.state = RemedyState.CLAIMED
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

    def _objection(self, channel: Channel, row: Any) -> str | None:
        table = tables.remedy
        with reading(self._engine).connect() as conn:
            mine = sa.select(table.c.external_id).where(
                table.c.order_id == row.order_id, table.c.external_id.is_not(None)
            )
            ours = frozenset(conn.scalars(mine))
            filed = conn.scalar(sa.select(tables.ticket.c.filed_at).where(tables.ticket.c.id == row.ticket))
        since = row.approved_at if row.approved_by != AUTOMATION else filed
        return refund_objection(channel, RefundRequest.model_validate(row.body), ours, since or row.planned_at)

    def _object(self, row: Any, objection: str) -> None:
        with unit_of_work(self._engine, self._now(), self._notify) as unit:
            if not move(
                unit, row.key, RemedyState.REFUSED, source=RemedyState.APPROVED, detail=objection, next_at=None
            ):
                return
            unit.record("refund_refused", row.channel, row.ticket, key=row.key, why=objection)
            self._park(unit, row, "refund_refused", objection, None)

    def _abandoned(self, row: Any) -> None:
        """A worker died between claim and outcome: nobody knows whether it was sent."""
        why = "a worker stopped while it was sending"
        self._finish(row, Outcome(state=RemedyState.UNKNOWN, detail=why, next_at=self._now() + look_delay(0)))

    # -- following -----------------------------------------------------------------------------------------------------

    def _look(self, row: Any) -> None:
        try:
            outcome = SENDERS[row.kind].look(self._channel(row.channel), row.body, row.looks, self._now())
        except (ChannelError, ConnectorDefectError) as error:
            failed = of_error(error, self._now(), row.tries)
            wait = failed.next_at or self._now() + look_delay(row.looks + 1)
            hopeless = failed.state is RemedyState.UNKNOWN and row.looks >= _MOST_LOOKS
            outcome = Outcome(
                state=RemedyState(row.state),
                detail=str(error),
                next_at=None if hopeless else wait,
                attention=failed.attention,
            )
        self._finish(row, outcome)

    def _finish(self, row: Any, outcome: Outcome) -> None:
        """Write what came of it; a remedy that moved meanwhile stays where it is."""
        looked = row.state in {RemedyState.SENT, RemedyState.UNKNOWN}
        values: dict[str, Any] = {"detail": outcome.detail or None, "next_at": outcome.next_at}
        if looked:
            values["looks"] = 0 if outcome.absent else row.looks + 1
        if outcome.external_id:
            values |= {"external_id": outcome.external_id, "booked": outcome.booked}
        if outcome.state is RemedyState.SENT and not row.sent_at:
            values["sent_at"] = self._now()
        if outcome.state is RemedyState.SETTLED:
            values |= {"settled_at": self._now(), "sent_at": row.sent_at or self._now()}
        with unit_of_work(self._engine, self._now(), self._notify) as unit:
            if outcome.state is RemedyState.APPROVED and row.state == RemedyState.APPROVED:
                unit.conn.execute(sa.update(tables.remedy).where(tables.remedy.c.key == row.key).values(**values))
                moved = True
            else:
                moved = move(unit, row.key, outcome.state, **values)
            if moved:
                self._tell(unit, row, outcome)

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
            )
        if outcome.attention:
            needs_attention(unit, row.channel, outcome.attention)
        if outcome.state is RemedyState.SETTLED:
            self._settle(unit, row, outcome)
        elif outcome.state is RemedyState.REFUSED:
            self._park(unit, row, f"{row.kind}_refused", outcome.detail, outcome.link)
        elif outcome.state is RemedyState.UNKNOWN and outcome.next_at is None:
            self._park(
                unit, row, f"{row.kind}_unknown", f"nobody knows whether it happened: {outcome.detail}", outcome.link
            )

    def _settle(self, unit: Unit, row: Any, outcome: Outcome) -> None:
        close_tasks(unit, row.key, "aftersail")
        external_id = outcome.external_id or ""
        at = {"at": unit.now, "channel": row.channel, "ticket": row.ticket}
        if row.kind == RemedyKind.REFUND:
            amount = Money(
                amount=outcome.booked if outcome.booked is not None else row.amount, currency=row.currency
            ).rounded()
            told = RefundSettled(**at, key=row.key, order_id=row.order_id, amount=amount, external_id=external_id)
            unit.tell("aftersail_refund_settled", told)
            release_replies(unit, self._jobs, row.key)
        elif row.kind == RemedyKind.REPLY:
            unit.tell("aftersail_reply_sent", ReplySent(**at, key=row.key, external_id=external_id))
        current = unit.conn.execute(sa.select(tables.remedy).where(tables.remedy.c.key == row.key)).one()
        self._settled(unit, current)

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
            stuck = table.c.state.in_([RemedyState.APPROVED, RemedyState.CLAIMED, RemedyState.SENT])
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
                    again = sa.update(table).where(table.c.key == row.key, table.c.tries == row.tries)
                    unit.conn.execute(again.values(next_at=unit.now))
        return len(over)


def _amount(row: Any) -> Money:
    return Money(amount=row.amount, currency=row.currency).rounded()


def needs_attention(unit: Unit, channel: str, why: str) -> None:
    """Mark a channel as waiting for a person, and tell the plugins the first time."""
    table = tables.channel
    first = sa.update(table).where(table.c.id == channel, table.c.attention.is_(None)).values(attention=why)
    if unit.conn.execute(first).rowcount:
        mend = f"aftersail channel renew {channel}"
        unit.record("channel_attention", channel, why=why, mend=mend)
        told = ChannelNeedsAttention(at=unit.now, channel=channel, why=why, mend=mend)
        unit.tell("aftersail_channel_needs_attention", told)
