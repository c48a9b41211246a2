"""People for a test's desk."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aftersail.core.desk.roster import Agent, Role, Roster, Team
from tests.builders import Desk

ANN = Agent(id="ann", team="berlin")
BOB = Agent(id="bob", team="berlin")
SUE = Agent(id="sue", team="berlin", role=Role.SUPERVISOR)
SAM = Agent(id="sam", team="berlin", role=Role.SUPERVISOR)
ADA = Agent(id="ada", role=Role.ADMIN)
EVE = Agent(id="eve", role=Role.READ_ONLY)


def staff(desk: Desk, *agents: Agent, **values: Any) -> Roster:
    """Let these people work at the desk from now on; the team `berlin` has the pack's hours and Sue as its lead."""
    teams = {"berlin": Team(lead="sue", calendar="desk")}
    roster = Roster(agents=agents, **({"teams": teams, "manager": "ada"} | values))
    desk.services = replace(desk.services, roster=roster)
    desk.intake._services = desk.services
    return roster
