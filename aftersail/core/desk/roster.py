"""Who works at the desk, in which team and with which skills: the section `desk` of the settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, StringConstraints

from aftersail.core.contract import Record
from aftersail.core.policy.problems import did_you_mean
from aftersail.core.policy.reasons import Reason
from aftersail.core.policy.values import Amount, Duration, Language, Name

TEAM_LEAD: Final = "team lead"
MANAGER: Final = "manager"
"""What people are called as long as the settings name nobody."""

TECHNICAL: Final = "technical"
"""The skill that an escalation to a technician asks for."""


class Role(StrEnum):
    """What an agent may do; how much money each role may pay is the pack's `authority`."""

    READ_ONLY = "read_only"
    AGENT = "agent"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """The higher, the more an agent may do."""
        return list(Role).index(self)


def _words(value: object) -> object:
    return [value] if isinstance(value, str) else value


Person = Annotated[str, StringConstraints(pattern=r"^[^\s:,][^\n:,]*$", max_length=64)]
Words = Annotated[tuple[Name, ...], BeforeValidator(_words)]
Languages = Annotated[tuple[Language, ...], BeforeValidator(_words)]
Reasons = Annotated[tuple[Reason, ...], BeforeValidator(_words)]
Channels = Annotated[tuple[str, ...], BeforeValidator(_words)]


class Agent(Record):
    """One person at the desk.

    Attributes:
        id: what the history calls them; on the command line the name of their account on this machine.
        languages: what they write well; empty for every language.
        skills: such as `electronics`, `negotiation` or `technical`.
        channels: whose tickets they get; empty for every channel.
        absent: days, or first and last day, both included, in the zone of the team's calendar.
    """

    id: Person
    name: str = ""
    role: Role = Role.AGENT
    team: Name | None = None
    languages: Languages = ()
    skills: Words = ()
    channels: Channels = ()
    absent: tuple[date | tuple[date, date], ...] = ()

    def is_absent(self, day: date) -> bool:
        """Tell whether the agent is away on a day."""
        return any(
            absence == day if isinstance(absence, date) else absence[0] <= day <= absence[1] for absence in self.absent
        )


class Team(Record):
    """Agents who share opening hours.

    Attributes:
        lead: who gets what has no owner.
        calendar: a calendar of the pack in use; without one the team is always on duty.
    """

    lead: Person | None = None
    calendar: Name | None = None


class RoutingWhen(Record):
    """Which tickets a routing row is for: every key given must match, none means all tickets.

    Attributes:
        products: the beginning of a line's SKU, or a word of its title.
        amount_from: what the matter is about is worth at least so much, by the pack's own rates.
    """

    reasons: Reasons = ()
    languages: Languages = ()
    channels: Channels = ()
    products: Annotated[tuple[str, ...], BeforeValidator(_words)] = ()
    amount_from: Amount | None = None
    escalation: bool | None = None


class RoutingRow(Record):
    """What matching tickets need of the agent who gets them; the needs of all rows that match add up."""

    when: RoutingWhen = RoutingWhen()
    skills: Words = ()
    team: Name | None = None
    role: Role | None = None


class Roster(Record):
    """Everybody at the desk. Without agents nothing is assigned, and whoever may use the commands may do everything.

    Attributes:
        manager: who hears of every warning beside the owner.
        working_days: a calendar of the pack that tells working days for objections; without one Monday to Friday.
        objection_days: how many working days after its closing a buyer may object.
        appeal_within: how long an appeal or objection may wait for its answer, in elapsed time.
    """

    agents: tuple[Agent, ...] = ()
    teams: dict[Name, Team] = Field(default_factory=dict)
    manager: Person | None = None
    routing: tuple[RoutingRow, ...] = ()
    working_days: Name | None = None
    objection_days: Annotated[int, Field(ge=1, le=90)] = 3
    appeal_within: Duration = timedelta(hours=24)

    def find(self, agent: str | None) -> Agent | None:
        """Return an agent by id."""
        return next((each for each in self.agents if each.id == agent), None)

    def role_of(self, actor: str) -> Role | None:
        """Say what somebody may do; None for a stranger. Where no agents are named everybody is an admin."""
        if not self.agents:
            return Role.ADMIN
        found = self.find(actor)
        return found.role if found else None

    def lead_of(self, agent: str | None) -> str:
        """Name whoever answers for an agent's tickets, or for one that has no owner; never nobody."""
        found = self.find(agent)
        team = self.teams.get(found.team) if found and found.team else None
        leads = [team.lead if team else None, *(each.lead for each in self.teams.values()), self.manager]
        return next((lead for lead in leads if lead), TEAM_LEAD)

    def recipients(self, owner: str | None) -> tuple[str, ...]:
        """Name who is told of a clock: the owner, or else the team lead; and the manager."""
        return tuple(dict.fromkeys((owner or self.lead_of(None), self.manager or MANAGER)))


NOBODY: Final = Roster()
"""A desk whose people the settings do not name."""

Complaint = tuple[tuple[str | int, ...], str, str]
"""Where in the section something is wrong, what, and the fix."""


def complaints(roster: Roster, channels: Iterable[str]) -> Iterator[Complaint]:
    """Find names in a roster that stand for nothing."""
    ids = [agent.id for agent in roster.agents]
    for index, agent in enumerate(roster.agents):
        where = ("agents", index)
        if agent.id in ids[:index]:
            yield (*where, "id"), f"there are two agents called {agent.id!r}", "give one of them another id"
        if agent.team is not None and agent.team not in roster.teams:
            yield (*where, "team"), f"there is no team {agent.team!r}", did_you_mean(agent.team, roster.teams)
        for number, channel in enumerate(agent.channels):
            if channel not in set(channels):
                yield (*where, "channels", number), f"there is no channel {channel!r}", did_you_mean(channel, channels)
    for name, team in roster.teams.items():
        if team.lead is not None and team.lead not in ids:
            yield ("teams", name, "lead"), f"there is no agent {team.lead!r}", did_you_mean(team.lead, ids)
    if roster.manager is not None and roster.manager not in ids:
        yield ("manager",), f"there is no agent {roster.manager!r}", did_you_mean(roster.manager, ids)
    for index, row in enumerate(roster.routing):
        yield from _routing_complaints(roster, index, row)


def _routing_complaints(roster: Roster, index: int, row: RoutingRow) -> Iterator[Complaint]:
    workers = [agent for agent in roster.agents if agent.role is not Role.READ_ONLY]
    if row.team is not None and row.team not in roster.teams:
        yield ("routing", index, "team"), f"there is no team {row.team!r}", did_you_mean(row.team, roster.teams)
    if row.role is not None and all(agent.role.rank < row.role.rank for agent in workers):
        yield ("routing", index, "role"), f"nobody is {row.role} or more", "give an agent this role"
    known = {skill for agent in workers for skill in agent.skills}
    for number, skill in enumerate(row.skills):
        if skill not in known:
            yield ("routing", index, "skills", number), f"nobody has the skill {skill!r}", did_you_mean(skill, known)
