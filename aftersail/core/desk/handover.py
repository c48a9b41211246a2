"""Whom a rule gives a ticket to: done once, so that whoever gives it to somebody else later has the last word."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core.desk.assignment import calendars_of, choose, give, loads_of, need_of, on_duty_at
from aftersail.core.desk.moves import move_clocks
from aftersail.core.desk.roster import MANAGER, Agent, Role, Roster
from aftersail.core.desk.services import Services
from aftersail.core.desk.tickets import get_ticket, with_merged
from aftersail.core.desk.views import targets_in_force
from aftersail.core.policy import Assign, Pack, PlannedAction
from aftersail.core.policy.problems import did_you_mean
from aftersail.core.remedies.tasks import close_answered, open_task
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit

_TASK: Final = "assign"
_DONE: Final = "assignment_carried_out"


class _UndoableError(Exception):
    """The roster does not allow it; the text says why."""


def hand_over(
    unit: Unit, services: Services, ticket: Any, pack: Pack, hours: Pack, actions: Iterable[PlannedAction]
) -> None:
    """Give a ticket to the team or role that a decision names, or leave a task that says why that cannot be done.

    It goes to somebody on duty now, who else suits its routing and has least to do; an owner who is one of them keeps
    it. A ticket that is taken from another team keeps or restarts its clocks as its pack says.

    Args:
        unit: the transaction.
        services: the roster, channels.
        ticket: the ticket's row.
        pack: the one that judges it.
        hours: the same, with the opening hours of now.
        actions: what the decision plans.
    """
    asked: list[str] = []
    for action in actions:
        if isinstance(action, Assign) and not _is_done(unit.conn, ticket.id, action):
            try:
                _hand_over(unit, services, get_ticket(unit.conn, ticket.id), pack, hours, action)
            except _UndoableError as error:
                asked.append(f"{action.sentence} {error}: aftersail ticket assign {ticket.id} --to AGENT")
    close_answered(unit, ticket.id, _TASK, asked)
    for why in asked:
        open_task(unit, ticket.id, _TASK, why)


def _is_done(conn: sa.Connection, ticket: int, action: Assign) -> bool:
    table = tables.event
    done = sa.select(table.c.data).where(table.c.ticket.in_(with_merged(ticket)), table.c.kind == _DONE)
    named = (action.rule, action.team, action.role)
    return any((data["rule"], data["who"]["team"], data["who"]["role"]) == named for data in conn.scalars(done))


def _hand_over(unit: Unit, services: Services, ticket: Any, pack: Pack, hours: Pack, action: Assign) -> None:
    roster = services.roster
    suits = _suits(roster, action)
    pool = [agent for agent in roster.agents if agent.role is not Role.READ_ONLY and suits(agent)]
    if not pool:
        raise _UndoableError(f"Nobody is {_of(action)}; name somebody under desk.agents, or give it away")
    if any(agent.id == ticket.owner for agent in pool):
        owner, why = ticket.owner, "who has it is one of them"
    else:
        owner, why = _chosen(unit, services, ticket, pack, hours, action, pool)
        give(unit, ticket, owner, actor="aftersail", why=f"rule {action.rule}: {why}")
        _move_clocks(unit, roster, ticket, hours, owner)
    who = {"team": action.team, "role": action.role, "owner": owner}
    unit.record(_DONE, ticket.channel, ticket.id, rule=action.rule, why=why, who=who)


def _suits(roster: Roster, action: Assign) -> Callable[[Agent], bool]:
    if not roster.agents:
        raise _UndoableError("The settings name no agents; name some under desk.agents, or give it away")
    if action.team is not None:
        if action.team not in roster.teams:
            fix = did_you_mean(action.team, roster.teams)
            raise _UndoableError(f"There is no team {action.team!r} under desk.teams ({fix}); give it away by hand")
        return lambda agent: agent.team == action.team
    if action.role == MANAGER:
        return lambda agent: agent.id == roster.manager
    if action.role not in set(Role):
        fix = did_you_mean(str(action.role), [*Role, MANAGER])
        raise _UndoableError(f"There is no role {action.role!r} at the desk ({fix}); give it away by hand")
    least = Role(action.role)
    return lambda agent: agent.role.rank >= least.rank


def _of(action: Assign) -> str:
    return f"in team {action.team}" if action.team else f"of the role {action.role}"


def _chosen(
    unit: Unit, services: Services, ticket: Any, pack: Pack, hours: Pack, action: Assign, pool: list[Agent]
) -> tuple[str, str]:
    roster, calendars = services.roster, calendars_of(hours)
    begins = {agent.id: on_duty_at(roster, agent, unit.now, calendars) for agent in pool}
    off = [agent.id for agent in roster.agents if begins.get(agent.id) != unit.now]
    if len(off) == len(roster.agents):
        first = min(begins.values())
        raise _UndoableError(f"Nobody {_of(action)} is on duty before {first:%Y-%m-%d %H:%M} UTC; then give it away")
    need = need_of(unit, services, ticket, pack)
    need = replace(need, team=action.team or need.team)
    choice = choose(roster, need, loads=loads_of(unit.conn), at=unit.now, calendar_of=calendars, without=off)
    return choice.agent, choice.why


def _move_clocks(unit: Unit, roster: Roster, ticket: Any, hours: Pack, owner: str) -> None:
    """A ticket that nobody had, or somebody without a team, was not moved from one to another."""
    before, after = roster.find(ticket.owner), roster.find(owner)
    teams = (before.team if before else None, after.team if after else None)
    if None not in teams and teams[0] != teams[1]:
        targets = targets_in_force(unit.conn, ticket.id)
        move_clocks(unit, ticket.id, targets, hours, team=str(teams[1]), actor="aftersail")
