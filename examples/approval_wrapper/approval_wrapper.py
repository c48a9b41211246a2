"""Stands around `issue_refund` on every channel: above a limit, no refund leaves without a signature.

It is configured by the environment, and reads that and the file of signatures anew for each refund:

- `APPROVAL_LIMITS`: the most that may leave unsigned, per currency, such as `EUR=100,USD=110`. No limit means 0.
- `APPROVAL_APPROVERS`: who may sign, such as `dana,kim`.
- `APPROVAL_FILE`: one signature a line, the refund's key and the name: `52ba3076-… dana`.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from decimal import Decimal, DecimalException
from pathlib import Path

from aftersail.sdk import NotAllowed, RefundReceipt, RefundRequest, hookimpl


@hookimpl(wrapper=True)
def issue_refund(refund: RefundRequest) -> Generator[None, RefundReceipt, RefundReceipt]:
    """Let a refund through, or refuse it before anything is sent.

    Raises:
        NotAllowed: it is above the limit and nobody who may sign has signed it, or the settings cannot be read.
    """
    try:
        allowed = refund.amount.amount <= _limit(refund.amount.currency) or _signer(refund.key) in _approvers()
    except (OSError, ValueError, DecimalException) as error:
        raise NotAllowed(f"refunds are held back, the settings of approval-wrapper are wrong: {error}") from error
    if not allowed:
        raise NotAllowed(f"{refund.amount} is above the limit; sign it first: {refund.key} NAME", code="unsigned")
    return (yield)


def _limit(currency: str) -> Decimal:
    pairs = (pair.partition("=") for pair in os.environ.get("APPROVAL_LIMITS", "").split(",") if pair)
    return {name.strip(): Decimal(most) for name, _, most in pairs}.get(currency, Decimal(0))


def _approvers() -> set[str]:
    return {name.strip() for name in os.environ.get("APPROVAL_APPROVERS", "").split(",")} - {""}


def _signer(key: str) -> str | None:
    path = os.environ.get("APPROVAL_FILE")
    lines = Path(path).read_text(encoding="utf-8").splitlines() if path else []
    return dict(line.split(maxsplit=1) for line in lines if line.strip()).get(key)
