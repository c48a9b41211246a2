"""The catalogue of facts: everything a pack's condition may ask about, with its type and its meaning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from aftersail.core.contract import CaseKind, Money, TrackingStatus
from aftersail.core.policy.reasons import Reason

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


_CLAIM_KINDS = frozenset({"message", *(kind.value for kind in CaseKind)})

_FACTS = (
    Fact("ticket.reason", FactType.TEXT, "why the buyer writes", frozenset(reason.value for reason in Reason)),
    Fact("ticket.language", FactType.TEXT, "BCP 47 tag of the buyer's language"),
    Fact("ticket.channel", FactType.TEXT, "id of the channel"),
    Fact("ticket.connector", FactType.TEXT, "kind of the connector, such as shopify"),
    Fact("ticket.escalation", FactType.BOOL, "the buyer threatens with law, press, bank or a bad review"),
    Fact("ticket.risk", FactType.TEXT, "how triage rates the risk of the ticket"),
    Fact("message.authentic", FactType.BOOL, "the message is proven to be from whom it claims"),
    Fact("order.known", FactType.BOOL, "the order the ticket is about has been found"),
    Fact("order.total", FactType.MONEY, "what the buyer paid"),
    Fact("order.refunded", FactType.MONEY, "what has gone back already, by anyone"),
    Fact("order.refundable", FactType.MONEY, "what may still go back, as the platform says"),
    Fact("order.country", FactType.TEXT, "where it was shipped to, ISO 3166-1 alpha-2"),
    Fact("order.placed_at", FactType.INSTANT, "when the order was placed"),
    Fact("order.delivered", FactType.BOOL, "the order has been delivered"),
    Fact("order.delivered_at", FactType.INSTANT, "when it was delivered"),
    Fact("order.age_days", FactType.INT, "whole days since the order was placed"),
    Fact("order.lines", FactType.INT, "number of positions of the order"),
    Fact("order.skus", FactType.TEXTS, "the seller's article numbers in the order"),
    Fact("claim.amount", FactType.MONEY, "value of the order lines concerned, or of the whole order"),
    Fact("claim.kind", FactType.TEXT, "how the matter came in", _CLAIM_KINDS),
    Fact("buyer.matches_order", FactType.BOOL, "the writer is proven to be the one who ordered"),
    Fact("buyer.orders", FactType.INT, "orders of this buyer that we know"),
    Fact("buyer.refunds", FactType.INT, "how many of them had a refund"),
    Fact("buyer.refund_rate_percent", FactType.INT, "refunds per hundred orders, rounded up, so that `> 30` is exact"),
    Fact("parcel.status", FactType.TEXT, "last status of the parcel", frozenset(s.value for s in TrackingStatus)),
    Fact("parcel.tracking_number", FactType.TEXT, "tracking number of the parcel"),
    Fact("parcel.days_since_event", FactType.INT, "whole days since the parcel's last movement"),
)

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

    def money(self, name: str) -> Money | None:
        """Return a money fact, or None where it is absent."""
        value = self._values.get(name)
        return value if isinstance(value, Money) else None

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
        The facts, with `buyer.refund_rate_percent` worked out from orders and refunds where it was not given.

    Raises:
        FactError: a name that is not in the catalogue, or a value of the wrong type.
    """
    given = {**(values or {}), **{name.replace("__", ".", 1): value for name, value in more.items()}}
    checked = {name: _checked(name, value) for name, value in given.items() if value is not None}
    orders, refunds = checked.get("buyer.orders"), checked.get("buyer.refunds")
    if isinstance(orders, int) and isinstance(refunds, int) and orders > 0:
        checked.setdefault("buyer.refund_rate_percent", -(-refunds * 100 // orders))
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


def _checked(name: str, value: object) -> FactValue:
    fact = CATALOGUE.get(name)
    if fact is None:
        guess = nearest(name, CATALOGUE)
        raise FactError(f"{name}: no such fact" + (f"; did you mean {guess}?" if guess else ""))
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
