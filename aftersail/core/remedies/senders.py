"""How each kind of remedy is sent and looked up; no database here, only the channel."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from aftersail.core.contract import AlreadyDone, CaseDecision, Idempotency, LabelRequest, RefundRequest, Reply
from aftersail.core.host import Channel
from aftersail.core.remedies.outcome import LOOK_DELAYS, Outcome, look_delay, of_receipt
from aftersail.core.remedies.states import RemedyKind, RemedyState


class Sender(Protocol):
    """One kind of remedy."""

    def send(self, channel: Channel, body: Mapping[str, Any], now: datetime) -> Outcome:
        """Send it once.

        Raises:
            ChannelError: as the channel says.
        """

    def look(self, channel: Channel, body: Mapping[str, Any], looks: int, now: datetime) -> Outcome:
        """Find out what became of it; `looks` counts the look-ups since it was sent that did not find it."""


class ReplySender:
    """Answers: at most once. No platform lets us look one up, so after a lost answer a person does."""

    def send(self, channel: Channel, body: Mapping[str, Any], now: datetime) -> Outcome:
        """Post the answer."""
        del now
        receipt = channel.post_reply(Reply.model_validate(body))
        return Outcome(state=RemedyState.SETTLED, external_id=receipt.external_id)

    def look(self, channel: Channel, body: Mapping[str, Any], looks: int, now: datetime) -> Outcome:
        """Give it to a person."""
        del body, looks, now
        return Outcome(state=RemedyState.UNKNOWN, detail=f"{channel.title} does not tell whether this answer arrived")


class CaseSender:
    """Decisions on cases: a case can be decided only once, so sending the same decision again is the look-up."""

    def send(self, channel: Channel, body: Mapping[str, Any], now: datetime) -> Outcome:
        """Decide the case; one that is decided already is settled."""
        del now
        decision = CaseDecision.model_validate(body)
        try:
            receipt = channel.decide_case(decision)
        except AlreadyDone as done:
            return Outcome(state=RemedyState.SETTLED, external_id=decision.case_id, detail=str(done))
        return Outcome(state=RemedyState.SETTLED, external_id=receipt.external_id)

    def look(self, channel: Channel, body: Mapping[str, Any], looks: int, now: datetime) -> Outcome:
        """Decide it again."""
        del looks
        return self.send(channel, body, now)


class RefundSender:
    """Refunds: the platform's key or its own list of refunds says whether one was paid."""

    def send(self, channel: Channel, body: Mapping[str, Any], now: datetime) -> Outcome:
        """Issue the refund."""
        return of_receipt(channel.issue_refund(RefundRequest.model_validate(body)), now)

    def look(self, channel: Channel, body: Mapping[str, Any], looks: int, now: datetime) -> Outcome:
        """Read the platform's list; where it says "surely not there", the way back to sending is open.

        A platform that honours keys may be asked again at once with the same key and body. One that only lists its
        refunds is read until its read model has had minutes to catch up.
        """
        refund = RefundRequest.model_validate(body)
        keyed = channel.capabilities.refund.idempotency is Idempotency.KEY
        if channel.can("lookup_refund"):
            found = channel.lookup_refund(refund)
            if found is not None:
                return of_receipt(found, now)
        elif not keyed:
            return Outcome(state=RemedyState.UNKNOWN, detail=f"{channel.title} can neither be asked nor takes a key")
        if keyed or looks + 1 >= len(LOOK_DELAYS):
            return Outcome(state=RemedyState.APPROVED, detail="the platform does not have it", next_at=now)
        return Outcome(state=RemedyState.UNKNOWN, detail="not there yet", next_at=now + look_delay(looks + 1))


class LabelSender:
    """Return labels: the platform's key protects from buying twice; without one, after a lost answer a person looks."""

    def send(self, channel: Channel, body: Mapping[str, Any], now: datetime) -> Outcome:
        """Buy the label."""
        del now
        label = channel.buy_label(LabelRequest.model_validate(body))
        return Outcome(state=RemedyState.SETTLED, external_id=label.external_id, result=label.model_dump(mode="json"))

    def look(self, channel: Channel, body: Mapping[str, Any], looks: int, now: datetime) -> Outcome:
        """Ask for it again with the same key, or give it to a person."""
        del looks
        if channel.capabilities.label.idempotency is Idempotency.KEY:
            return self.send(channel, body, now)
        why = f"{channel.title} takes no key for labels and cannot be asked whether this one was bought"
        return Outcome(state=RemedyState.UNKNOWN, detail=why)


def refund_objection(channel: Channel, refund: RefundRequest, ours: frozenset[str], since: datetime) -> str | None:
    """Say why a refund must not be sent now: too little is left, or somebody else has refunded meanwhile.

    Args:
        channel: where the refund would go out.
        refund: what would be sent.
        ours: the platform's ids of refunds that we made.
        since: when the buyer's request was filed; older refunds were known to whoever decided.

    Raises:
        ChannelError: the platform could not be asked.
    """
    if not channel.can("quote_refund"):
        return None
    quote = channel.quote_refund(refund.order_id)
    if quote.remaining.currency != refund.amount.currency:
        return f"{channel.title} refunds this order in {quote.remaining.currency}, not in {refund.amount.currency}"
    if quote.remaining < refund.amount:
        return f"only {quote.remaining} can still be refunded on this order"
    foreign = [made for made in quote.refunds if made.external_id not in ours and made.at > since]
    if foreign:
        return f"somebody else refunded {foreign[0].amount} on this order at {foreign[0].at:%Y-%m-%d %H:%M} UTC"
    return None


SENDERS: Mapping[str, Sender] = {
    RemedyKind.REPLY: ReplySender(),
    RemedyKind.CASE: CaseSender(),
    RemedyKind.REFUND: RefundSender(),
    RemedyKind.LABEL: LabelSender(),
}
"""One sender per kind."""
