"""What a refund rule would pay, and whether it may pay it without a person."""

from __future__ import annotations

from dataclasses import dataclass

from aftersail.core.contract import Money
from aftersail.core.policy.actions import RefundAction
from aftersail.core.policy.authority import AUTOMATION, approver
from aftersail.core.policy.compiled import Pack
from aftersail.core.policy.facts import Facts
from aftersail.core.policy.planned import AskPerson, PlannedRefund


@dataclass(frozen=True)
class Payment:
    """What came out, and the arithmetic behind it."""

    action: PlannedRefund | AskPerson
    steps: tuple[str, ...]


def pay(pack: Pack, facts: Facts, rule: str, refund: RefundAction) -> Payment:
    """Work out what a rule pays.

    Whatever stands in the way of paying by itself, such as a sender nobody has proven, an unknown limit or an amount
    above the limit, turns the refund into a question to a person, with what could be paid as the proposal.
    """
    claim = facts.money("claim.amount")
    if claim is None:
        return Payment(AskPerson(rule=rule, why="cannot tell what to pay: fact claim.amount is missing"), ())
    if claim.amount <= 0:
        return Payment(AskPerson(rule=rule, why=f"there is nothing to pay: the claim is about {claim}"), ())
    amount, step = _amount(pack, claim, refund)
    if amount is None:
        return Payment(AskPerson(rule=rule, why=step), ())
    steps = [step]
    reasons: list[str] = []
    left = _left(facts, claim.currency)
    if left is None:
        reasons.append(f"cannot tell what is left of the order in {claim.currency}")
    elif left < amount:
        reasons.append(f"{amount} is more than the {left} that is left of the order")
        steps.append(f"capped at what is left: {amount} becomes {left}")
        amount = left
    if claim < amount:
        reasons.append(f"{amount} is more than the {claim} the claim is about")
    if amount.amount <= 0:
        return Payment(AskPerson(rule=rule, why="; ".join([*reasons, "there is nothing to pay"])), tuple(steps))
    reasons += _identity(facts)
    reasons += _authority(pack, amount, steps)
    planned = PlannedRefund(rule=rule, amount=amount, percent=refund.percent, why="; ".join(steps))
    if reasons:
        who = approver(pack, amount)
        return Payment(AskPerson(rule=rule, why="; ".join(reasons), role=who, proposed=planned), tuple(steps))
    return Payment(planned, tuple(steps))


def _amount(pack: Pack, claim: Money, refund: RefundAction) -> tuple[Money | None, str]:
    if refund.percent is not None:
        amount = claim.share(refund.percent)
        return amount, f"{refund.percent.normalize():f} % of {claim} = {amount}"
    fixed = refund.amount
    if fixed is None or fixed.currency == claim.currency:
        return fixed, f"the rule pays {fixed}"
    converted = pack.content.converted(fixed, claim.currency)
    if converted is None:
        return None, f"the rule pays {fixed}, but there is no rate to {claim.currency}"
    foreign = fixed.currency if claim.currency == pack.currency else claim.currency
    return converted, f"the rule pays {fixed} = {converted}; {pack.content.explain_rate(foreign)}"


def _left(facts: Facts, currency: str) -> Money | None:
    """Return what may still go back: what the platform says, and never more than paid minus refunded."""
    total, refunded = facts.money("order.total"), facts.money("order.refunded")
    limits = [facts.money("order.refundable")]
    if total is not None and refunded is not None and total.currency == refunded.currency:
        limits.append(total - refunded)
    known = [limit for limit in limits if limit is not None]
    if not known or any(limit.currency != currency for limit in known):
        return None
    return min(known, key=lambda limit: limit.amount)


def _identity(facts: Facts) -> list[str]:
    """Money only goes out for a message that is genuine, from the buyer of that order."""
    reasons: list[str] = []
    if facts.get("message.authentic") is not True:
        reasons.append("the message is not proven to be from whom it claims")
    if facts.get("buyer.matches_order") is not True:
        reasons.append("the writer is not proven to be the one who ordered")
    return reasons


def _authority(pack: Pack, amount: Money, steps: list[str]) -> list[str]:
    limit = pack.authority.get(AUTOMATION)
    if limit is None:
        return ["the pack does not let automation pay anything"]
    value, bound = pack.content.converted(amount, pack.currency), pack.content.converted(limit, pack.currency)
    if value is None or bound is None:
        return [f"there is no rate to compare {amount} with the limit of {limit}"]
    if amount.currency != pack.currency:
        steps.append(f"{amount} = {value}; {pack.content.explain_rate(amount.currency)}")
    if bound < value:
        return [f"{value} is above the {limit} that may be paid without asking"]
    return []
