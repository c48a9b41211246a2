"""The typed front of one channel: the engine calls this, never a raw hook."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from aftersail.core.contract import (
    Account,
    Capabilities,
    Case,
    CaseDecision,
    ChannelError,
    ConnectorType,
    Evidence,
    Label,
    LabelRequest,
    Message,
    NotAllowed,
    Order,
    Page,
    Parcel,
    RawMail,
    Receipt,
    RefundQuote,
    RefundReceipt,
    RefundRequest,
    Reply,
    Subscription,
    Tracking,
    WebhookHint,
    WebhookRequest,
)
from aftersail.core.host.relay import Relay

if TYPE_CHECKING:
    from aftersail.core.contract import Closable

AnswerT = TypeVar("AnswerT")


class ConnectorDefectError(Exception):
    """A connector raised something outside the closed set of errors, or answered with the wrong type.

    It is a defect of the plugin. For a write the host treats it like `Ambiguous`, since nobody knows how far it came.
    """

    def __init__(self, channel: str, hook: str, cause: str) -> None:
        super().__init__(f"channel {channel}: the connector's {hook} is defective: {cause}")
        self.hook = hook


class Channel:
    """One account on one platform, one method per hook.

    Attributes:
        id: the channel's id, as in `aftersail.yaml`.
        kind: the connector's kind.
        capabilities: what the platform can do.
        operations: the hooks the connector implements.
    """

    def __init__(
        self,
        channel_id: str,
        connector_type: ConnectorType,
        connector: Closable,
        wrappers: Iterable[tuple[str, object]] = (),
    ) -> None:
        self.id = channel_id
        self.kind = connector_type.kind
        self.title = connector_type.title
        self.capabilities: Capabilities = connector_type.capabilities
        self.operations = connector_type.operations
        self._connector = connector
        self._relay = Relay(connector, connector_type.operations, wrappers)

    def can(self, hook: str) -> bool:
        """Tell whether the connector implements a hook."""
        return hook in self.operations

    def _relayed(self, hook: str, **arguments: Any) -> Any:
        if not self.can(hook):
            raise NotAllowed(f"{self.title} cannot do this through its API: {hook}", code="unsupported")
        try:
            return getattr(self._relay.hook, hook)(**arguments)
        except ChannelError:
            raise
        except Exception as error:
            raise ConnectorDefectError(self.id, hook, f"it raised {type(error).__name__}: {error}") from error

    def _call(self, hook: str, answer: type[AnswerT], **arguments: Any) -> AnswerT:
        result = self._relayed(hook, **arguments)
        if not isinstance(result, answer):
            cause = f"it answered {type(result).__name__} instead of {answer.__name__}"
            raise ConnectorDefectError(self.id, hook, cause)
        return result

    def _call_optional(self, hook: str, answer: type[AnswerT], **arguments: Any) -> AnswerT | None:
        result = self._relayed(hook, **arguments)
        if result is not None and not isinstance(result, answer):
            cause = f"it answered {type(result).__name__} instead of {answer.__name__} or None"
            raise ConnectorDefectError(self.id, hook, cause)
        return result

    def check_account(self) -> Account:
        """See `ChannelSpec.check_account`."""
        return self._call("check_account", Account)

    def fetch_messages(self, cursor: str | None, limit: int) -> Page[Message]:
        """See `ChannelSpec.fetch_messages`."""
        return self._call("fetch_messages", Page[Message], cursor=cursor, limit=limit)

    def fetch_cases(self, cursor: str | None, limit: int) -> Page[Case]:
        """See `ChannelSpec.fetch_cases`."""
        return self._call("fetch_cases", Page[Case], cursor=cursor, limit=limit)

    def fetch_orders(self, cursor: str | None, limit: int) -> Page[Order]:
        """See `ChannelSpec.fetch_orders`."""
        return self._call("fetch_orders", Page[Order], cursor=cursor, limit=limit)

    def post_reply(self, reply: Reply) -> Receipt:
        """See `ChannelSpec.post_reply`."""
        return self._call("post_reply", Receipt, reply=reply)

    def quote_refund(self, order_id: str) -> RefundQuote:
        """See `ChannelSpec.quote_refund`."""
        return self._call("quote_refund", RefundQuote, order_id=order_id)

    def issue_refund(self, refund: RefundRequest) -> RefundReceipt:
        """See `ChannelSpec.issue_refund`."""
        return self._call("issue_refund", RefundReceipt, refund=refund)

    def lookup_refund(self, refund: RefundRequest) -> RefundReceipt | None:
        """See `ChannelSpec.lookup_refund`."""
        return self._call_optional("lookup_refund", RefundReceipt, refund=refund)

    def decide_case(self, decision: CaseDecision) -> Receipt:
        """See `ChannelSpec.decide_case`."""
        return self._call("decide_case", Receipt, decision=decision)

    def attach_evidence(self, evidence: Evidence) -> Receipt:
        """See `ChannelSpec.attach_evidence`."""
        return self._call("attach_evidence", Receipt, evidence=evidence)

    def buy_label(self, request: LabelRequest) -> Label:
        """See `ChannelSpec.buy_label`."""
        return self._call("buy_label", Label, request=request)

    def track_shipment(self, parcels: tuple[Parcel, ...]) -> tuple[Tracking, ...]:
        """See `ChannelSpec.track_shipment`."""
        return self._call("track_shipment", tuple, parcels=parcels)

    def verify_webhook(self, request: WebhookRequest) -> bool:
        """See `ChannelSpec.verify_webhook`."""
        return self._call("verify_webhook", bool, request=request)

    def parse_webhook(self, request: WebhookRequest) -> WebhookHint:
        """See `ChannelSpec.parse_webhook`."""
        return self._call("parse_webhook", WebhookHint, request=request)

    def subscribe(self, endpoint: str) -> Subscription:
        """See `ChannelSpec.subscribe`."""
        return self._call("subscribe", Subscription, endpoint=endpoint)

    def claim_email(self, mail: RawMail) -> Message | None:
        """See `ChannelSpec.claim_email`."""
        return self._call_optional("claim_email", Message, mail=mail)

    def close(self) -> None:
        """Release the connector's connections."""
        self._connector.close()
