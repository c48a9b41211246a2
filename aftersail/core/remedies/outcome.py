"""What came of sending or looking: one value, whatever the kind of remedy and whatever went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from aftersail.core.contract import (
    AlreadyDone,
    Ambiguous,
    AuthExpired,
    ChannelError,
    InProgress,
    Invalid,
    NotAllowed,
    RateLimited,
    RefundReceipt,
    RefundState,
    Unavailable,
)
from aftersail.core.host.channel import ConnectorDefectError
from aftersail.core.remedies.states import RemedyState

LOOK_DELAYS: Final = tuple(timedelta(seconds=seconds) for seconds in (2, 15, 60, 240, 600))
"""How long to wait before each look-up of an unknown remedy: read models lag, some by many minutes, and who sends again
before they have caught up pays twice."""

PENDING_DELAY: Final = timedelta(minutes=1)
"""How often to look at what the platform says it is still working on."""

PERSON_DELAY: Final = timedelta(hours=1)
"""How often to look whether a person has said what became of something."""

_FIRST_RETRY: Final = timedelta(seconds=5)
_LONGEST_RETRY: Final = timedelta(minutes=15)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The state a remedy is to take, and what is known about it.

    Attributes:
        looks: look-ups in a row that did not find it; None where nobody looked.
        attention: why the channel itself needs a person; None when the channel is well.
        next_at: when to try or look again.
        result: what the platform handed over, such as a label, as JSON.
    """

    state: RemedyState
    detail: str = ""
    external_id: str | None = None
    booked: Decimal | None = None
    link: str | None = None
    next_at: datetime | None = None
    attention: str | None = None
    looks: int | None = None
    result: Mapping[str, Any] | None = None


def backoff(tries: int) -> timedelta:
    """Wait longer after each try that surely had no effect, up to a quarter of an hour."""
    return min(_FIRST_RETRY * (1 << min(tries, 10)), _LONGEST_RETRY)


def look_delay(looks: int) -> timedelta:
    """Wait before the next look-up."""
    return LOOK_DELAYS[min(looks, len(LOOK_DELAYS) - 1)]


def of_receipt(receipt: RefundReceipt, now: datetime) -> Outcome:
    """Read what the platform says of a refund."""
    states = {
        RefundState.SETTLED: RemedyState.SETTLED,
        RefundState.PENDING: RemedyState.SENT,
        RefundState.REFUSED: RemedyState.REFUSED,
    }
    state = states[receipt.state]
    return Outcome(
        state=state,
        detail=receipt.detail,
        external_id=receipt.external_id,
        booked=receipt.amount.amount,
        next_at=now + PENDING_DELAY if state is RemedyState.SENT else None,
    )


def of_error(error: ChannelError | ConnectorDefectError, now: datetime, tries: int) -> Outcome:
    """Read what an error says about whether the effect happened.

    Whatever is not surely without effect is `unknown`: a defective connector too, since nobody knows how far it came.
    """
    detail = str(error)
    match error:
        case RateLimited():
            wait = error.retry_at or now + backoff(tries)
            return Outcome(state=RemedyState.APPROVED, detail=detail, next_at=max(wait, now))
        case Unavailable():
            return Outcome(state=RemedyState.APPROVED, detail=detail, next_at=now + backoff(tries))
        case AuthExpired():
            return Outcome(state=RemedyState.APPROVED, detail=detail, next_at=now + _LONGEST_RETRY, attention=detail)
        case NotAllowed():
            return Outcome(state=RemedyState.REFUSED, detail=detail, link=error.alternative)
        case Invalid():
            return Outcome(state=RemedyState.REFUSED, detail=detail)
        case Ambiguous() | AlreadyDone() | InProgress() | ConnectorDefectError() | _:
            return Outcome(state=RemedyState.UNKNOWN, detail=detail, next_at=now + look_delay(tries))
