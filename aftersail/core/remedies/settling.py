"""What follows when a remedy is settled, by the platform's word or by a person's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aftersail.core.contract import Money, RefundSettled, ReplySent
from aftersail.core.remedies.plan import release_replies
from aftersail.core.remedies.states import RemedyKind
from aftersail.core.remedies.tasks import close_tasks
from aftersail.core.store.unit import Unit

if TYPE_CHECKING:
    from aftersail.core.jobs import Jobs


def settle(unit: Unit, jobs: Jobs, row: Any, actor: str) -> None:
    """Close the tasks of a remedy that was just settled, tell the plugins, and let the answers leave that wait for it.

    `row` is the remedy as it stands after it was settled.
    """
    close_tasks(unit, row.key, actor)
    external_id = row.external_id or ""
    at = {"at": unit.now, "channel": row.channel, "ticket": row.ticket}
    if row.kind == RemedyKind.REFUND:
        paid = Money(amount=row.booked if row.booked is not None else row.amount, currency=row.currency).rounded()
        told = RefundSettled(**at, key=row.key, order_id=row.order_id, amount=paid, external_id=external_id)
        unit.tell("aftersail_refund_settled", told)
        release_replies(unit, jobs, row.key)
    elif row.kind == RemedyKind.REPLY:
        unit.tell("aftersail_reply_sent", ReplySent(**at, key=row.key, external_id=external_id))
