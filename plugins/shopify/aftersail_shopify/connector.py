"""The Shopify connector: one shop, through the Admin GraphQL API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, ClassVar, TypeVar

from aftersail.sdk import (
    Account,
    AlreadyDone,
    Ambiguous,
    Capabilities,
    Case,
    CaseAction,
    CaseDecision,
    ChannelContext,
    Connector,
    ConnectorSettings,
    Idempotency,
    Invalid,
    NotAllowed,
    Order,
    Page,
    PartialRefund,
    Receipt,
    Record,
    RefundCapability,
    RefundMode,
    RefundQuote,
    RefundReceipt,
    RefundRequest,
    Sandbox,
    Stream,
    Subscription,
    WebhookHint,
    WebhookRequest,
)
from aftersail.sdk.webhooks import verify_hmac
from aftersail_shopify import documents, mapping, refunds
from aftersail_shopify.api import AdminApi, Answer, PageCursorRefused
from aftersail_shopify.cursor import SweepCursor
from aftersail_shopify.documents import Document
from aftersail_shopify.settings import ShopifySettings

ItemT = TypeVar("ItemT", bound=Record)

PAGE = 10
"""Orders per page: one query may cost 1000 points at most (Shopify, "API limits", checked 2026-11-22)."""
LONGEST_NOTE = 500
TOPICS = {
    "ORDERS_CREATE": Stream.ORDERS,
    "ORDERS_UPDATED": Stream.ORDERS,
    "ORDERS_CANCELLED": Stream.ORDERS,
    "REFUNDS_CREATE": Stream.ORDERS,
    "RETURNS_REQUEST": Stream.CASES,
    "RETURNS_APPROVE": Stream.CASES,
    "RETURNS_DECLINE": Stream.CASES,
    "RETURNS_CANCEL": Stream.CASES,
    "RETURNS_CLOSE": Stream.CASES,
    "RETURNS_REOPEN": Stream.CASES,
}
_SCOPES = {
    "read_orders": "orders cannot be fetched",
    "write_orders": "refunds cannot be paid",
    "read_returns": "return requests cannot be fetched",
    "write_returns": "return requests cannot be answered",
    "read_customers": "buyers have no name",
}
_DECLINE_REASONS = {"FINAL_SALE", "RETURN_PERIOD_ENDED", "OTHER"}
_DECIDED = {CaseAction.APPROVE: {"OPEN", "CLOSED"}, CaseAction.DECLINE: {"DECLINED"}}


class ShopifyConnector(Connector[ShopifySettings]):
    """Orders, returns and refunds of one shop.

    Shopify has no API for messages: buyers write mail, which the e-mail channel brings and answers.
    """

    kind = "shopify"
    title = "Shopify"
    settings_model: ClassVar[type[ConnectorSettings]] = ShopifySettings
    capabilities = Capabilities(
        refund=RefundCapability(mode=RefundMode.SYNC, partial=PartialRefund.AMOUNT, idempotency=Idempotency.KEY),
        case_actions=(CaseAction.APPROVE.value, CaseAction.DECLINE.value),
        sandbox=Sandbox.FULL,
    )

    def __init__(self, settings: ShopifySettings, context: ChannelContext) -> None:
        super().__init__(settings, context)
        self._api = AdminApi(settings, context)

    def close(self) -> None:
        """Release every connection."""
        self._api.close()

    def check_account(self) -> Account:
        """Ask for the shop's name and the app's scopes."""
        data = self._api.send(documents.SHOP).data
        shop = data["shop"]
        held = {scope["handle"] for scope in data["currentAppInstallation"]["accessScopes"]}
        # A write scope includes reading.
        held |= {scope.replace("write_", "read_", 1) for scope in held if scope.startswith("write_")}
        warnings = [f"the scope {scope} is missing: {loss}" for scope, loss in _SCOPES.items() if scope not in held]
        if self.settings.history_days > 60 and "read_all_orders" not in held:  # noqa: PLR2004 - Shopify's limit, see settings
            warnings.append("the scope read_all_orders is missing: orders older than 60 days cannot be fetched")
        if shop["myshopifyDomain"] != self.settings.shop:
            warnings.append(f"the token belongs to {shop['myshopifyDomain']}; correct the shop domain")
        if self.settings.client_secret is None:
            warnings.append("without the app's client secret webhooks are refused; the shop is polled only")
        return Account(external_id=shop["id"], title=shop["name"], warnings=tuple(warnings))

    # -- reading -----------------------------------------------------------------------------------------------------

    def fetch_orders(self, cursor: str | None, limit: int) -> Page[Order]:
        """Fetch orders by last change, oldest first, each window reaching back into the one before."""

        def read(node: Mapping[str, Any]) -> list[Order]:
            return [mapping.order_from(node, self._lines_of(node), self.settings)]

        items, after, skipped, more = self._sweep(documents.ORDERS, cursor, limit, read)
        return Page[Order](items=tuple(items), cursor=after, more=more, skipped=tuple(skipped))

    def fetch_cases(self, cursor: str | None, limit: int) -> Page[Case]:
        """Fetch returns through the orders they belong to: a return has no list of its own."""

        def read(node: Mapping[str, Any]) -> list[Case]:
            return [mapping.case_from(item, node, self.settings) for item in node["returns"]["nodes"]]

        items, after, skipped, more = self._sweep(documents.RETURNS, cursor, limit, read)
        return Page[Case](items=tuple(items), cursor=after, more=more, skipped=tuple(skipped))

    def _sweep(
        self,
        document: Document,
        cursor: str | None,
        limit: int,
        read: Callable[[Mapping[str, Any]], list[ItemT]],
    ) -> tuple[list[ItemT], str, list[str], bool]:
        start = self.context.now() - timedelta(days=self.settings.history_days)
        position = SweepCursor.parse(cursor, start=start)
        answer = self._page(document, position, max(1, min(limit, PAGE)))
        skipped = [f"the app may not see the field {name}" for name in dict.fromkeys(answer.denied)]
        items: list[ItemT] = []
        changes = []
        for node in answer.data["orders"]["nodes"]:
            try:
                changes.append(mapping.instant(node["updatedAt"]))
                items += read(node)
            except (KeyError, TypeError, ValueError) as error:
                skipped.append(f"order {node.get('name') or node.get('id')}: {type(error).__name__}: {error}"[:300])
        info = answer.data["orders"]["pageInfo"]
        more = bool(info["hasNextPage"] and info["endCursor"])
        following = position.advance(changes, end_cursor=info["endCursor"] if more else None)
        return items, following.dump(), skipped, more

    def _page(self, document: Document, position: SweepCursor, first: int) -> Answer:
        try:
            return self._api.send(document, first=first, after=position.after, query=position.query)
        except PageCursorRefused:
            # The page's cursor is too old, the window's start is not: go through the window again.
            return self._api.send(document, first=first, after=None, query=position.query)

    def _lines_of(self, node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        lines: list[Mapping[str, Any]] = list(node["lineItems"]["nodes"])
        info = node["lineItems"]["pageInfo"]
        while info["hasNextPage"]:
            order = self._api.send(documents.ORDER_LINES, id=node["id"], after=info["endCursor"]).data["order"]
            lines += order["lineItems"]["nodes"]
            info = order["lineItems"]["pageInfo"]
        return lines

    # -- returns -----------------------------------------------------------------------------------------------------

    def decide_case(self, decision: CaseDecision) -> Receipt:
        """Approve or decline a return request; everything else is done on the order's page."""
        if decision.action is CaseAction.APPROVE:
            document, field = documents.APPROVE, "returnApproveRequest"
            given: dict[str, Any] = {"id": decision.case_id, "notifyCustomer": True}
        elif decision.action is CaseAction.DECLINE:
            document, field = documents.DECLINE, "returnDeclineRequest"
            given = {"id": decision.case_id, "notifyCustomer": True, **self._decline(decision)}
        else:
            raise NotAllowed(
                f"Shopify knows no {decision.action.value} for a return; do it on the order's page",
                alternative=self._link_of(decision.case_id),
            )
        payload = self._api.send(document, input=given).data[field]
        if payload["userErrors"]:
            raise self._undecided(decision, self._api.user_error(document, payload["userErrors"]))
        return Receipt(external_id=payload["return"]["id"], at=self.context.now())

    @staticmethod
    def _decline(decision: CaseDecision) -> dict[str, Any]:
        if len(decision.note) > LONGEST_NOTE:
            raise Invalid(f"the note to the buyer has {len(decision.note)} characters; Shopify takes {LONGEST_NOTE}")
        reason = decision.reason or "OTHER"
        if reason not in _DECLINE_REASONS:
            raise Invalid(f"{reason!r} is no reason to decline; use one of {', '.join(sorted(_DECLINE_REASONS))}")
        return {"declineReason": reason, **({"declineNote": decision.note} if decision.note else {})}

    def _undecided(self, decision: CaseDecision, refusal: Exception) -> Exception:
        if not isinstance(refusal, NotAllowed):
            return refusal
        found = self._api.send(documents.RETURN, id=decision.case_id).data["return"]
        if found and found["status"] in _DECIDED[decision.action]:
            return AlreadyDone(f"the return is {found['status']} already", code=refusal.code)
        link = self.settings.admin_link(found["order"]["id"]) if found else None
        return NotAllowed(refusal.detail, alternative=link, code=refusal.code)

    def _link_of(self, case_id: str) -> str | None:
        found = self._api.send(documents.RETURN, id=case_id).data["return"]
        return self.settings.admin_link(found["order"]["id"]) if found else None

    # -- money -------------------------------------------------------------------------------------------------------

    def quote_refund(self, order_id: str) -> RefundQuote:
        """Read what Shopify would still pay back, and every refund so far."""
        order = self._refundable(order_id)
        return RefundQuote(
            order_id=order_id,
            remaining=refunds.remaining(order),
            refunds=tuple(mapping.receipt_from(node) for node in order["refunds"]),
        )

    def issue_refund(self, refund: RefundRequest) -> RefundReceipt:
        """Pay back through the payments the buyer made, under our key.

        Shopify keeps keys for 24 hours; the key also stands in the refund's note, and is looked for first, so that an
        older one is never paid again either.
        """
        order = self._refundable(refund.order_id)
        known = refunds.find(order, refund.key)
        if known is not None:
            return known
        given = refunds.build(order, refund)
        payload = self._api.send(documents.REFUND, input=given, key=refund.key).data["refundCreate"]
        if payload is None:
            raise Ambiguous("Shopify answered a refund with nothing; it may or may not have happened")
        if payload["userErrors"]:
            raise self._api.user_error(documents.REFUND, payload["userErrors"])
        return mapping.receipt_from(payload["refund"])

    def lookup_refund(self, refund: RefundRequest) -> RefundReceipt | None:
        """Look for the refund whose note carries our key."""
        return refunds.find(self._refundable(refund.order_id), refund.key)

    def _refundable(self, order_id: str) -> Mapping[str, Any]:
        order: Mapping[str, Any] | None = self._api.send(documents.REFUNDABLE, id=order_id).data["order"]
        if order is None:
            raise Invalid(f"the shop has no order {order_id}, or it is older than the app's scopes reach")
        return order

    # -- webhooks ----------------------------------------------------------------------------------------------------

    def verify_webhook(self, request: WebhookRequest) -> bool:
        """Check the signature over the raw body, and that the delivery is for this shop.

        Age is not checked: Shopify signs no time and may deliver a day late; the host drops repeats by event id.
        """
        secret = self.settings.client_secret
        if secret is None or request.headers.get("x-shopify-shop-domain", self.settings.shop) != self.settings.shop:
            return False
        return verify_hmac(request, secret=secret, header="x-shopify-hmac-sha256")

    def parse_webhook(self, request: WebhookRequest) -> WebhookHint:
        """Read the topic: returns concern cases, everything else orders; a return changes its order too."""
        topic = request.headers.get("x-shopify-topic", "")
        streams = (Stream.CASES, Stream.ORDERS) if topic.startswith("returns/") else (Stream.ORDERS,)
        return WebhookHint(streams=streams, event_id=request.headers.get("x-shopify-webhook-id"))

    def subscribe(self, endpoint: str) -> Subscription:
        """Ask for every topic we read that is not subscribed yet."""
        found = self._subscribed(endpoint)
        for topic in sorted(set(TOPICS) - found.keys()):
            sent = self._api.send(documents.SUBSCRIBE, topic=topic, subscription={"uri": endpoint, "format": "JSON"})
            payload = sent.data["webhookSubscriptionCreate"]
            if payload["userErrors"]:
                refusal = self._api.user_error(documents.SUBSCRIBE, payload["userErrors"])
                if isinstance(refusal, AlreadyDone):
                    continue
                raise refusal
            found[topic] = payload["webhookSubscription"]["id"]
        return Subscription(external_id=found.get("ORDERS_UPDATED", endpoint), topics=tuple(sorted(TOPICS)))

    def _subscribed(self, endpoint: str) -> dict[str, str]:
        found: dict[str, str] = {}
        after: str | None = None
        while True:
            listed = self._api.send(documents.WEBHOOKS, uri=endpoint, after=after).data["webhookSubscriptions"]
            found |= {node["topic"]: node["id"] for node in listed["nodes"] if node["uri"] == endpoint}
            after = listed["pageInfo"]["endCursor"]
            if not listed["pageInfo"]["hasNextPage"]:
                return found
