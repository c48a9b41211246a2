"""Who gets a ticket: what it needs, who is on duty and can do it, and among them who has least to do.

The same roster, load and instant always give the same owner. What must hold is narrowed first: the channels an agent
works on, a role or team that the routing demands. Then those on duty, or where nobody is, those whose shift begins
next. Then, as far as somebody is left: the language, each skill. What could not be had is said in the history.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core.clocks import Calendar
from aftersail.core.desk.facts import gather
from aftersail.core.desk.roster import TECHNICAL, Agent, Role, Roster, RoutingWhen
from aftersail.core.desk.services import Services, pack_of
from aftersail.core.desk.tickets import OVER, TicketError, get_ticket, update_ticket
from aftersail.core.policy import Facts, Pack
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit

CalendarOf = Callable[[str | None], Calendar | None]

_ANY_LANGUAGE: Final = "und"
_LONGEST_ABSENCE: Final = 400
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Need:
    """What a ticket needs of whoever gets it."""

    channel: str
    language: str | None = None
    skills: tuple[str, ...] = ()
    team: str | None = None
    role: Role | None = None


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Who gets a ticket, and why."""

    agent: str
    why: str


def needs(roster: Roster, pack: Pack, facts: Facts, products: Sequence[str]) -> Need:
    """Add up what the matching rows of the routing ask for."""
    rows = [row for row in roster.routing if _matches(row.when, pack, facts, products)]
    roles = [row.role for row in rows if row.role is not None]
    language = str(facts.get("ticket.language") or _ANY_LANGUAGE)
    return Need(
        channel=str(facts.get("ticket.channel")),
        language=None if language == _ANY_LANGUAGE else language,
        skills=tuple(dict.fromkeys(skill for row in rows for skill in row.skills)),
        team=next((row.team for row in rows if row.team is not None), None),
        role=max(roles, key=lambda role: role.rank, default=None),
    )


def _matches(when: RoutingWhen, pack: Pack, facts: Facts, products: Sequence[str]) -> bool:
    return (
        (not when.reasons or facts.get("ticket.reason") in when.reasons)
        and (not when.languages or facts.get("ticket.language") in when.languages)
        and (not when.channels or facts.get("ticket.channel") in when.channels)
        and (when.escalation is None or facts.get("ticket.escalation") is when.escalation)
        and (not when.products or any(_is_product(wanted, products) for wanted in when.products))
        and (when.amount_from is None or _is_worth(when, pack, facts))
    )


def _is_product(wanted: str, products: Sequence[str]) -> bool:
    word = wanted.casefold()
    return any(text.casefold().startswith(word) or word in text.casefold().split() for text in products)


def _is_worth(when: RoutingWhen, pack: Pack, facts: Facts) -> bool:
    """An amount that no rate can compare counts as large: somebody with the skill looks at it."""
    claim = facts.money("claim.amount")
    if claim is None or when.amount_from is None:
        return False
    value, least = (pack.content.converted(money, pack.currency) for money in (claim, when.amount_from))
    return value is None or least is None or least <= value


def on_duty_at(roster: Roster, agent: Agent, at: datetime, calendar_of: CalendarOf) -> datetime:
    """Return `at` while an agent is on duty, else when the next shift begins that they are not absent from."""
    team = roster.teams.get(agent.team) if agent.team else None
    calendar = calendar_of(team.calendar if team else None)
    for _ in range(_LONGEST_ABSENCE):
        at = calendar.next_open(at) if calendar else at
        local = calendar.local(at) if calendar else at
        if not agent.is_absent(local.date()):
            break
        at = calendar.due_calendar_days(at, 0) if calendar else at.replace(hour=0, minute=0, second=0) + _DAY
    return at


def choose(
    roster: Roster,
    need: Need,
    *,
    loads: Mapping[str, int],
    at: datetime,
    calendar_of: CalendarOf,
    without: Collection[str] = (),
) -> Choice:
    """Say who gets a ticket.

    Args:
        roster: everybody at the desk.
        need: what the ticket needs.
        loads: how many live tickets each agent has.
        at: now (UTC).
        calendar_of: gives the calendar of a name; None for none.
        without: who must not get it.
    """
    pool = [agent for agent in roster.agents if agent.role is not Role.READ_ONLY and agent.id not in without]
    if not pool:
        return Choice(agent=roster.lead_of(None), why="nobody else is at the desk")
    missed: list[str] = []
    pool = _narrowed(pool, lambda agent: not agent.channels or need.channel in agent.channels, need.channel, missed)
    if need.role:
        role = need.role
        pool = _narrowed(pool, lambda agent: agent.role.rank >= role.rank, f"a {role}", missed)
    if need.team:
        pool = _narrowed(pool, lambda agent: agent.team == need.team, f"team {need.team}", missed)
    begins = {agent.id: on_duty_at(roster, agent, at, calendar_of) for agent in pool}
    first = min(begins.values())
    pool = [agent for agent in pool if begins[agent.id] == first]
    if need.language:
        language = need.language.partition("-")[0]
        pool = _narrowed(pool, lambda agent: _speaks(agent, language), f"language {language}", missed)
    for skill in need.skills:
        pool = _narrowed(pool, lambda agent, skill=skill: skill in agent.skills, f"skill {skill}", missed)  # type: ignore[misc]
    chosen = min(pool, key=lambda agent: loads.get(agent.id, 0))
    shift = "" if first == at else f", the next on duty, from {first:%Y-%m-%d %H:%M} UTC"
    lacking = f"; nobody suits: {', '.join(missed)}" if missed else ""
    return Choice(
        agent=chosen.id, why=f"{loads.get(chosen.id, 0)} live tickets, of {len(pool)} who suit{shift}{lacking}"
    )


def _narrowed(pool: list[Agent], suits: Callable[[Agent], bool], what: str, missed: list[str]) -> list[Agent]:
    left = [agent for agent in pool if suits(agent)]
    if not left:
        missed.append(what)
    return left or pool


def _speaks(agent: Agent, language: str) -> bool:
    return not agent.languages or any(known.partition("-")[0] == language for known in agent.languages)


def loads_of(conn: sa.Connection) -> dict[str, int]:
    """Count the live tickets of every owner."""
    table = tables.ticket
    live = sa.select(table.c.owner, sa.func.count()).where(table.c.state.not_in(OVER), table.c.owner.is_not(None))
    return {row[0]: row[1] for row in conn.execute(live.group_by(table.c.owner))}


def ensure_owner(unit: Unit, services: Services, ticket: Any, pack: Pack, facts: Facts) -> str | None:
    """Give a ticket an owner, unless it has one who is still at the desk: one person follows it through.

    Returns:
        the owner; None only where the settings name no agents.
    """
    roster = services.roster
    kept = roster.find(ticket.owner)
    if not roster.agents or (kept is not None and kept.role is not Role.READ_ONLY):
        return ticket.owner  # type: ignore[no-any-return]
    need = needs(roster, pack, facts, _products(unit.conn, ticket))
    choice = _choose(unit, services, need, pack)
    give(unit, ticket, choice.agent, actor="aftersail", why=choice.why)
    return choice.agent


def assign_ticket(unit: Unit, services: Services, number: int, to: str | None, *, actor: str, why: str = "") -> str:
    """Give a ticket to somebody, or with None to whom the routing names, and return who has it now.

    Raises:
        TicketError: there is no such ticket or agent, it has ended, or there is nobody to choose from.
    """
    ticket, roster = _live(unit, number), services.roster
    if to is not None and roster.agents:
        found = roster.find(to)
        if found is None or found.role is Role.READ_ONLY:
            names = ", ".join(agent.id for agent in roster.agents if agent.role is not Role.READ_ONLY)
            raise TicketError(f"{to!r} cannot own tickets; name one of: {names}")
    if to is None:
        to, reason = _route(unit, services, ticket, without=())
        why = why or reason
    give(unit, ticket, to, actor=actor, why=why)
    return to


def escalate(unit: Unit, services: Services, number: int, *, to: str, why: str, actor: str) -> str:
    """Hand a ticket up, to a `senior` (a supervisor or admin) or to a `technical` agent; return who has it now.

    What was said, decided and planned stays on the ticket, and who had it stays in its history.

    Raises:
        TicketError: there is no such ticket, it has ended, or nobody else can take it: then the owner keeps it.
    """
    ticket, roster = _live(unit, number), services.roster

    def suits(agent: Agent) -> bool:
        return agent.role.rank >= Role.SUPERVISOR.rank if to == "senior" else TECHNICAL in agent.skills

    others = [agent for agent in roster.agents if agent.role is not Role.READ_ONLY and agent.id != ticket.owner]
    if not any(suits(agent) for agent in others):
        wanted = "role: supervisor" if to == "senior" else f"skills: [{TECHNICAL}]"
        raise TicketError(f"nobody else can take ticket {number}; give an agent `{wanted}` under desk.agents")
    chosen, _ = _route(
        unit, services, ticket, without={agent.id for agent in roster.agents if agent not in others or not suits(agent)}
    )
    give(unit, ticket, chosen, actor=actor, why=why, kind="ticket_escalated", level=to)
    return chosen


def _route(unit: Unit, services: Services, ticket: Any, without: Collection[str]) -> tuple[str, str]:
    if not services.roster.agents:
        raise TicketError("the settings name no agents; name one under desk.agents, or the owner on the command line")
    pack = pack_of(services, ticket)
    choice = _choose(unit, services, need_of(unit, services, ticket, pack), pack, without)
    return choice.agent, choice.why


def need_of(unit: Unit, services: Services, ticket: Any, pack: Pack) -> Need:
    """Say what the routing asks for a ticket as it stands."""
    facts = gather(unit.conn, ticket, services, unit.now)
    return needs(services.roster, pack, facts, _products(unit.conn, ticket))


def calendars_of(pack: Pack) -> CalendarOf:
    """Give the calendars of a pack by name; a name it does not have means always open."""
    return lambda name: pack.calendar(name) if name in pack.calendars else None


def choose_for(unit: Unit, roster: Roster, ticket: Any, calendar_of: CalendarOf, *, without: Collection[str]) -> str:
    """Say who looks at a ticket besides its owner, of those who are not left out."""
    language = None if ticket.language == _ANY_LANGUAGE else str(ticket.language)
    need = Need(channel=ticket.channel, language=language)
    loads = loads_of(unit.conn)
    return choose(roster, need, loads=loads, at=unit.now, calendar_of=calendar_of, without=without).agent


def _choose(unit: Unit, services: Services, need: Need, pack: Pack, without: Collection[str] = ()) -> Choice:
    loads, calendars = loads_of(unit.conn), calendars_of(pack)
    return choose(services.roster, need, loads=loads, at=unit.now, calendar_of=calendars, without=without)


def give(unit: Unit, ticket: Any, to: str, *, actor: str, why: str, kind: str = "ticket_assigned", **more: Any) -> None:
    """Write down who has a ticket now, unless it was theirs before."""
    if ticket.owner == to:
        return
    update_ticket(unit, ticket.id, owner=to)
    unit.record(kind, ticket.channel, ticket.id, actor=actor, before=ticket.owner, after=to, why=why, **more)


def _live(unit: Unit, number: int) -> Any:
    ticket = get_ticket(unit.conn, number)
    if ticket.state in OVER:
        raise TicketError(f"ticket {number} is {ticket.state}: it needs no owner any more")
    return ticket


def _products(conn: sa.Connection, ticket: Any) -> list[str]:
    """The titles and SKUs of what was ordered."""
    lines: Iterable[Any] = ()
    if ticket.orders_id is not None:
        lines = conn.scalar(sa.select(tables.orders.c.lines).where(tables.orders.c.id == ticket.orders_id)) or ()
    return [text for line in lines for text in (line["title"], line.get("sku")) if text]
