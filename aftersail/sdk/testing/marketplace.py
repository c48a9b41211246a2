"""A marketplace of nobody's: orders, messages, cases, refunds and tokens, with every trait that desks stumble over.

A connector author's own platform has a simulator of its own; this one is for those who test a desk, and shows what a
simulator can hold. What really happened stands in `ledger`, which only a test reads.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import httpx

from aftersail.core.contract import Idempotency
from aftersail.sdk.testing.faults import Alteration
from aftersail.sdk.testing.simulator import Simulator, route

CURRENCY: Final = "USD"
TOKEN_LIFE: Final = timedelta(hours=1)
FIRST_PAGE: Final = "0"
_EMPTY_BEFORE: Final = "~"


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One line of the ledger: something that happened and cannot be taken back.

    Attributes:
        kind: `refund`, `reply`, `decision` or `label`.
        subject: the order, thread or case it happened to.
        key: the sender's own, as far as the platform was told one, for the test alone.
        claim: what a refund was for, where the platform lets each be paid once only.
        by_us: False for what somebody did on the platform's own page.
        at: by the platform's clock.
    """

    kind: str
    subject: str
    external_id: str
    at: datetime
    key: str | None = None
    amount: Decimal | None = None
    claim: str | None = None
    by_us: bool = True


@dataclass(kw_only=True)
class Item:
    """An order, a message or a case as the platform lists it.

    Attributes:
        body: what is answered, beside id, revision and times.
        updated_at: what lists are ordered and asked by.
        visible_at: the read model shows it from then on.
    """

    id: str
    body: dict[str, Any]
    made_at: datetime
    updated_at: datetime
    visible_at: datetime
    revision: int = 0

    def shown(self) -> dict[str, Any]:
        """Show it as a list does."""
        times = {"made_at": self.made_at.isoformat(), "updated_at": self.updated_at.isoformat()}
        return {**self.body, **times, "id": self.id, "revision": self.revision}


@dataclass(frozen=True, kw_only=True)
class Change:
    """What the marketplace's people will do: a message is edited, a case moves."""

    at: datetime
    stream: str
    id: str
    body: dict[str, Any] = field(default_factory=dict)


class Marketplace(Simulator):
    """See the module.

    Args:
        idempotency: what protects a refund from being paid twice.
        lists_refunds: whether refunds can be read.
        lag: how long a refund stays invisible to whoever reads.
        one_time_refresh: whether a refresh token is good for one renewal only.
        page_size: items per page at most, whatever is asked for.
        clock: what the platform thinks the time is.

    Attributes:
        ledger: what happened, oldest first.
    """

    def __init__(
        self,
        *,
        idempotency: Idempotency = Idempotency.KEY,
        lists_refunds: bool = True,
        lag: timedelta = timedelta(0),
        one_time_refresh: bool = True,
        page_size: int = 2,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        super().__init__(clock=clock)
        self.idempotency = idempotency
        self.lists_refunds = lists_refunds
        self.lag = lag
        self.page_size = page_size
        self.ledger: list[Effect] = []
        self.streams: dict[str, dict[str, Item]] = {"orders": {}, "messages": {}, "cases": {}}
        self._changes: list[Change] = []
        self._one_time = one_time_refresh
        self._numbers = itertools.count(1)
        self._refresh_token = "refresh-0"  # noqa: S105 - of a simulator
        self._access: dict[str, datetime] = {}
        self._asked = FIRST_PAGE

    # -- what its people do --------------------------------------------------------------------------------------------

    def add(
        self, stream: str, item_id: str, body: dict[str, Any], *, at: datetime, late: timedelta | None = None
    ) -> None:
        """Add an order, message or case; `late` keeps it from being listed for so long after it was made."""
        visible = at + (late or timedelta(0))
        self.streams[stream][item_id] = Item(id=item_id, body=body, made_at=at, updated_at=at, visible_at=visible)

    def will_change(self, change: Change) -> None:
        """Plan a change of an item."""
        self._changes.append(change)

    def refund_by_hand(self, order_id: str, amount: Decimal) -> None:
        """Let the seller refund on the platform's own page."""
        self._book("refund", order_id, None, amount=amount, by_us=False)

    def consent(self) -> str:
        """Connect the account anew, which makes every token before void; return the new refresh token."""
        self._refresh_token, self._access = f"refresh-{next(self._numbers)}", {}
        return self._refresh_token

    def kill_tokens(self) -> None:
        """Let every access token die before its time."""
        self._access.clear()

    def next_event(self) -> datetime | None:
        """Tell when something changes by itself: an edit, or a late item that comes to be seen."""
        now = self.now()
        times = [change.at for change in self._changes]
        times += [item.visible_at for stream in self.streams.values() for item in stream.values()]
        return min((at for at in times if at > now), default=None)

    def done(self, kind: str, subject: str | None = None) -> list[Effect]:
        """Read the ledger: our own effects of a kind, on a subject or on all."""
        return [each for each in self.ledger if each.kind == kind and each.by_us and subject in {None, each.subject}]

    # -- pages ---------------------------------------------------------------------------------------------------------

    def operation_of(self, request: httpx.Request, handler: str) -> str:
        """Tell a list's first page from those behind a cursor: `list_orders`, then `page_orders`."""
        if handler != "listing":
            return handler
        first = request.url.params.get("page", FIRST_PAGE) == FIRST_PAGE
        return f"{'list' if first else 'page'}_{request.url.path.strip('/')}"

    @route("GET", "/orders")
    @route("GET", "/messages")
    @route("GET", "/cases")
    def listing(self, request: httpx.Request) -> httpx.Response:
        """List what was updated since, oldest first, a page at a time."""
        if refusal := self._refusal(request):
            return refusal
        self._let_change()
        asked = request.url.params
        since, self._asked = datetime.fromisoformat(asked["since"]), asked.get("page", FIRST_PAGE)
        after = self._asked.lstrip(_EMPTY_BEFORE)
        known = self.streams[request.url.path.strip("/")].values()
        seen = [item for item in known if item.visible_at <= self.now() and item.updated_at >= since]
        rest = sorted((f"{item.updated_at.isoformat()}/{item.id}", item.id) for item in seen)
        rest = [each for each in rest if each[0] > after]
        page = rest[: self.page_size]
        items = [self.streams[request.url.path.strip("/")][each].shown() for _, each in page]
        return httpx.Response(200, json={"items": items, "next": page[-1][0] if len(rest) > len(page) else None})

    def repeated_cursor(self) -> Alteration:
        """Answer with the cursor that was asked with, so that whoever follows it blindly goes round for ever."""
        return lambda body: {**body, "next": self._asked}

    def empty_page(self) -> Alteration:
        """Answer with nothing but a cursor behind which the page still is."""
        return lambda body: {**body, "items": [], "next": _EMPTY_BEFORE + self._asked}

    def _let_change(self) -> None:
        now = self.now()
        for change in [each for each in self._changes if each.at <= now]:
            self._changes.remove(change)
            item = self.streams[change.stream][change.id]
            item.body |= change.body
            item.updated_at, item.revision = change.at, item.revision + 1

    # -- writes --------------------------------------------------------------------------------------------------------

    @route("POST", "/orders/{order_id}/refunds")
    def pay(self, request: httpx.Request, order_id: str) -> httpx.Response:
        """Refund, once or as often as it is asked for, as the platform's kind of idempotency has it."""
        if refusal := self._refusal(request):
            return refusal
        body = _json(request)
        amount, key = Decimal(body["amount"]), request.headers["X-Test-Key"]
        before = self._paid_before(key, order_id, body)
        if before is not None and self.idempotency is Idempotency.KEY:
            if before.amount != amount:
                return _refuse(422, "another body under the same key")
            return httpx.Response(200, json=self._shown(before))
        if before is not None and self.idempotency is Idempotency.NATURAL:
            return _refuse(409, "already_refunded")
        if amount > self.left(order_id):
            return _refuse(422, "more than is left")
        return httpx.Response(
            201, json=self._shown(self._book("refund", order_id, key, amount=amount, claim=body["claim"]))
        )

    @route("GET", "/orders/{order_id}/refunds")
    def refunds(self, request: httpx.Request, order_id: str) -> httpx.Response:
        """List an order's refunds, those of others too, as far as the read model has them."""
        if refusal := self._refusal(request):
            return refusal
        if not self.lists_refunds:
            return _refuse(404, "no such list")
        seen = [each for each in self._refunds_of(order_id) if each.at + self.lag <= self.now()]
        left = self._total(order_id) - sum((each.amount or Decimal(0) for each in seen), Decimal(0))
        return httpx.Response(200, json={"refunds": [self._shown(each) for each in seen], "left": str(left)})

    @route("POST", "/threads/{thread}/messages")
    def write(self, request: httpx.Request, thread: str) -> httpx.Response:
        """Take an answer to a buyer, every time."""
        if refusal := self._refusal(request):
            return refusal
        return httpx.Response(201, json=self._shown(self._book("reply", thread, request.headers["X-Test-Key"])))

    @route("POST", "/cases/{case_id}/decision")
    def decide(self, request: httpx.Request, case_id: str) -> httpx.Response:
        """Decide a case, once."""
        if refusal := self._refusal(request):
            return refusal
        if self.done("decision", case_id):
            return _refuse(409, "already_decided")
        return httpx.Response(200, json=self._shown(self._book("decision", case_id, request.headers["X-Test-Key"])))

    def left(self, order_id: str) -> Decimal:
        """What can still be refunded on an order."""
        return self._total(order_id) - sum(
            (each.amount or Decimal(0) for each in self._refunds_of(order_id)), Decimal(0)
        )

    def _total(self, order_id: str) -> Decimal:
        return Decimal(self.streams["orders"][order_id].body["total"])

    def _refunds_of(self, order_id: str) -> list[Effect]:
        return [each for each in self.ledger if each.kind == "refund" and each.subject == order_id]

    def _paid_before(self, key: str, order_id: str, body: dict[str, Any]) -> Effect | None:
        made = [each for each in self._refunds_of(order_id) if each.by_us]
        if self.idempotency is Idempotency.NATURAL:
            return next((each for each in made if each.claim == body.get("claim")), None)
        return next((each for each in made if each.key == key), None)

    def _book(self, kind: str, subject: str, key: str | None, **values: Any) -> Effect:
        number = f"{kind}-{next(self._numbers)}"
        booked = Effect(kind=kind, subject=subject, external_id=number, at=self.now(), key=key, **values)
        self.ledger.append(booked)
        return booked

    def _shown(self, effect: Effect) -> dict[str, Any]:
        named = effect.key if self.idempotency in {Idempotency.KEY, Idempotency.LOOKUP, Idempotency.NATURAL} else None
        amount = None if effect.amount is None else str(effect.amount)
        return {"id": effect.external_id, "at": effect.at.isoformat(), "amount": amount, "reference": named}

    # -- tokens --------------------------------------------------------------------------------------------------------

    @route("POST", "/token")
    def token(self, request: httpx.Request) -> httpx.Response:
        """Renew: a one-time refresh token is void once it was used, whether the answer arrives or not."""
        form = dict(httpx.QueryParams(request.content.decode()))
        if form.get("refresh_token") != self._refresh_token:
            return httpx.Response(400, json={"error": "invalid_grant"})
        access = f"access-{next(self._numbers)}"
        self._access[access] = self.now() + TOKEN_LIFE
        if self._one_time:
            self._refresh_token = f"refresh-{next(self._numbers)}"
        answer = {
            "access_token": access,
            "expires_in": TOKEN_LIFE.total_seconds(),
            "refresh_token": self._refresh_token,
        }
        return httpx.Response(200, json=answer)

    def _refusal(self, request: httpx.Request) -> httpx.Response | None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self._access.get(token, datetime.min.replace(tzinfo=UTC)) <= self.now():
            return _refuse(401, "invalid_token")
        return None


def _json(request: httpx.Request) -> dict[str, Any]:
    body: dict[str, Any] = httpx.Response(200, content=request.content).json()
    return body


def _refuse(status: int, code: str) -> httpx.Response:
    return httpx.Response(status, json={"error": code})
