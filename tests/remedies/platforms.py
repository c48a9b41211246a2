"""A scripted platform for each kind of idempotency. Its ledger is the truth, and only the tests read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from aftersail.core.contract import ChannelContext
from aftersail.core.host import Channel
from aftersail.sdk import (
    AlreadyDone,
    Attachment,
    Capabilities,
    Connector,
    ConnectorSettings,
    Idempotency,
    Invalid,
    Label,
    LabelCapability,
    LabelRequest,
    Money,
    Parcel,
    PartialRefund,
    Receipt,
    RefundCapability,
    RefundMode,
    RefundQuote,
    RefundReceipt,
    RefundState,
    ReplyCapability,
    ReplyMode,
)

CURRENCY = "EUR"


class Crash(BaseException):
    """The process dies here."""


@dataclass(frozen=True, kw_only=True)
class Booked:
    """One line of the ledger."""

    external_id: str
    key: str | None
    order_id: str
    amount: Decimal
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong at one call: `fail` raises, or returns what is answered instead."""

    fail: Callable[[], object]
    after_effect: bool = False


@dataclass
class Platform:
    """The platform's side.

    Attributes:
        lag: how long a refund stays invisible to whoever asks.
        pending: whether refunds are only accepted at first; `book` ends that.
        faults: by order (refunds) or by key (answers, decisions and labels), the next call's fault first.
        asking: by order, the next look-ups' and quotes' failures.
    """

    now: Callable[[], datetime]
    total: Decimal = Decimal(100)
    lag: timedelta = timedelta(0)
    pending: bool = False
    ledger: list[Booked] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    labels: list[LabelRequest] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    asking: dict[str, list[Callable[[], object]]] = field(default_factory=dict)
    calls: list[tuple[str, str, datetime]] = field(default_factory=list)

    def fail(self, where: str, fail: Callable[[], object], *, after_effect: bool = False, times: int = 1) -> None:
        self.faults.setdefault(where, []).extend([Fault(fail=fail, after_effect=after_effect)] * times)

    def of_order(self, order_id: str) -> list[Booked]:
        return [booked for booked in self.ledger if booked.order_id == order_id]

    def of_key(self, key: str) -> list[Booked]:
        return [booked for booked in self.ledger if booked.key == key]

    def book(self, order_id: str, amount: Decimal, key: str | None = None) -> Booked:
        """Pay. Without a key: by the seller's own hand."""
        external_id = f"r{len(self.ledger) + 1}"
        booked = Booked(external_id=external_id, key=key, order_id=order_id, amount=amount, at=self.now())
        self.ledger.append(booked)
        return booked

    def visible(self, order_id: str) -> list[Booked]:
        return [booked for booked in self.of_order(order_id) if booked.at + self.lag <= self.now()]

    def called(self, name: str, subject: str) -> None:
        self.calls.append((name, subject, self.now()))

    def next_fault(self, where: str) -> Fault | None:
        waiting = self.faults.get(where)
        return waiting.pop(0) if waiting else None

    def ask(self, name: str, subject: str) -> object | None:
        self.called(name, subject)
        waiting = self.asking.get(subject)
        return waiting.pop(0)() if waiting else None

    def receipt(self, booked: Booked) -> RefundReceipt:
        state = RefundState.PENDING if self.pending else RefundState.SETTLED
        amount = Money.of(booked.amount, CURRENCY)
        return RefundReceipt(external_id=booked.external_id, state=state, amount=amount, at=booked.at)


class Scripted(Connector[ConnectorSettings]):
    """What all kinds share."""

    kind = "scripted"
    title = "Scripted"
    settings_model = ConnectorSettings
    platform: Platform

    def issue_refund(self, refund):
        self.platform.called("issue_refund", refund.order_id)
        return self._once(refund.order_id, lambda: self.platform.receipt(self._pay(refund)))

    def _pay(self, refund):
        idempotency = self.capabilities.refund.idempotency
        before = self.platform.of_key(refund.key)
        if before and idempotency is Idempotency.KEY:
            return before[0]
        if idempotency is Idempotency.NATURAL and self.platform.of_order(refund.order_id):
            raise AlreadyDone("this return is refunded")
        paid = sum(booked.amount for booked in self.platform.of_order(refund.order_id))
        if paid + refund.amount.amount > self.platform.total:
            raise Invalid("more than is left")
        return self.platform.book(refund.order_id, refund.amount.amount, refund.key)

    def post_reply(self, reply):
        self.platform.called("post_reply", reply.key)
        return self._once(reply.key, lambda: self._post(self.platform.answers, reply.key))

    def decide_case(self, decision):
        self.platform.called("decide_case", decision.case_id)
        if decision.case_id in self.platform.decisions:
            raise AlreadyDone("decided before")
        return self._once(decision.case_id, lambda: self._post(self.platform.decisions, decision.case_id))

    def buy_label(self, request):
        self.platform.called("buy_label", request.order_id)
        return self._once(request.key, lambda: self._label(request))

    def _label(self, request):
        known = [label.key for label in self.platform.labels]
        if request.key not in known or self.capabilities.label.idempotency is not Idempotency.KEY:
            self.platform.labels.append(request)
            known.append(request.key)
        number = f"L{known.index(request.key) + 1}"
        content = b"%PDF of " + number.encode()
        file = Attachment(filename="label.pdf", content_type="application/pdf", size=len(content), content=content)
        cost, url = Money.of("4.50", CURRENCY), f"https://labels.example/{number}"
        return Label(external_id=number, parcel=Parcel(tracking_number=f"T{number}"), cost=cost, url=url, file=file)

    def _post(self, where, key):
        where.append(key)
        return Receipt(external_id=f"x-{key}", at=self.platform.now())

    def _once(self, where, effect):
        fault = self.platform.next_fault(where)
        if fault is None:
            return effect()
        if fault.after_effect:
            effect()
        return fault.fail()


class Looks:
    def lookup_refund(self, refund):
        failed = self.platform.ask("lookup_refund", refund.order_id)
        if failed is not None:
            return failed
        mine = [booked for booked in self.platform.visible(refund.order_id) if booked.key == refund.key]
        return self.platform.receipt(mine[0]) if mine else None


class Quotes:
    def quote_refund(self, order_id):
        failed = self.platform.ask("quote_refund", order_id)
        if failed is not None:
            return failed
        seen = self.platform.visible(order_id)
        left = self.platform.total - sum(booked.amount for booked in seen)
        refunds = tuple(self.platform.receipt(booked) for booked in seen)
        return RefundQuote(order_id=order_id, remaining=Money.of(left, CURRENCY), refunds=refunds)


def _connector(name: str, idempotency: Idempotency, *abilities: type) -> type[Scripted]:
    capabilities = Capabilities(
        reply=ReplyCapability(mode=ReplyMode.API),
        refund=RefundCapability(mode=RefundMode.SYNC, partial=PartialRefund.AMOUNT, idempotency=idempotency),
        label=LabelCapability(idempotency=Idempotency.KEY if idempotency is Idempotency.KEY else Idempotency.NONE),
    )
    return type(name, (*abilities, Scripted), {"kind": name, "title": name, "capabilities": capabilities})


KINDS: dict[str, type[Scripted]] = {
    "key": _connector("key", Idempotency.KEY),
    "key_looks": _connector("key_looks", Idempotency.KEY, Looks, Quotes),
    "lookup": _connector("lookup", Idempotency.LOOKUP, Looks),
    "lookup_quotes": _connector("lookup_quotes", Idempotency.LOOKUP, Looks, Quotes),
    "natural": _connector("natural", Idempotency.NATURAL),
    "none": _connector("none", Idempotency.NONE),
    "none_quotes": _connector("none_quotes", Idempotency.NONE, Quotes),
}
"""One connector for each kind of idempotency, with and without the ways to ask."""

BLIND = frozenset({"natural", "none", "none_quotes"})
"""Those that after a lost answer can neither be asked nor sent to again."""


def make_channel(name: str, platform: Platform) -> Channel:
    connector_class = KINDS[name]
    connector = connector_class(ConnectorSettings(), ChannelContext(channel_id=name, now=platform.now))
    connector.platform = platform
    return Channel(name, connector_class.declare(), connector)
