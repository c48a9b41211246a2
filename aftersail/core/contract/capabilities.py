"""What a channel can do, as values and not as booleans, so that policy can plan around what a platform lacks."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from aftersail.core.contract.base import Record


class Inbound(StrEnum):
    """How buyers' messages arrive."""

    API = "api"
    WEBHOOK = "webhook"
    EMAIL = "email"
    """No message API: mail to a relay address, recognised by `claim_email`."""
    NONE = "none"


class ReplyMode(StrEnum):
    """How an answer leaves."""

    API = "api"
    EMAIL_RELAY = "email_relay"
    """Through the mailbox the question came to, to the platform's relay address."""
    TEMPLATE_ONLY = "template_only"
    DEEPLINK = "deeplink"
    NONE = "none"


class AttachmentMode(StrEnum):
    """How files go out with an answer."""

    UPLOAD = "upload"
    URL = "url"
    NONE = "none"


class RefundMode(StrEnum):
    """How money goes back."""

    SYNC = "sync"
    ASYNC = "async"
    FEED = "feed"
    VIA_CASE = "via_case"
    NONE = "none"


class PartialRefund(StrEnum):
    """What a part of a refund is measured in."""

    AMOUNT = "amount"
    QUANTITY = "quantity"
    NO = "no"


class Idempotency(StrEnum):
    """What protects a refund from being paid twice when the answer got lost."""

    KEY = "key"
    """The platform takes our key: the same key and body may be sent again."""
    NATURAL = "natural"
    """The state change itself can happen only once."""
    LOOKUP = "lookup"
    """No key, but the platform lists its refunds: read before any retry."""
    NONE = "none"
    """Neither: after a lost answer a person decides."""


class DeadlineSource(StrEnum):
    """Where the platform's own deadline comes from."""

    PAYLOAD = "payload"
    DERIVED = "derived"
    NONE = "none"


class LinkKind(StrEnum):
    """What a message is linked to by the platform itself."""

    ORDER = "order"
    LISTING = "listing"
    NONE = "none"


class Sandbox(StrEnum):
    """How far the platform's own test environment goes."""

    FULL = "full"
    PARTIAL = "partial"
    NONE = "none"


class ReplyCapability(Record):
    """How an answer leaves, and within which limits.

    Attributes:
        max_chars: longest text the platform takes; None where it names no limit.
        window: how long after the buyer's last message an answer is allowed; None for no limit.
    """

    mode: ReplyMode = ReplyMode.NONE
    max_chars: int | None = None
    attachments: AttachmentMode = AttachmentMode.NONE
    window: timedelta | None = None


class RefundCapability(Record):
    """How money goes back, and what protects it from going twice."""

    mode: RefundMode = RefundMode.NONE
    partial: PartialRefund = PartialRefund.NO
    idempotency: Idempotency = Idempotency.NONE


class LabelCapability(Record):
    """What protects a return label from being bought twice: `key`, or `none`; no hook looks a label up."""

    idempotency: Idempotency = Idempotency.NONE


class Capabilities(Record):
    """The static declaration of a connector; objects add their own `available_actions` and `respond_by`.

    Attributes:
        case_actions: what `decide_case` understands on this platform, such as `approve`.
    """

    inbound: Inbound = Inbound.NONE
    reply: ReplyCapability = ReplyCapability()
    refund: RefundCapability = RefundCapability()
    label: LabelCapability = LabelCapability()
    case_actions: tuple[str, ...] = ()
    deadline_source: DeadlineSource = DeadlineSource.NONE
    links: LinkKind = LinkKind.NONE
    sandbox: Sandbox = Sandbox.NONE


def contradictions(capabilities: Capabilities, operations: frozenset[str]) -> tuple[str, ...]:
    """Name where the declared values and the implemented operations disagree; empty when they agree."""
    refund, reply = capabilities.refund, capabilities.reply
    needs = (
        (capabilities.inbound is Inbound.API, "fetch_messages", "inbound is 'api'"),
        (capabilities.inbound is Inbound.EMAIL, "claim_email", "inbound is 'email'"),
        (capabilities.inbound is Inbound.WEBHOOK, "parse_webhook", "inbound is 'webhook'"),
        (reply.mode in {ReplyMode.API, ReplyMode.TEMPLATE_ONLY}, "post_reply", f"reply is '{reply.mode}'"),
        (
            refund.mode in {RefundMode.SYNC, RefundMode.ASYNC, RefundMode.FEED},
            "issue_refund",
            f"refund is '{refund.mode}'",
        ),
        (refund.mode is RefundMode.VIA_CASE, "decide_case", "refund is 'via_case'"),
        (refund.idempotency is Idempotency.LOOKUP, "lookup_refund", "idempotency is 'lookup'"),
        (bool(capabilities.case_actions), "decide_case", "case_actions is not empty"),
        (capabilities.label.idempotency is Idempotency.KEY, "buy_label", "label idempotency is 'key'"),
    )
    found = [
        f"{because}, but {hook} is not implemented"
        for given, hook, because in needs
        if given and hook not in operations
    ]
    if "issue_refund" in operations and refund.mode is RefundMode.NONE:
        found.append("issue_refund is implemented, but refund is 'none'")
    if "post_reply" in operations and reply.mode in {ReplyMode.NONE, ReplyMode.DEEPLINK}:
        found.append(f"post_reply is implemented, but reply is '{reply.mode}'")
    if capabilities.label.idempotency not in {Idempotency.KEY, Idempotency.NONE}:
        found.append(f"label idempotency is '{capabilities.label.idempotency}', but it can only be 'key' or 'none'")
    return tuple(found)
