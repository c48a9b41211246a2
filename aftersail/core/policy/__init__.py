"""Policy: packs, facts, decisions and their trace. Pure but for reading pack files; time comes in as an argument."""

from aftersail.core.policy.authority import approver, may_pay
from aftersail.core.policy.compiled import Pack
from aftersail.core.policy.decide import decide
from aftersail.core.policy.decision import Decision, RowTrace, Trace
from aftersail.core.policy.entitlement import Entitlement
from aftersail.core.policy.explain import explain
from aftersail.core.policy.facts import CATALOGUE, Fact, FactError, Facts, FactType, make_facts, plain_facts, read_facts
from aftersail.core.policy.library import PackLibrary, PackNotFoundError, check
from aftersail.core.policy.loader import calendar_warnings
from aftersail.core.policy.planned import (
    AskPerson,
    Assign,
    ExtendService,
    Flag,
    Notify,
    PlannedAction,
    PlannedOffer,
    PlannedRefund,
    PlannedReply,
    Tag,
)
from aftersail.core.policy.problems import PackError, Problem
from aftersail.core.policy.reasons import Reason, Right

__all__ = [
    "CATALOGUE",
    "AskPerson",
    "Assign",
    "Decision",
    "Entitlement",
    "ExtendService",
    "Fact",
    "FactError",
    "FactType",
    "Facts",
    "Flag",
    "Notify",
    "Pack",
    "PackError",
    "PackLibrary",
    "PackNotFoundError",
    "PlannedAction",
    "PlannedOffer",
    "PlannedRefund",
    "PlannedReply",
    "Problem",
    "Reason",
    "Right",
    "RowTrace",
    "Tag",
    "Trace",
    "approver",
    "calendar_warnings",
    "check",
    "decide",
    "explain",
    "make_facts",
    "may_pay",
    "plain_facts",
    "read_facts",
]
