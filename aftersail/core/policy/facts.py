"""The catalogue of facts: everything a pack's condition may ask about, with its type and its meaning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

from aftersail.core.contract import CaseKind, Money, TrackingStatus
from aftersail.core.policy.reasons import RIGHT_OF, Reason, Right

FactValue: TypeAlias = str | bool | int | Money | datetime | tuple[str, ...]


class FactType(StrEnum):
    """What a fact's value is; the value is the word used in messages to people."""

    TEXT = "text"
    BOOL = "true or false"
    INT = "whole number"
    MONEY = "money"
    INSTANT = "instant"
    TEXTS = "list of text"


@dataclass(frozen=True)
class Fact:
    """One entry of the catalogue.

    Attributes:
        name: flat, with a dot in it, as conditions write it.
        values: the only texts it can have; empty where any text is possible.
    """

    name: str
    type: FactType
    meaning: str
    values: frozenset[str] = frozenset()


class FactError(ValueError):
    """A fact that is not in the catalogue, or a value of the wrong type: a defect of the caller, not of a pack."""


_RIGHTS = frozenset(right.value for right in Right)
_CLAIM_KINDS = frozenset({"message", *(kind.value for kind in CaseKind)})

_FACTS = (
    Fact("ticket.reason", FactType.TEXT, "why the buyer writes", frozenset(reason.value for reason in Reason)),
    Fact("ticket.language", FactType.TEXT, "BCP 47 tag of the buyer's language"),
    Fact("ticket.channel", FactType.TEXT, "id of the channel"),
    Fact("ticket.connector", FactType.TEXT, "kind of the connector, such as shopify"),
    Fact("ticket.escalation", FactType.BOOL, "the buyer threatens with law, press, bank or a bad review"),
    Fact("ticket.graded", FactType.TEXT, "the tier an agent has set for good, in place of the pack's table"),
    Fact("ticket.risk", FactType.TEXT, "how triage rates the risk of the ticket"),
    Fact("message.authentic", FactType.BOOL, "the message is proven to be from whom it claims"),
    Fact("order.known", FactType.BOOL, "the order the ticket is about has been found"),
    Fact("order.total", FactType.MONEY, "what the buyer paid"),
    Fact("order.refunded", FactType.MONEY, "what has gone back already, by anyone"),
    Fact("order.refundable", FactType.MONEY, "what may still go back, as the platform says"),
    Fact("order.country", FactType.TEXT, "where it was shipped to, ISO 3166-1 alpha-2"),
    Fact("order.region", FactType.TEXT, "the part of the country it was shipped to, ISO 3166-2, such as US-CA"),
    Fact("order.category", FactType.TEXTS, "the seller's categories of the goods concerned"),
    Fact("order.digital", FactType.BOOL, "nothing of the order is shipped: downloads, codes, services"),
    Fact("order.placed_at", FactType.INSTANT, "when the order was placed"),
    Fact("order.fulfilled_at", FactType.INSTANT, "when the last of it was handed to the carrier"),
    Fact("order.delivered", FactType.BOOL, "the order has been delivered"),
    Fact("order.delivered_at", FactType.INSTANT, "when it was delivered"),
    Fact("order.delivered_first_at", FactType.INSTANT, "when the first of its parcels was delivered"),
    Fact("order.delivered_last_at", FactType.INSTANT, "when the last of its parcels was delivered"),
    Fact("order.age_days", FactType.INT, "whole days since the order was placed"),
    Fact("order.lines", FactType.INT, "number of positions of the order"),
    Fact("order.skus", FactType.TEXTS, "the seller's article numbers in the order"),
    Fact("claim.amount", FactType.MONEY, "value of the order lines concerned, or of the whole order"),
    Fact("claim.kind", FactType.TEXT, "how the matter came in", _CLAIM_KINDS),
    Fact("claim.right", FactType.TEXT, "what is asked for; worked out from the reason where nobody said", _RIGHTS),
    Fact("claim.severity", FactType.TEXT, "how bad the matter is", frozenset({"low", "medium", "high"})),
    Fact("claim.filed_at", FactType.INSTANT, "when the buyer asked, as sent and not as read"),
    Fact("claim.delivered_at", FactType.INSTANT, "when the last of the order lines concerned was delivered"),
    Fact("claim.agreed_at", FactType.INSTANT, "when the seller agreed to pay back"),
    Fact("claim.eligible_at", FactType.INSTANT, "when everything a refund depends on was there"),
    Fact("claim.return_proof_at", FactType.INSTANT, "when the buyer proved that the goods are on their way back"),
    Fact("claim.goods_back_at", FactType.INSTANT, "when the goods came back"),
    Fact("item.unsealed", FactType.BOOL, "the seal of the goods concerned was broken after delivery"),
    Fact("item.custom", FactType.BOOL, "they were made to the buyer's specification"),
    Fact("item.perishable", FactType.BOOL, "they go bad or expire soon"),
    Fact("item.digital", FactType.BOOL, "they are digital content without a physical carrier"),
    Fact("digital.consent", FactType.BOOL, "the buyer agreed that the supply begins before the window is over"),
    Fact("digital.consent_at", FactType.INSTANT, "when the buyer agreed to that"),
    Fact("digital.acknowledged", FactType.BOOL, "the buyer acknowledged that the right is lost by it"),
    Fact("digital.downloaded", FactType.BOOL, "the content was downloaded, streamed or redeemed"),
    Fact("cost.outbound_standard", FactType.MONEY, "what the cheapest delivery on offer cost the buyer"),
    Fact("cost.outbound_express", FactType.MONEY, "what the buyer paid beyond that for a faster one"),
    Fact("cost.return_freight", FactType.MONEY, "what sending the goods back costs"),
    Fact("cost.duty", FactType.MONEY, "import duty on the goods concerned"),
    Fact("cost.tax", FactType.MONEY, "tax on the goods concerned that is not in their price"),
    Fact("customer.value", FactType.TEXT, "the seller's own word for what the buyer is worth, such as vip or regular"),
    Fact("buyer.matches_order", FactType.BOOL, "the writer is proven to be the one who ordered"),
    Fact("buyer.orders", FactType.INT, "orders of this buyer that we know"),
    Fact("buyer.refunds", FactType.INT, "how many of them had a refund"),
    Fact("buyer.refund_rate_percent", FactType.INT, "refunds per hundred orders, rounded up, so that `> 30` is exact"),
    Fact("buyer.high_risk", FactType.BOOL, "too many refunds, as the pack's `high_risk` counts them"),
    Fact("parcel.status", FactType.TEXT, "last status of the parcel", frozenset(s.value for s in TrackingStatus)),
    Fact("parcel.tracking_number", FactType.TEXT, "tracking number of the parcel"),
    Fact("parcel.days_since_event", FactType.INT, "whole days since the parcel's last movement"),
    Fact("window.open", FactType.BOOL, "the claim was filed in time, as the rows about windows count it"),
    Fact("window.ends_at", FactType.INSTANT, "the first instant at which it would have been too late"),
    Fact("window.days_left", FactType.INT, "dates left when the claim was filed, the last one not counted"),
)

DERIVED: Final = frozenset({"window.open", "window.ends_at", "window.days_left"})
"""Facts that a decision works out from the pack's own rows: only rules can ask about them."""

CATALOGUE: Mapping[str, Fact] = MappingProxyType({fact.name: fact for fact in _FACTS})
"""Every fact by name."""


class Facts(Mapping[str, FactValue]):
    """What is known at one instant. A fact that is not known is absent: there is no null."""

    def __init__(self, values: Mapping[str, FactValue]) -> None:
        self._values = MappingProxyType(dict(values))

    def __getitem__(self, name: str) -> FactValue:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))

    def __repr__(self) -> str:
        return f"Facts({dict(self._values)!r})"

    def having(self, more: Mapping[str, FactValue]) -> Facts:
        """Return these facts with some that were worked out from them."""
        values = {**self._values, **more}
        return Facts({name: values[name] for name in sorted(values)}) if more else self

    def money(self, name: str) -> Money | None:
        """Return a money fact, or None where it is absent."""
        value = self._values.get(name)
        return value if isinstance(value, Money) else None

    def instant(self, name: str) -> datetime | None:
        """Return an instant, or None where it is absent."""
        value = self._values.get(name)
        return value if isinstance(value, datetime) else None

    def text(self, name: str) -> str | None:
        """Return a text fact, or None where it is absent."""
        value = self._values.get(name)
        return value if isinstance(value, str) else None


def nearest(word: str, words: Mapping[str, object] | frozenset[str] | tuple[str, ...]) -> str | None:
    """Find the one of `words` that was probably meant, or None where nothing is close."""
    found = get_close_matches(word, sorted(words), n=1, cutoff=0.6)
    return found[0] if found else None


def make_facts(values: Mapping[str, object] | None = None, /, **more: object) -> Facts:
    """Check values against the catalogue and freeze them.

    Args:
        values: by the catalogue's names. None as a value means "not known", and the fact stays absent.
        more: the same with two underscores for the dot, as in `order__total`.

    Returns:
        The facts, with `buyer.refund_rate_percent` worked out from orders and refunds, and `claim.right` from the
        reason, where they were not given.

    Raises:
        FactError: a name that is not in the catalogue, or a value of the wrong type.
    """
    given = {**(values or {}), **{name.replace("__", ".", 1): value for name, value in more.items()}}
    checked = {name: _checked(name, value) for name, value in given.items() if value is not None}
    orders, refunds = checked.get("buyer.orders"), checked.get("buyer.refunds")
    if isinstance(orders, int) and isinstance(refunds, int) and orders > 0:
        checked.setdefault("buyer.refund_rate_percent", -(-refunds * 100 // orders))
    right = RIGHT_OF.get(str(checked.get("ticket.reason", "")))
    if right is not None:
        checked.setdefault("claim.right", right.value)
    return Facts({name: checked[name] for name in sorted(checked)})


def show(value: FactValue) -> str:
    """Write a value as a person reads it: `19.99 USD`, `yes`, `2026-11-22 18:00 UTC`."""
    match value:
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        case tuple():
            return ", ".join(value) or "none"
        case _:
            return str(value)


def plain_facts(facts: Facts) -> dict[str, str | bool | int | list[str]]:
    """Write facts as JSON takes them: money as `19.99 USD`, instants as ISO 8601 in UTC. `read_facts` reads them."""
    return {name: _plain(value) for name, value in facts.items()}


def _plain(value: FactValue) -> str | bool | int | list[str]:
    match value:
        case tuple():
            return list(value)
        case datetime():
            return value.astimezone(UTC).isoformat()
        case Money():
            return f"{value.amount:f} {value.currency}"
        case _:
            return value


def read_facts(plain: Mapping[str, object]) -> Facts:
    """Read facts that `plain_facts` wrote, each by its type in the catalogue.

    Raises:
        FactError: a name that is not in the catalogue, or a value that cannot be read as its type.
    """
    return Facts({name: read_fact(name, plain[name]) for name in sorted(plain)})


def read_fact(name: str, plain: object) -> FactValue:
    """Read one plain value by the fact's type in the catalogue; an instant needs its zone.

    Raises:
        FactError: a name that is not in the catalogue, or a value that cannot be read as its type.
    """
    fact = _known(name)
    try:
        match fact.type, plain:
            case FactType.MONEY, str():
                amount, _, currency = plain.partition(" ")
                return Money(amount=Decimal(amount), currency=currency)
            case FactType.INSTANT, str() if (instant := datetime.fromisoformat(plain)).tzinfo is not None:
                return instant.astimezone(UTC)
            case FactType.TEXTS, list() | tuple():
                return _checked(name, tuple(plain))
            case FactType.MONEY | FactType.INSTANT, _:
                raise ValueError(plain)
            case _:
                return _checked(name, plain)
    except FactError:
        raise
    except (ValueError, ArithmeticError):
        raise FactError(f"{name}: {plain!r} is not {fact.type}; write it like {_SAMPLES[fact.type]}") from None


_SAMPLES = {FactType.MONEY: '"19.99 USD"', FactType.INSTANT: '"2026-11-22T18:00:00Z"'}


def _known(name: str) -> Fact:
    fact = CATALOGUE.get(name)
    if fact is None:
        guess = nearest(name, CATALOGUE)
        raise FactError(f"{name}: no such fact" + (f"; did you mean {guess}?" if guess else ""))
    return fact


def _checked(name: str, value: object) -> FactValue:
    fact = _known(name)
    match fact.type, value:
        case FactType.TEXT, str():
            text = str(value.value) if isinstance(value, StrEnum) else value
            if fact.values and text not in fact.values:
                raise FactError(f"{name}: {text!r} is none of {', '.join(sorted(fact.values))}")
            return text
        case FactType.BOOL, bool():
            return value
        case FactType.INT, int() if not isinstance(value, bool):
            return value
        case FactType.MONEY, Money():
            return value
        case FactType.INSTANT, datetime() if value.tzinfo is not None:
            return value.astimezone(UTC)
        case FactType.TEXTS, tuple() if all(isinstance(item, str) for item in value):
            return value
        case _:
            raise FactError(f"{name}: {type(value).__name__} is not {fact.type}")
