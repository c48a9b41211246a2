"""The outbox: replies, refunds, case decisions and return labels, each exactly once."""

from aftersail.core.remedies.outbox import Outbox
from aftersail.core.remedies.people import approve, reject, resolve
from aftersail.core.remedies.plan import plan_case_decision, plan_label, plan_refund, plan_reply
from aftersail.core.remedies.states import RemedyKind, RemedyState

__all__ = [
    "Outbox",
    "RemedyKind",
    "RemedyState",
    "approve",
    "plan_case_decision",
    "plan_label",
    "plan_refund",
    "plan_reply",
    "reject",
    "resolve",
]
