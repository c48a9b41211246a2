"""A connector for the kit's marketplace, written as the SDK asks for it, once for each kind of idempotency."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from pydantic import SecretStr

from aftersail.core.hookspecs import hookimpl
from aftersail.sdk import (
    AlreadyDone,
    Authenticity,
    Capabilities,
    Case,
    CaseKind,
    Connector,
    ConnectorSettings,
    CursorExpired,
    Idempotency,
    Inbound,
    Message,
    Money,
    Order,
    OrderLine,
    Page,
    PartialRefund,
    Party,
    Receipt,
    RefundCapability,
    RefundMode,
    RefundQuote,
    RefundReceipt,
    RefundState,
    ReplyCapability,
    ReplyMode,
)
from aftersail.sdk.auth import RefreshTokenAuth
from aftersail.sdk.http import ErrorMap, ErrorRule, HttpClient
from aftersail.sdk.overlap import OVERLAP
from aftersail.sdk.testing.marketplace import CURRENCY, FIRST_PAGE

_RULES = (
    ErrorRule(status=409, error=AlreadyDone, message="it has been done before"),
    ErrorRule(status=410, error=CursorExpired, message="the cursor is too old"),
)


class MarketSettings(ConnectorSettings):
    """Where it is and how to sign in."""

    address: str
    refresh_token: SecretStr


@dataclass(frozen=True)
class Walk:
    """Where a walk through a stream stands: what it asks for, its page, and when it began."""

    since: str
    page: str
    began: str


class MarketConnector(Connector[MarketSettings]):
    """What all kinds share."""

    title = "Market"
    settings_model = MarketSettings

    def __init__(self, settings, context):
        super().__init__(settings, context)
        auth = RefreshTokenAuth(
            context,
            refresh_token=settings.refresh_token,
            token_url=f"{settings.address}/token",
            client_id="desk",
            client_secret=SecretStr("client-secret"),
        )
        errors = ErrorMap(_RULES, code_of=lambda answer: answer.json().get("error"))
        self.http = HttpClient(context, base_url=settings.address, auth=auth, errors=errors, timeout=5)

    def close(self):
        self.http.close()

    # -- streams -------------------------------------------------------------------------------------------------------

    def fetch_orders(self, cursor, limit):
        return self._page("orders", cursor, limit, Page[Order], self._order)

    def fetch_cases(self, cursor, limit):
        return self._page("cases", cursor, limit, Page[Case], self._case)

    def fetch_messages(self, cursor, limit):
        return self._page("messages", cursor, limit, Page[Message], self._message)

    def _page(self, stream: str, cursor: str | None, limit: int, made: type, read: Any) -> Any:
        now = self.context.now()
        walk = Walk(**json.loads(cursor)) if cursor else Walk((now - timedelta(days=30)).isoformat(), FIRST_PAGE, "")
        began = walk.began or now.isoformat()
        asked = {"since": walk.since, "page": walk.page, "limit": limit}
        answer = self.http.json("GET", f"/{stream}", operation=f"fetch_{stream}", params=asked)
        items, following = [read(item) for item in answer["items"]], answer["next"]
        if following is None:
            after = Walk((datetime.fromisoformat(began) - OVERLAP).isoformat(), FIRST_PAGE, "")
        else:
            after = Walk(walk.since, following, began)
        return made(items=tuple(items), cursor=json.dumps(asdict(after)), more=following is not None)

    def _order(self, item):
        total = Money.of(item["total"], CURRENCY)
        line = OrderLine(external_id="l1", title="Mug", quantity=1, unit_price=total)
        return Order(
            external_id=item["id"],
            revision=item["revision"],
            number=item["id"],
            placed_at=datetime.fromisoformat(item["made_at"]),
            buyer=_party(item),
            total=total,
            lines=(line,),
            locale="en",
        )

    def _message(self, item):
        return Message(
            external_id=item["id"],
            revision=item["revision"],
            sent_at=datetime.fromisoformat(item["made_at"]),
            author=_party(item),
            thread_id=item["thread"],
            order_id=item["order"],
            subject=f"Order {item['order']}",
            text=item["text"],
            authenticity=Authenticity.PASS,
        )

    def _case(self, item):
        return Case(
            external_id=item["id"],
            revision=item["revision"],
            kind=CaseKind.RETURN_REQUEST,
            order_id=item["order"],
            line_ids=("l1",),
            opened_at=datetime.fromisoformat(item["made_at"]),
            buyer=_party(item),
            reason_text=item["text"],
        )

    # -- writes --------------------------------------------------------------------------------------------------------

    def post_reply(self, reply):
        return self._receipt(
            self._post(f"/threads/{reply.thread_id}/messages", "post_reply", reply.key, {"text": reply.text})
        )

    def decide_case(self, decision):
        body = {"action": decision.action.value}
        return self._receipt(self._post(f"/cases/{decision.case_id}/decision", "decide_case", decision.key, body))

    def issue_refund(self, refund):
        body = {"amount": str(refund.amount.amount), "claim": refund.case_id}
        return _refund(self._post(f"/orders/{refund.order_id}/refunds", "issue_refund", refund.key, body))

    def _post(self, path: str, operation: str, key: str, body: dict[str, Any]) -> Any:
        return self.http.json("POST", path, operation=operation, write=True, json=body, headers={"X-Test-Key": key})

    def _receipt(self, answer):
        return Receipt(external_id=answer["id"], at=datetime.fromisoformat(answer["at"]))


class Listing:
    """Reads the platform's list of refunds."""

    def lookup_refund(self, refund):
        made = self._refunds(refund.order_id)["refunds"]
        return next((_refund(each) for each in made if each["reference"] == refund.key), None)

    def quote_refund(self, order_id):
        answer = self._refunds(order_id)
        left = Money.of(answer["left"], CURRENCY)
        return RefundQuote(
            order_id=order_id, remaining=left, refunds=tuple(_refund(each) for each in answer["refunds"])
        )

    def _refunds(self, order_id):
        return self.http.json("GET", f"/orders/{order_id}/refunds", operation="list_refunds")


def _party(item) -> Party:
    return Party(external_id=item["buyer"], name=item["buyer"])


def _refund(answer) -> RefundReceipt:
    return RefundReceipt(
        external_id=answer["id"],
        state=RefundState.SETTLED,
        amount=Money.of(Decimal(answer["amount"]), CURRENCY),
        at=datetime.fromisoformat(answer["at"]),
    )


def _kind(name: str, idempotency: Idempotency, *abilities: type) -> type[MarketConnector]:
    capabilities = Capabilities(
        inbound=Inbound.API,
        reply=ReplyCapability(mode=ReplyMode.API),
        refund=RefundCapability(mode=RefundMode.SYNC, partial=PartialRefund.AMOUNT, idempotency=idempotency),
        case_actions=("approve",),
    )
    return type(name, (*abilities, MarketConnector), {"kind": name, "capabilities": capabilities})


KINDS: dict[str, type[MarketConnector]] = {
    "key": _kind("key", Idempotency.KEY),
    "natural": _kind("natural", Idempotency.NATURAL, Listing),
    "lookup": _kind("lookup", Idempotency.LOOKUP, Listing),
    "none": _kind("none", Idempotency.NONE),
}
"""A platform that takes keys and lists nothing, one where a claim is paid once and listed, one that lists, and one that
does neither."""


PATIENT = tuple(name for name, kind in KINDS.items() if kind.capabilities.refund.idempotency is not Idempotency.NONE)
"""Those that a person need not be asked about: a key or a look-up tells."""


class Plugin:
    """Joins them to a host."""

    kinds: ClassVar = KINDS

    @hookimpl
    def aftersail_connectors(self):
        return [kind.declare() for kind in self.kinds.values()]
