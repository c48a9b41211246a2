"""A rule gives a ticket to a team or a role: once, to somebody on duty, or a task says why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from aftersail.core.desk.assignment import assign_ticket
from aftersail.core.desk.roster import Agent, Role, Roster, Team
from aftersail.core.desk.services import Services
from aftersail.core.store import tables
from tests.builders import NOON, Desk
from tests.desk.test_effects import judged, services_of, tasks, ticket

__all__ = ["services_of", "ticket"]

ANN, BOB, CAT = (Agent(id=name, team="returns") for name in ("ann", "bob", "cat"))
SUE = Agent(id="sue", team="berlin", role=Role.SUPERVISOR)
Working = Callable[..., None]


@pytest.fixture
def working(ticket: Desk, services_of: Callable[[str], Services]) -> Working:
    """Judge by a rule that assigns, with these people at the desk."""

    def build(to: str, *agents: Agent) -> None:
        roster = Roster(agents=agents, teams={"returns": Team(), "berlin": Team()}, manager="sue")
        rules = f"  - {{id: give, priority: 1, when: order.known, then: [{{assign: {to}}}]}}\n"
        judged(ticket, replace(services_of(rules), roster=roster))

    return build


def owner(desk: Desk) -> str | None:
    return desk.rows(tables.ticket)[0].owner  # type: ignore[no-any-return]


def events(desk: Desk, kind: str) -> list[dict[str, Any]]:
    return [row.data for row in desk.rows(tables.event) if row.kind == kind]


def test_a_team_gets_it_and_in_it_who_has_least_to_do(ticket: Desk, working: Working) -> None:
    first = ticket.rows(tables.ticket)[0]._mapping
    with ticket.engine.begin() as conn:
        conn.execute(sa.insert(tables.ticket).values(**(dict(first) | {"id": 2, "owner": "ann"})))
    working("{team: returns}", SUE, ANN, BOB)
    assert owner(ticket) == "bob"
    assert tasks(ticket, "assign") == []
    (done,) = events(ticket, "assignment_carried_out")
    assert done["who"] == {"team": "returns", "role": None, "owner": "bob"}
    (assigned,) = events(ticket, "ticket_assigned")
    assert (assigned["after"], assigned["why"]) == ("bob", "rule give: 0 live tickets, of 2 who suit")


def test_it_is_done_once_and_whoever_gives_it_away_later_has_the_last_word(ticket: Desk, working: Working) -> None:
    working("{team: returns}", SUE, ANN)
    services = replace(ticket.services, roster=Roster(agents=(SUE, ANN)))
    ticket.do(lambda unit: assign_ticket(unit, services, 1, "sue", actor="sue"))
    working("{team: returns}", SUE, ANN)
    assert owner(ticket) == "sue"
    assert len(events(ticket, "assignment_carried_out")) == 1


def test_an_owner_who_is_one_of_them_keeps_it(ticket: Desk, working: Working) -> None:
    with ticket.engine.begin() as conn:
        conn.execute(sa.update(tables.ticket).values(owner="cat"))
    working("{team: returns}", ANN, CAT)
    assert owner(ticket) == "cat"
    assert events(ticket, "ticket_assigned") == []


@pytest.mark.parametrize(("role", "who"), [("supervisor", "sue"), ("manager", "sue"), ("admin", "ada")])
def test_a_role_gets_it(ticket: Desk, working: Working, role: str, who: str) -> None:
    working(f"{{role: {role}}}", ANN, SUE, Agent(id="ada", role=Role.ADMIN))
    assert owner(ticket) == who


@pytest.mark.parametrize(
    ("to", "agents", "why"),
    [
        ("{team: retuns}", (ANN,), "There is no team 'retuns' under desk.teams"),
        ("{role: boss}", (ANN,), "There is no role 'boss' at the desk"),
        ("{team: berlin}", (ANN,), "Nobody is in team berlin"),
        ("{role: admin}", (ANN,), "Nobody is of the role admin"),
        ("{team: returns}", (), "The settings name no agents"),
    ],
)
def test_what_cannot_be_done_is_a_task_that_says_why(
    ticket: Desk, working: Working, to: str, agents: tuple[Agent, ...], why: str
) -> None:
    for _ in range(2):
        working(to, *agents)
        (task,) = tasks(ticket, "assign")
    assert why in task
    assert task.endswith(": aftersail ticket assign 1 --to AGENT")
    assert owner(ticket) == ("ann" if agents else None)
    assert events(ticket, "assignment_carried_out") == []


def test_it_waits_for_somebody_on_duty(ticket: Desk, working: Working) -> None:
    away = ANN.model_copy(update={"absent": (NOON.date(),)})
    working("{team: returns}", away, SUE)
    (task,) = tasks(ticket, "assign")
    assert "Nobody in team returns is on duty before 2026-01-06 00:00 UTC" in task
    assert owner(ticket) == "sue"
    ticket.advance(24 * 60)
    working("{team: returns}", away, SUE)
    assert (owner(ticket), tasks(ticket, "assign")) == ("ann", [])


def test_a_ticket_that_changes_teams_moves_its_clocks_as_the_pack_says(ticket: Desk, working: Working) -> None:
    working("{team: returns}", ANN, SUE)
    assert events(ticket, "clocks_moved") == []
    working("{team: berlin}", ANN, SUE)
    assert owner(ticket) == "sue"
    (moved,) = events(ticket, "clocks_moved")
    assert (moved["team"], moved["mode"]) == ("berlin", "keep")
