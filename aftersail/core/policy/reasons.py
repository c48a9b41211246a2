"""The shared vocabulary of why a buyer writes. Triage finds a reason, packs act on it."""

from __future__ import annotations

from enum import StrEnum


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
