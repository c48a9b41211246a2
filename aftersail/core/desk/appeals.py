"""Appeals, objections and mediation: a second look at a ticket, never by the one who decided it.

An appeal may come at any time. An objection comes within some working days after the ticket was closed, and one that
is granted extends the service period once. A mediation follows a second look that was denied, and may be a third
party's outside the desk. Each opens a clock of its own; the ticket's clocks stay as they were, and what of the seller's
own promise for the solution still runs stands still until the matter is decided.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core.clocks import Basis, Clock, ClockState, Metric, Source, SourceKind, Target, meet
from aftersail.core.desk.assignment import calendars_of, choose_for
from aftersail.core.desk.authority import AuthorityError
from aftersail.core.desk.clock_rows import clocks_of, columns, insert, refresh_due, update
from aftersail.core.desk.clockwork import started
from aftersail.core.desk.four_eyes import deciders, is_decider
from aftersail.core.desk.moves import freeze_clocks, thaw_clocks
from aftersail.core.desk.roster import Role
from aftersail.core.desk.services import Services, clock_pack
from aftersail.core.desk.tickets import SETTLED, TicketError, TicketState, get_ticket, set_state
from aftersail.core.desk.views import targets_in_force
from aftersail.core.desk.working_days import objection_ends
from aftersail.core.policy import Pack
from aftersail.core.remedies.tasks import close_answered, open_task
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit


class AppealKind(StrEnum):
    """What is asked for."""

    APPEAL = "appeal"
    OBJECTION = "objection"
    MEDIATION = "mediation"


class AppealState(StrEnum):
    """Where it stands."""

    OPEN = "open"
    REVIEW = "review"
    GRANTED = "granted"
    DENIED = "denied"


class LodgedBy(StrEnum):
    """How it came in."""

    DESK = "desk"
    MAIL = "mail"
    HOTLINE = "hotline"


PENDING: Final = (AppealState.OPEN, AppealState.REVIEW)
_TASK: Final = "decide_appeal"
_FOLLOW: Final = "follow_appeal"


def open_appeal(
    unit: Unit,
    services: Services,
    number: int,
    *,
    kind: AppealKind,
    by: LodgedBy,
    why: str,
    actor: str,
    filed_at: datetime | None = None,
    mediator: str | None = None,
) -> int:
    """Write down an appeal, start its clock from when it was filed, and name who is to decide; return its number.

    Args:
        unit: the transaction.
        services: packs, people.
        number: the ticket.
        kind: what is asked for.
        by: how it came in.
        why: what the buyer says.
        actor: who writes it down.
        filed_at: when it reached us; None for now.
        mediator: a third party outside the desk, for a mediation.

    Raises:
        TicketError: it comes too late or too early, another one is open, or this ticket knows none.
    """
    ticket = get_ticket(unit.conn, number)
    filed_at = filed_at or unit.now
    pack = clock_pack(services, ticket, unit.now)
    _check(unit, services, ticket, pack, kind, why, filed_at, mediator)
    clock = started(_target(unit, services, number, kind), pack, filed_at)
    clock_id = unit.conn.execute(
        sa.insert(tables.clock).values(ticket=number, **columns(clock)).returning(tables.clock.c.id)
    ).scalar_one()
    reviewer = None if mediator else _reviewer(unit, services, ticket, pack)
    row = {
        "ticket": number,
        "kind": kind,
        "state": AppealState.OPEN,
        "lodged_by": by,
        "why": why.strip(),
        "filed_at": filed_at,
        "opened_by": actor,
        "reviewer": reviewer,
        "mediator": mediator,
        "clock": clock_id,
    }
    inserted = unit.conn.execute(sa.insert(tables.appeal).values(**row).returning(tables.appeal.c.id))
    appeal = int(inserted.scalar_one())
    who = mediator or reviewer or "nobody at the desk may decide it: whoever else could has decided before"
    open_task(unit, number, _TASK, f"{kind} {appeal}, to be decided by {who}: {why.strip()}")
    freeze_clocks(unit, number, unit.now)
    told = {"appeal": appeal, "lodged_by": by, "why": why.strip(), "reviewer": mediator or reviewer}
    unit.record(f"{kind}_opened", ticket.channel, number, actor=actor, due_at=clock.due_at.isoformat(), **told)
    refresh_due(unit, number)
    return appeal


def take_appeal(unit: Unit, services: Services, appeal: int, actor: str) -> None:
    """Begin the review: that answers an appeal or a mediation. An objection is answered by its decision alone.

    Raises:
        TicketError: there is no such appeal, or it is under review or decided already.
        AuthorityError: the actor may not decide it.
    """
    row = _pending(unit, appeal)
    if row.state != AppealState.OPEN:
        raise TicketError(f"{row.kind} {appeal} is under review already, by {row.reviewer or row.mediator}")
    _allow(unit, services, row, actor)
    reviewer = row.reviewer if row.mediator else actor
    _change(unit, appeal, state=AppealState.REVIEW, taken_at=unit.now, reviewer=reviewer)
    ticket = get_ticket(unit.conn, row.ticket)
    unit.record(f"{row.kind}_taken", ticket.channel, row.ticket, actor=actor, appeal=appeal)
    if row.kind != AppealKind.OBJECTION:
        _meet(unit, row)


def decide_appeal(
    unit: Unit, services: Services, appeal: int, *, granted: bool, note: str, actor: str
) -> datetime | None:
    """Decide an appeal; return the end of the service period where that was extended by it.

    What is granted opens the ticket again and leaves a task to do what was decided. With a mediator the decision is
    theirs, and the actor writes it down.

    Raises:
        TicketError: there is no such appeal, it was decided before, or nobody says why.
        AuthorityError: the actor has decided the matter before, or their role may not decide.
    """
    row = _pending(unit, appeal)
    if not note.strip():
        raise TicketError(f"{row.kind} {appeal} is not decided: say why, the buyer has a right to know")
    _allow(unit, services, row, actor)
    ticket = get_ticket(unit.conn, row.ticket)
    state = AppealState.GRANTED if granted else AppealState.DENIED
    decided_by = row.mediator or actor
    _change(unit, appeal, state=state, decided_at=unit.now, decided_by=decided_by, note=note.strip())
    told = {"appeal": appeal, "decided_by": decided_by, "note": note.strip()}
    unit.record(f"{row.kind}_{state}", ticket.channel, row.ticket, actor=actor, **told)
    _meet(unit, row)
    close_answered(unit, row.ticket, _TASK, ())
    pack = clock_pack(services, ticket, unit.now)
    thaw_clocks(unit, row.ticket, pack, unit.now)
    extended = None
    if granted:
        if ticket.state in SETTLED:
            set_state(unit, row.ticket, TicketState.OPEN, actor)
        open_task(unit, row.ticket, _FOLLOW, f"{row.kind} {appeal} was granted by {decided_by}: {note.strip()}")
        if row.kind == AppealKind.OBJECTION:
            extended = _extend_service(unit, row, pack, actor)
    refresh_due(unit, row.ticket)
    return extended


def appeal_rows(conn: sa.Connection, *, decided: bool) -> list[dict[str, Any]]:
    """List appeals with when their answer is due, what is due first on top; with `decided` those too that are over."""
    appeal, clock = tables.appeal, tables.clock
    listed = sa.select(appeal, clock.c.due_at, clock.c.breached_at).join(clock, appeal.c.clock == clock.c.id)
    if not decided:
        listed = listed.where(appeal.c.state.in_(PENDING))
    rows = conn.execute(listed.order_by(clock.c.due_at, appeal.c.id)).mappings()
    return [dict(row) for row in rows]


def _check(
    unit: Unit,
    services: Services,
    ticket: Any,
    pack: Pack,
    kind: AppealKind,
    why: str,
    filed_at: datetime,
    mediator: str | None,
) -> None:
    if ticket.state in {TicketState.MERGED, TicketState.SPAM}:
        raise TicketError(f"ticket {ticket.id} is {ticket.state}: there is nothing to appeal against")
    if not why.strip():
        raise TicketError("say what the buyer objects to")
    if filed_at > unit.now:
        raise TicketError(f"{filed_at:%Y-%m-%d %H:%M} UTC is still to come; when did it reach us?")
    pending = unit.conn.scalar(
        sa.select(tables.appeal.c.id).where(tables.appeal.c.ticket == ticket.id, tables.appeal.c.state.in_(PENDING))
    )
    if pending is not None:
        raise TicketError(f"appeal {pending} is still open on ticket {ticket.id}; decide that one first")
    if kind is AppealKind.OBJECTION:
        _check_objection(services, ticket, pack, filed_at)
    if kind is AppealKind.MEDIATION:
        _check_mediation(unit, services, ticket, mediator)
    elif mediator is not None:
        raise TicketError(f"a third party decides a mediation, not an {kind}")


def _check_objection(services: Services, ticket: Any, pack: Pack, filed_at: datetime) -> None:
    if ticket.state != TicketState.CLOSED or ticket.closed_at is None:
        raise TicketError(f"ticket {ticket.id} is {ticket.state}; an objection is against a closed one, take an appeal")
    if filed_at < ticket.closed_at:
        raise TicketError(f"ticket {ticket.id} was closed only afterwards, at {ticket.closed_at:%Y-%m-%d %H:%M} UTC")
    days = services.roster.objection_days
    ends, last = objection_ends(pack, services.roster.working_days, ticket.closed_at, days)
    if filed_at >= ends:
        raise TicketError(
            f"the last day for an objection to ticket {ticket.id} was {last:%A %Y-%m-%d}, {days} working days after it "
            "was closed; an appeal is still possible"
        )


def _check_mediation(unit: Unit, services: Services, ticket: Any, mediator: str | None) -> None:
    table = tables.appeal
    denied = sa.select(table.c.id).where(table.c.ticket == ticket.id, table.c.state == AppealState.DENIED)
    if unit.conn.scalar(denied.limit(1)) is None:
        raise TicketError(f"a mediation follows an appeal that was denied, and ticket {ticket.id} has none")
    if mediator is not None and is_decider(unit.conn, services.roster, ticket.id, mediator):
        raise TicketError(f"{mediator} has decided on ticket {ticket.id} before and cannot mediate; name somebody else")


def _target(unit: Unit, services: Services, number: int, kind: AppealKind) -> Target:
    """The pack's promise for the answer to an appeal, else the settings'."""
    promised = [each for each in targets_in_force(unit.conn, number) if each.metric is Metric.APPEAL_ANSWERED]
    if promised:
        return promised[0].model_copy(update={"row": f"{promised[0].row} {kind}"})
    within = services.roster.appeal_within
    return Target(
        metric=Metric.APPEAL_ANSWERED,
        duration=within,
        basis=Basis.ELAPSED,
        warn_lead=within / 4,
        source=Source(kind=SourceKind.OWN, name=kind),
        row=kind,
    )


def _reviewer(unit: Unit, services: Services, ticket: Any, pack: Pack) -> str | None:
    """A supervisor or admin who has not decided it: on duty, with the least to do."""
    roster = services.roster
    before = deciders(unit.conn, ticket.id)
    may = [each for each in roster.agents if each.role.rank >= Role.SUPERVISOR.rank and each.id not in before]
    if not may:
        return None
    others = {agent.id for agent in roster.agents} - {agent.id for agent in may}
    return choose_for(unit, roster, ticket, calendars_of(pack), without=others)


def _pending(unit: Unit, appeal: int) -> Any:
    table = tables.appeal
    row = unit.conn.execute(sa.select(table).where(table.c.id == appeal).with_for_update()).first()
    if row is None:
        raise TicketError(f"there is no appeal {appeal}; `aftersail appeal list` shows them")
    if row.state not in PENDING:
        raise TicketError(f"{row.kind} {appeal} was {row.state} by {row.decided_by} before")
    return row


def _allow(unit: Unit, services: Services, row: Any, actor: str) -> None:
    """Four eyes: whoever has decided the matter, or a second look at it, decides no further one."""
    roster = services.roster
    if is_decider(unit.conn, roster, row.ticket, actor):
        raise AuthorityError(
            f"{actor} has decided on ticket {row.ticket} before; somebody else has to decide {row.kind} {row.id}"
        )
    role = roster.role_of(actor)
    least = Role.AGENT if row.mediator else Role.SUPERVISOR
    if role is None or role.rank < least.rank:
        may = [each.id for each in roster.agents if each.role.rank >= least.rank]
        free = [each for each in may if not is_decider(unit.conn, roster, row.ticket, each)]
        raise AuthorityError(
            f"{actor} may not decide {row.kind} {row.id}; ask one of: {', '.join(free) or 'nobody yet'}"
        )


def _change(unit: Unit, appeal: int, **values: Any) -> None:
    unit.conn.execute(sa.update(tables.appeal).where(tables.appeal.c.id == appeal).values(**values))


def _meet(unit: Unit, row: Any) -> None:
    body = unit.conn.execute(sa.select(tables.clock.c.body).where(tables.clock.c.id == row.clock)).scalar_one()
    clock = Clock.model_validate(body)
    update(unit, row.clock, meet(clock, max(unit.now, clock.started_at)))
    refresh_due(unit, row.ticket)


def _extend_service(unit: Unit, row: Any, pack: Pack, actor: str) -> datetime | None:
    """Let the promise for the solution begin once more, for its whole length; once a ticket."""
    table = tables.appeal
    before = sa.select(table.c.id).where(table.c.ticket == row.ticket, table.c.extended_until.is_not(None))
    ticket = get_ticket(unit.conn, row.ticket)
    earlier = unit.conn.scalar(before.limit(1))
    if earlier is not None:
        unit.record(
            "service_not_extended", ticket.channel, row.ticket, why=f"objection {earlier} has extended it before"
        )
        return None
    ended = [clock.due_at for _, clock in clocks_of(unit, row.ticket, list(ClockState), [Metric.RESOLUTION])]
    begun = [
        started(target, pack, unit.now)
        for target in targets_in_force(unit.conn, row.ticket)
        if target.metric is Metric.RESOLUTION and target.source.kind is SourceKind.OWN
    ]
    for clock in begun:
        insert(unit, row.ticket, clock)
    until = min((clock.due_at for clock in begun), default=None)
    if until is None:
        unit.record(
            "service_not_extended", ticket.channel, row.ticket, why="the pack promises no time for the solution"
        )
        return None
    _change(unit, row.id, extended_until=until)
    told = {"before": max(ended).isoformat() if ended else None, "after": until.isoformat()}
    unit.record("service_extended", ticket.channel, row.ticket, actor=actor, appeal=row.id, **told)
    return until
