"""What a decision plans beside money, answers, owner and service: a task for a person each, as no platform does it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from aftersail.core.contract import Record
from aftersail.core.policy import AskPerson, Notify, PlannedAction, PlannedOffer
from aftersail.core.remedies.tasks import close_answered, open_task
from aftersail.core.store.unit import Unit

_KINDS: Final[dict[type[Record], str]] = {PlannedOffer: "offer", Notify: "notify"}
"""The kind of task each of them is."""


def question(ask: AskPerson) -> str:
    """Return what a person is asked, with the role it has to be."""
    return f"{ask.why} (for {ask.whom})" if ask.role else ask.why


def plan_effects(unit: Unit, ticket: Any, actions: Iterable[PlannedAction], link: str | None) -> None:
    """Open the tasks of a decision, once each, and close those a newer decision does not want any more."""
    planned = [(_KINDS[type(action)], action) for action in actions if type(action) in _KINDS]
    for kind in _KINDS.values():
        close_answered(unit, ticket.id, kind, [action.sentence for wanted, action in planned if wanted == kind])
    for kind, action in planned:
        open_task(unit, ticket.id, kind, action.sentence, link=link)
