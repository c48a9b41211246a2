"""What a decision plans beside money and answers: a task for a person each, since no platform does it by itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aftersail.core.policy import AskPerson, Assign, ExtendService, Notify, PlannedAction, PlannedOffer
from aftersail.core.remedies.tasks import close_answered, open_task
from aftersail.core.store.unit import Unit

_KINDS = {PlannedOffer: "offer", ExtendService: "extend_service", Assign: "assign", Notify: "notify"}
"""The kind of task each of them is."""


def question(ask: AskPerson) -> str:
    """Return what a person is asked, with the role it has to be."""
    return f"{ask.why} (for {ask.whom})" if ask.role else ask.why


def plan_effects(unit: Unit, ticket: Any, actions: Iterable[PlannedAction], link: str | None) -> None:
    """Open the tasks of a decision, once each, and close those a newer decision does not want any more.

    An owner that a rule names is written to the history too, where the routing finds it.
    """
    planned = [(_KINDS[type(action)], action) for action in actions if type(action) in _KINDS]
    for kind in _KINDS.values():
        close_answered(unit, ticket.id, kind, [action.sentence for wanted, action in planned if wanted == kind])
    for kind, action in planned:
        new = open_task(unit, ticket.id, kind, action.sentence, link=link)
        if new and isinstance(action, Assign):
            unit.record(
                "assignment_planned", ticket.channel, ticket.id, rule=action.rule, team=action.team, role=action.role
            )
