"""The system grades first, an agent grades for good: tier, reason and language of a ticket."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aftersail.core.desk.clockwork import retarget
from aftersail.core.desk.judge import judge
from aftersail.core.desk.services import Services, clock_pack, pack_of
from aftersail.core.desk.tickets import OVER, TicketError, TicketState, get_ticket, update_ticket
from aftersail.core.policy import Decision
from aftersail.core.policy.problems import did_you_mean
from aftersail.core.policy.reasons import Reason
from aftersail.core.store.unit import Unit
from aftersail.core.triage import Labels, record_correction
from aftersail.core.triage.language import LANGUAGES


def regrade(
    unit: Unit,
    services: Services,
    number: int,
    *,
    tier: str | None = None,
    reason: str | None = None,
    language: str | None = None,
    actor: str,
) -> Decision | None:
    """Set what an agent knows better than the system, and judge the ticket anew with it.

    What an agent has set stays, whatever is read or judged later. Clocks that still run get the targets of the new
    grade, counted from where they began; one that was met or breached stays as it is. The old and the new values stay
    in the history, where triage is measured by them.

    Returns:
        the new decision; None where the ticket stands as it did.

    Raises:
        TicketError: there is no such ticket, it has ended, or the pack has no such tier, or nobody knows such a reason
            or language.
    """
    ticket = get_ticket(unit.conn, number)
    if ticket.state in OVER:
        raise TicketError(f"ticket {number} is {ticket.state}: open it again before you grade it")
    pack = pack_of(services, ticket)
    if tier is not None:
        _known("tier", tier, [each.name for each in pack.tiers], f"pack {pack.id} {pack.version}")
    if reason is not None:
        _known("reason", reason, list(Reason), "aftersail")
    if language is not None:
        _known("language", language, LANGUAGES, "triage")
    wanted = {"tier": tier, "reason": reason, "language": language}
    new = {name: value for name, value in wanted.items() if value is not None}
    old = {name: getattr(ticket, name) for name in new}
    graded = {**(ticket.graded or {}), **new}
    if old == new and graded == ticket.graded:
        return None
    update_ticket(unit, number, graded=graded, **_understood(new, actor))
    decision = judge(unit, services, number, first=False, act=ticket.state == TicketState.OPEN)
    _record(unit, get_ticket(unit.conn, number), before=ticket, old=old, new=new, actor=actor)
    retarget(unit, number, decision.targets, clock_pack(services, ticket, unit.now))
    return decision


def _understood(new: dict[str, str], actor: str) -> dict[str, str]:
    """The tier follows from judging; reason and language stand on the ticket itself."""
    values = {name: value for name, value in new.items() if name != "tier"}
    return values | {"reason_because": f"set by {actor}"} if "reason" in values else values


def _record(unit: Unit, ticket: Any, *, before: Any, old: dict[str, Any], new: dict[str, str], actor: str) -> None:
    unit.record(
        "regraded",
        ticket.channel,
        ticket.id,
        actor=actor,
        before=old | {"tier": before.tier},
        after=new | {"tier": ticket.tier},
    )
    said, meant = (Labels(reason=row.reason, language=row.language, tier=row.tier) for row in (before, ticket))
    record_correction(unit, ticket.id, actor=actor, before=said, after=meant)


def _known(what: str, value: str, known: Iterable[str], whose: str) -> None:
    names = [str(name) for name in known]
    if value not in names:
        raise TicketError(f"{whose} knows no {what} {value!r}; {did_you_mean(value, names)}")
