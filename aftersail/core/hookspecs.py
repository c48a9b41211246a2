"""Every hook of aftersail, each with its meaning, its arguments, its result, its errors and a complete example.

Two families. **Joining and notification hooks** (`HostSpec`) are called once on the host, or after something has been
committed. **Channel hooks** (`ChannelSpec`) are the work: each channel has a relay of its own, in which its connector
is the one implementation and other plugins may only stand around it as wrappers. A call can therefore never reach
another account, and a refund is never broadcast.

A connector author subclasses `aftersail.sdk.Connector` and overrides operations; that is the implementation of the
channel hooks, and nothing has to be marked. Everything else is a function or method marked with `@hookimpl`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import pluggy

from aftersail.core.contract import (
    Account,
    AlarmRaised,
    Case,
    CaseDecision,
    ChannelNeedsAttention,
    Classifier,
    ClockBreached,
    ClockWarned,
    ConnectorType,
    Drafter,
    Evidence,
    ExtensionReported,
    Label,
    LabelRequest,
    Message,
    MessageStored,
    Notifier,
    Order,
    Page,
    Parcel,
    RawMail,
    Receipt,
    RefundParked,
    RefundQuote,
    RefundReceipt,
    RefundRequest,
    RefundSettled,
    Reply,
    ReplySent,
    ShipmentMoved,
    Subscription,
    TicketOpened,
    Tracking,
    Translator,
    WebhookHint,
    WebhookRequest,
)

if TYPE_CHECKING:
    from pathlib import Path

    import click

PROJECT: Final = "aftersail"
"""pluggy's name of the project; marks of other projects on the same function are not ours."""

ENTRY_POINT_GROUP: Final = "aftersail.plugins"
"""Where a distribution announces its plugin; the entry point's name is the plugin's name and its connector's kind."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class HostSpec:
    """Joining hooks, called once while plugins load, and notification hooks, called after a commit."""

    # -- joining ---------------------------------------------------------------------------------------------------

    @hookspec
    def aftersail_connectors(self) -> Iterable[ConnectorType]:
        """Yield the kinds of channel this plugin brings.

        Called once, without a network. A kind that another plugin has taken is refused and both distributions are
        named; a contract version newer than the host's is refused with the version it wants.

        Example:
            ```python
            from aftersail.sdk import hookimpl

            @hookimpl
            def aftersail_connectors():
                yield ShopConnector.declare()
            ```
        """
        raise NotImplementedError

    @hookspec
    def aftersail_commands(self) -> Iterable[click.Command]:
        """Yield click commands that appear under `aftersail`.

        A name that a command of ours has is refused.

        Example:
            ```python
            @hookimpl
            def aftersail_commands():
                @click.command("hello")
                def hello(): click.echo("hello")
                yield hello
            ```
        """
        raise NotImplementedError

    @hookspec
    def aftersail_classifiers(self) -> Iterable[Classifier]:
        """Yield classifiers asked for the reason of a text where our phrase packs found none.

        Example:
            ```python
            class Shouting:
                name = "shouting"
                def classify(self, text, language):
                    if text.isupper():
                        return ReasonGuess(reason="complaint", confidence=0.9, because="all capitals")
                    return None

            @hookimpl
            def aftersail_classifiers():
                yield Shouting()
            ```
        """
        raise NotImplementedError

    @hookspec
    def aftersail_translators(self) -> Iterable[Translator]:
        """Yield translators; the original text is always kept beside the translation.

        Example:
            ```python
            @hookimpl
            def aftersail_translators():
                yield CompanyTranslator()
            ```
        """
        raise NotImplementedError

    @hookspec
    def aftersail_drafters(self) -> Iterable[Drafter]:
        """Yield drafters; no draft leaves without a person's approval or an explicit rule.

        Example:
            ```python
            @hookimpl
            def aftersail_drafters():
                yield CompanyDrafter()
            ```
        """
        raise NotImplementedError

    @hookspec
    def aftersail_notifiers(self) -> Iterable[Notifier]:
        """Yield ways to reach people.

        Each is handed what a clock's warning, a clock's breach, a request for more time or an alarm says, after the
        commit; one that raises is logged, and the others are handed it all the same.

        Example:
            ```python
            @hookimpl
            def aftersail_notifiers():
                yield PagerNotifier()
            ```
        """
        raise NotImplementedError

    @hookspec
    def aftersail_packs(self) -> Iterable[Path]:
        """Yield folders with policy packs (YAML) that sellers may name in `aftersail.yaml`.

        Example:
            ```python
            @hookimpl
            def aftersail_packs():
                yield Path(__file__).parent / "packs"
            ```
        """
        raise NotImplementedError

    # -- notification: after the commit, each implementation in its own try ------------------------------------------

    @hookspec
    def aftersail_message_stored(self, event: MessageStored) -> None:
        """Learn that a message is in the store, once per revision.

        Like every notification: the transaction is committed, an exception is logged and hurts nobody else, and
        nothing is told again after a crash.

        Example:
            ```python
            @hookimpl
            def aftersail_message_stored(event):
                print("new message on", event.channel)
            ```
        """

    @hookspec
    def aftersail_ticket_opened(self, event: TicketOpened) -> None:
        """Learn that a ticket was opened, with its reason and tier.

        Example:
            ```python
            @hookimpl
            def aftersail_ticket_opened(event):
                print(f"ticket {event.ticket}: {event.reason} ({event.tier})")
            ```
        """

    @hookspec
    def aftersail_clock_warned(self, event: ClockWarned) -> None:
        """Learn that a clock comes near its due instant, once per clock.

        Example:
            ```python
            @hookimpl
            def aftersail_clock_warned(event):
                page_the_lead(f"{event.metric} of ticket {event.ticket} is due at {event.due_at}")
            ```
        """

    @hookspec
    def aftersail_clock_breached(self, event: ClockBreached) -> None:
        """Learn that a clock ran out; `due_at` is the breach, `detected_at` when it was noticed.

        Example:
            ```python
            @hookimpl
            def aftersail_clock_breached(event):
                late = event.detected_at - event.due_at
            ```
        """

    @hookspec
    def aftersail_extension_reported(self, event: ExtensionReported) -> None:
        """Learn that somebody asks for more time for a promise, with the reason and the report.

        Example:
            ```python
            @hookimpl
            def aftersail_extension_reported(event):
                archive(event.ticket, event.report)
            ```
        """

    @hookspec
    def aftersail_reply_sent(self, event: ReplySent) -> None:
        """Learn that the platform took an answer.

        Example:
            ```python
            @hookimpl
            def aftersail_reply_sent(event):
                archive(event.key, event.external_id)
            ```
        """

    @hookspec
    def aftersail_refund_settled(self, event: RefundSettled) -> None:
        """Learn that the platform has booked a refund.

        Example:
            ```python
            @hookimpl
            def aftersail_refund_settled(event):
                ledger.append((event.order_id, event.amount))
            ```
        """

    @hookspec
    def aftersail_refund_parked(self, event: RefundParked) -> None:
        """Learn that a refund waits for a person, and why.

        Example:
            ```python
            @hookimpl
            def aftersail_refund_parked(event):
                chat.post(f"refund of {event.amount} needs you: {event.why}")
            ```
        """

    @hookspec
    def aftersail_shipment_moved(self, event: ShipmentMoved) -> None:
        """Learn that a parcel has a new status.

        Example:
            ```python
            @hookimpl
            def aftersail_shipment_moved(event):
                print(event.tracking_number, event.status)
            ```
        """

    @hookspec
    def aftersail_channel_needs_attention(self, event: ChannelNeedsAttention) -> None:
        """Learn that a channel cannot go on without a person, and which command mends it.

        Example:
            ```python
            @hookimpl
            def aftersail_channel_needs_attention(event):
                chat.post(f"{event.channel}: {event.why}. Mend it with: {event.mend}")
            ```
        """

    @hookspec
    def aftersail_alarm_raised(self, event: AlarmRaised) -> None:
        """Learn that a figure of the desk is abnormal, once per episode.

        Example:
            ```python
            @hookimpl
            def aftersail_alarm_raised(event):
                for person in event.recipients:
                    chat.post_to(person, event.why)
            ```
        """


class ChannelSpec:
    """The work of one channel. Errors are the closed set of `aftersail.core.contract.errors`; times are UTC."""

    @hookspec(firstresult=True)
    def check_account(self) -> Account:
        """Prove that the settings work, with the cheapest call the platform has and without changing anything.

        Returns:
            who the credentials belong to, with warnings such as a missing scope.

        Raises:
            AuthExpired: the credentials are refused.
            Unavailable: the platform cannot be reached.

        Example:
            ```python
            def check_account(self):
                shop = self.http.json("GET", "/shop")
                return Account(external_id=shop["id"], title=shop["name"])
            ```
        """
        raise NotImplementedError

    @hookspec(firstresult=True)
    def fetch_messages(self, cursor: str | None, limit: int) -> Page[Message]:
        """Fetch the next page of messages, in any order, overlap allowed.

        Args:
            cursor: what the last stored page returned; None to begin.
            limit: how many items a page should hold at most.

        Raises:
            CursorExpired: the cursor is too old; the host begins again with None and drops what it has.
            RateLimited, AuthExpired, Unavailable: as they say.

        Example:
            ```python
            def fetch_messages(self, cursor, limit):
                got = self.http.json("GET", "/messages", params={"after": cursor or "", "limit": limit})
                return Page[Message](items=tuple(map(to_message, got["items"])), cursor=got["next"], more=got["more"])
            ```
        """
        raise NotImplementedError

    @hookspec(firstresult=True)
    def fetch_cases(self, cursor: str | None, limit: int) -> Page[Case]:
        """Fetch return requests, claims and disputes in one stream, changed ones again with a higher revision.

        Args and errors as `fetch_messages`.

        Example:
            ```python
            def fetch_cases(self, cursor, limit):
                got = self.http.json("GET", "/returns", params={"since": cursor or "0", "limit": limit})
                return Page[Case](items=tuple(map(to_case, got["returns"])), cursor=got["until"])
            ```
        """
        raise NotImplementedError

    @hookspec(firstresult=True)
    def fetch_orders(self, cursor: str | None, limit: int) -> Page[Order]:
        """Fetch orders by last change, with their parcels and what has been refunded by anyone.

        Args and errors as `fetch_messages`.

        Example:
            ```python
            def fetch_orders(self, cursor, limit):
                got = self.http.json("GET", "/orders", params={"changed_after": cursor or "", "limit": limit})
                return Page[Order](items=tuple(map(to_order, got["orders"])), cursor=got["next"], more=got["more"])
            ```
        """
        raise NotImplementedError

    @hookspec(firstresult=True)
    def post_reply(self, reply: Reply) -> Receipt:
        """Send an answer to a buyer, once.

        The host calls it at most once per `reply.key`; a connector never retries it blindly.

        Raises:
            Ambiguous: it may have been sent (timeout or reset after the request left); a person looks.
            NotAllowed: the platform refuses, for instance outside its window; `alternative` holds the deep link.
            Invalid: too long, forbidden content.

        Example:
            ```python
            def post_reply(self, reply):
                sent = self.http.json("POST", f"/threads/{reply.thread_id}", json={"text": reply.text})
                return Receipt(external_id=sent["id"], at=self.context.now())
            ```
        """
        raise NotImplementedError

    @hookspec(firstresult=True)
    def quote_refund(self, order_id: str) -> RefundQuote:
        """Read what may still go back on an order, and what has gone back, fresh from the platform.

        The host calls it right before `issue_refund`: refunds that others made are seen before we act.

        Example:
            ```python
            def quote_refund(self, order_id):
                got = self.http.json("GET", f"/orders/{order_id}/refundable")
                return RefundQuote(order_id=order_id, remaining=Money.of(got["left"], got["currency"]))
            ```
        """
        raise NotImplementedError

    @hookspec(firstresult=True)
    def issue_refund(self, refund: RefundRequest) -> RefundReceipt:
        """Pay money back. Called again for the same key only where the platform honours keys.

        Returns:
            `settled` with the amount really booked, or `pending` where the platform works on it.

        Raises:
            Ambiguous: nobody knows; the host looks it up and never sends blindly again.
            AlreadyDone, InProgress: the platform has it, from us or from somebody else.
            NotAllowed: refused; `alternative` names the hook or page that can do it.
            Invalid: more than is left, unknown line.

        Example:
            ```python
            def issue_refund(self, refund):
                body = {"amount": str(refund.amount.amount), "currency": refund.amount.currency}
                path = f"/orders/{refund.order_id}/refunds"
                got = self.http.json("POST", path, json=body, headers={"Idempotency-Key": refund.key})
                return RefundReceipt(
                    external_id=got["id"], state=RefundState.SETTLED, amount=refund.amount, at=self.context.now()
                )
            ```
        """
        raise NotImplementedError

    @hookspec(firstresult=True)
    def lookup_refund(self, refund: RefundRequest) -> RefundReceipt | None:
        """Find out whether this refund exists on the platform.

        Returns:
            the refund that is surely ours; None where it is surely not there.

        Raises:
            Ambiguous: cannot tell (two alike, or the read model lags); the host asks again later.

        Example:
            ```python
            def lookup_refund(self, refund):
                for got in self.http.json("GET", f"/orders/{refund.order_id}/refunds"):
                    if got["note"].endswith(refund.key):
                        return to_receipt(got)
                return None
            ```
        """
        raise NotImplementedError

    @hookspec(firstresult=True)
    def decide_case(self, decision: CaseDecision) -> Receipt:
        """Answer a case: approve, decline, offer a part, give a label or tracking, escalate, appeal.

        Raises:
            NotAllowed: not among the case's available actions any more.
            AlreadyDone: decided before.
            Ambiguous: nobody knows; the host reads the case again before anything else.

        Example:
            ```python
            def decide_case(self, decision):
                got = self.http.json("POST", f"/returns/{decision.case_id}/{decision.action}")
                return Receipt(external_id=got["id"], at=self.context.now())
            ```
        """
        raise NotImplementedError

    @hookspec(firstresult=True)
    def attach_evidence(self, evidence: Evidence) -> Receipt:
        """Attach a file to a case.

        Example:
            ```python
            def attach_evidence(self, evidence):
                got = self.http.json("POST", f"/cases/{evidence.case_id}/files", content=evidence.file.content)
                return Receipt(external_id=got["id"], at=self.context.now())
            ```
        """
        raise NotImplementedError

    @hookspec(firstresult=True)
    def buy_label(self, request: LabelRequest) -> Label:
        """Buy a return label for an order of this channel; it costs money, so the same rules as for a refund hold.

        A connector that hands `key` to the platform declares `label=LabelCapability(idempotency="key")`: after a lost
        answer it is called again with the same request and answers with the same label. Without, a person looks.

        Raises:
            Ambiguous: nobody knows whether it was bought.

        Example:
            ```python
            def buy_label(self, request):
                body = {"order": request.order_id, "reference": request.reference}
                got = self.http.json("POST", "/labels", json=body, headers={"Idempotency-Key": request.key}, write=True)
                return Label(external_id=got["id"], parcel=Parcel(tracking_number=got["number"]), url=got["pdf"])
            ```
        """
        raise NotImplementedError

    @hookspec(firstresult=True)
    def track_shipment(self, parcels: tuple[Parcel, ...]) -> tuple[Tracking, ...]:
        """Look parcels up, as many at once as the carrier allows.

        Returns:
            one entry per parcel the carrier knows; one it does not know is left out.

        Example:
            ```python
            def track_shipment(self, parcels):
                return tuple(to_tracking(self.http.json("GET", f"/track/{p.tracking_number}")) for p in parcels)
            ```
        """
        raise NotImplementedError

    @hookspec(firstresult=True)
    def verify_webhook(self, request: WebhookRequest) -> bool:
        """Check the signature over the raw body, in constant time, and the age of the delivery.

        Returns:
            whether the platform itself sent this, recently. Does no network call that a stranger could trigger at will.

        Example:
            ```python
            def verify_webhook(self, request):
                return verify_hmac(request, secret=self.settings.webhook_secret, header="x-signature")
            ```
        """
        raise NotImplementedError

    @hookspec(firstresult=True)
    def parse_webhook(self, request: WebhookRequest) -> WebhookHint:
        """Say what a verified delivery tells us to look at; a hint to fetch, never the truth.

        Example:
            ```python
            def parse_webhook(self, request):
                return WebhookHint(streams=(Stream.ORDERS,), event_id=request.headers.get("x-event-id"))
            ```
        """
        raise NotImplementedError

    @hookspec(firstresult=True)
    def subscribe(self, endpoint: str) -> Subscription:
        """Ask the platform to push to `endpoint`; called again, it changes nothing.

        Example:
            ```python
            def subscribe(self, endpoint):
                got = self.http.json("PUT", "/webhooks", json={"url": endpoint})
                return Subscription(external_id=got["id"], topics=("orders",))
            ```
        """
        raise NotImplementedError

    @hookspec(firstresult=True)
    def claim_email(self, mail: RawMail) -> Message | None:
        """Recognise a mail that came through this platform's relay, and read it.

        Asked of every channel without a message API for each mail a mailbox brings; the first that answers has it.
        Answers go back through the same mailbox.

        Returns:
            the message, or None where the mail is not this platform's.

        Example:
            ```python
            def claim_email(self, mail):
                parsed = parse_mail(mail)
                return to_message(parsed) if parsed.author.email.endswith("@relay.example") else None
            ```
        """
        raise NotImplementedError


CHANNEL_HOOKS: Final = tuple(name for name, value in vars(ChannelSpec).items() if hasattr(value, f"{PROJECT}_spec"))
"""The names of all channel hooks."""
