"""The shared vocabulary of why a buyer writes, and of what is asked for. Triage finds a reason, packs act on it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Reason(StrEnum):
    """One code per kind of matter; `OTHER` is what triage answers where it cannot tell."""

    NOT_RECEIVED = "not_received"
    UNUSABLE = "unusable"
    """Arrived, but cannot be used at all."""
    DAMAGED = "damaged"
    MINOR_DEFECT = "minor_defect"
    """Usable, with a flaw the buyer could live with for part of the price."""
    WRONG_ITEM = "wrong_item"
    NOT_AS_DESCRIBED = "not_as_described"
    MISSING_PARTS = "missing_parts"
    RETURN_REQUEST = "return_request"
    REFUND_REQUEST = "refund_request"
    CANCEL_ORDER = "cancel_order"
    EXCHANGE = "exchange"
    DELIVERY_QUESTION = "delivery_question"
    """When will it come, where is it: not yet a complaint."""
    PRODUCT_QUESTION = "product_question"
    INVOICE = "invoice"
    COMPLAINT = "complaint"
    """Unhappy, without one of the matters above."""
    OTHER = "other"


class Right(StrEnum):
    """What a buyer may ask for, by what went wrong."""

    WITHDRAWAL = "withdrawal"
    """Send it back without saying why."""
    FAULT = "fault"
    """Defective, damaged, or not what was described."""
    NOT_RECEIVED = "not_received"


RIGHT_OF: Final[Mapping[str, Right]] = {
    Reason.NOT_RECEIVED: Right.NOT_RECEIVED,
    **dict.fromkeys(
        (
            Reason.UNUSABLE,
            Reason.DAMAGED,
            Reason.MINOR_DEFECT,
            Reason.WRONG_ITEM,
            Reason.NOT_AS_DESCRIBED,
            Reason.MISSING_PARTS,
        ),
        Right.FAULT,
    ),
    **dict.fromkeys(
        (Reason.RETURN_REQUEST, Reason.REFUND_REQUEST, Reason.CANCEL_ORDER, Reason.EXCHANGE), Right.WITHDRAWAL
    ),
}
"""The right that is asked for where nobody said so; a reason that is not in here asks for none."""
