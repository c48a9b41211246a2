"""Policy: packs, facts, decisions and their trace. Pure but for reading pack files; time comes in as an argument."""

from aftersail.core.policy.compiled import Pack
from aftersail.core.policy.decide import decide
from aftersail.core.policy.decision import (
    AskPerson,
    Decision,
    Flag,
    PlannedAction,
    PlannedRefund,
    PlannedReply,
    RowTrace,
    Tag,
    Trace,
)
from aftersail.core.policy.explain import explain
from aftersail.core.policy.facts import CATALOGUE, Fact, FactError, Facts, FactType, make_facts
from aftersail.core.policy.library import PackLibrary, PackNotFoundError, check
from aftersail.core.policy.problems import PackError, Problem
from aftersail.core.policy.reasons import Reason

__all__ = [
    "CATALOGUE",
    "AskPerson",
    "Decision",
    "Fact",
    "FactError",
    "FactType",
    "Facts",
    "Flag",
    "Pack",
    "PackError",
    "PackLibrary",
    "PackNotFoundError",
    "PlannedAction",
    "PlannedRefund",
    "PlannedReply",
    "Problem",
    "Reason",
    "RowTrace",
    "Tag",
    "Trace",
    "check",
    "decide",
    "explain",
    "make_facts",
]
