"""Service that a rule grants: once, with what a person has to do and by when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from aftersail.core.desk.agent import finish_task
from aftersail.core.desk.services import Services
from aftersail.core.desk.tickets import TicketError
from aftersail.core.store import tables
from tests.builders import NOON, Desk
from tests.desk.test_effects import GIVING, LONGER, judged, services_of, tasks, ticket

__all__ = ["services_of", "ticket"]

TASK = (
    "Prolong the service by 30 days for Ada Example, from where it ends now: order #1001, 2 x Lamp. Do it where the "
    "service is kept, tell the buyer the new end, today, since no clock of this ticket runs; rule longer grants it. "
    "Then: aftersail ticket done 1"
)
MONTH = 30 * 86400


def events(desk: Desk, kind: str) -> list[dict[str, Any]]:
    return [row.data for row in desk.rows(tables.event) if row.kind == kind]


@pytest.fixture
def lamp(ticket: Desk) -> Desk:
    line = {"external_id": "l1", "title": "Lamp", "quantity": 2, "unit_price": {"amount": "1", "currency": "USD"}}
    with ticket.engine.begin() as conn:
        conn.execute(sa.update(tables.orders).values(lines=[line]))
        conn.execute(sa.delete(tables.clock))
    return ticket


def test_it_is_granted_once_with_what_to_do(lamp: Desk, services_of: Callable[[str], Services]) -> None:
    for _ in range(2):
        judged(lamp, services_of(LONGER))
        lamp.advance(60)
    assert tasks(lamp, "extend_service") == [TASK]
    (granted,) = events(lamp, "service_granted")
    assert (granted["rule"], granted["seconds"]) == ("longer", MONTH)
    assert granted["why"] == "Prolong the service by 30 days, as rule longer says."


def test_it_says_by_when_as_the_promise_for_the_solution_does(
    ticket: Desk, services_of: Callable[[str], Services]
) -> None:
    (due,) = [row.due_at for row in ticket.rows(tables.clock) if row.metric == "resolution"]
    judged(ticket, services_of(LONGER))
    (task,) = tasks(ticket, "extend_service")
    assert f"by {due:%Y-%m-%d %H:%M} UTC (resolution, own: starter)" in task
    with ticket.engine.begin() as conn:
        conn.execute(sa.delete(tables.clock))
    judged(ticket, services_of(LONGER))
    assert tasks(ticket, "extend_service") == [task]


def test_it_is_withdrawn_and_granted_again_as_the_same(lamp: Desk, services_of: Callable[[str], Services]) -> None:
    for rules in (LONGER, GIVING, GIVING, LONGER):
        judged(lamp, services_of(rules))
    assert tasks(lamp, "extend_service") == [TASK]
    assert len(events(lamp, "service_granted")) == 1
    assert events(lamp, "service_grant_withdrawn") == [{"rule": "longer", "seconds": MONTH}]


def test_what_a_person_has_done_is_not_asked_for_again(lamp: Desk, services_of: Callable[[str], Services]) -> None:
    judged(lamp, services_of(LONGER))
    (task,) = [row for row in lamp.rows(tables.task) if row.kind == "extend_service"]
    lamp.do(lambda unit: finish_task(unit, 1, task.id, "ann"))
    for rules in (LONGER, GIVING, LONGER):
        judged(lamp, services_of(rules))
    assert tasks(lamp, "extend_service") == []
    (done,) = [row for row in lamp.rows(tables.event) if row.kind == "task_done"]
    assert (done.actor, done.data["task"]) == ("ann", "extend_service")
    assert events(lamp, "service_grant_withdrawn") == []


def test_a_task_is_done_once_and_not_while_something_else_decides_it(lamp: Desk) -> None:
    with pytest.raises(TicketError, match="has no open task 99"):
        lamp.do(lambda unit: finish_task(unit, 1, 99, "ann"))
    with lamp.engine.begin() as conn:
        row = {"ticket": 1, "kind": "decide_appeal", "why": "appeal 1", "opened_at": NOON}
        number = conn.execute(sa.insert(tables.task).values(**row).returning(tables.task.c.id)).scalar_one()
    with pytest.raises(TicketError, match="ends by itself"):
        lamp.do(lambda unit: finish_task(unit, 1, number, "ann"))
