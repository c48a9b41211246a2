"""Who may pay how much: the limits per role that a pack sets."""

from __future__ import annotations

from typing import Final

from aftersail.core.contract import Money
from aftersail.core.policy.compiled import Pack

AUTOMATION: Final = "automation"
"""The role under `authority` that aftersail itself acts in."""


def may_pay(pack: Pack, role: str, amount: Money) -> bool:
    """Tell whether a role may pay an amount without asking; a limit that cannot be compared allows nothing."""
    limit = pack.authority.get(role)
    if limit is None:
        return False
    value, bound = pack.content.converted(amount, pack.currency), pack.content.converted(limit, pack.currency)
    return value is not None and bound is not None and value <= bound


def approver(pack: Pack, amount: Money) -> str | None:
    """Return the role with the lowest limit that an amount is within, aftersail itself not counted; None for nobody."""
    able = [role for role in pack.authority if role != AUTOMATION and may_pay(pack, role, amount)]
    limits = {role: pack.content.converted(pack.authority[role], pack.currency) for role in able}
    return min(able, key=lambda role: limit.amount if (limit := limits[role]) else amount.amount, default=None)
