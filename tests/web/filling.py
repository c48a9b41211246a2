"""Fills a store with plain rows: what a busy desk looks like, with real decisions and clocks."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from aftersail.core import packs
from aftersail.core.clocks import Calendar, Clock, Metric, Source, SourceKind, from_deadline, start
from aftersail.core.contract import Money
from aftersail.core.desk.clock_rows import columns
from aftersail.core.policy import Decision, Pack, PackLibrary, decide, make_facts, plain_facts
from aftersail.core.store import tables

PACKS = PackLibrary([Path(packs.__file__).parent])
HOSTILE = '<script>alert("owned")</script><img src=https://evil.example/x onerror=alert(1)>'


class Filling:
    """Writes rows at instants around `now`."""

    def __init__(self, engine: sa.Engine, now: datetime) -> None:
        self.engine = engine
        self.now = now

    def add(self, table: sa.Table, **values: Any) -> int | str:
        with self.engine.begin() as conn:
            return conn.execute(sa.insert(table).values(**values)).inserted_primary_key[0]

    def channel(self, channel_id: str = "shop", **values: Any) -> str:
        row = {"kind": "shopify", "active": True, "poll_seconds": 60, "failures": 0}
        row |= {"due_at": self.now + timedelta(seconds=40), "synced_at": self.now - timedelta(seconds=20)}
        self.add(tables.channel, id=channel_id, **(row | values))
        return channel_id

    def ticket(self, channel: str = "shop", **values: Any) -> int:
        row = {
            "channel": channel,
            "subject": "My lamp arrived broken",
            "state": "open",
            "language": "en",
            "reason": "damaged",
            "reason_because": "the words 'arrived broken'",
            "escalation": False,
            "tier": "defect",
            "buyer_name": "Ada Example",
            "buyer_email": "ada@example.com",
            "filed_at": self.now - timedelta(hours=3),
            "token": "t",
            "opened_at": self.now - timedelta(hours=3),
            "updated_at": self.now - timedelta(hours=1),
            "pack_id": "starter",
            "pack_version": 1,
        }
        return int(self.add(tables.ticket, **(row | values)))

    def message(self, ticket: int, text: str, channel: str = "shop", **values: Any) -> int:
        row = {
            "channel": channel,
            "external_id": f"m-{ticket}-{abs(hash((text, str(values))))}",
            "revision": 0,
            "ticket": ticket,
            "direction": "inbound",
            "kind": "message",
            "sent_at": self.now - timedelta(hours=3),
            "stored_at": self.now - timedelta(hours=3),
            "author": "Ada Example",
            "subject": "My lamp arrived broken",
            "text": text,
            "full_text": text,
            "authenticity": "pass",
        }
        return int(self.add(tables.message, **(row | values)))

    def order(self, channel: str = "shop", **values: Any) -> int:
        line = {"external_id": "l1", "title": "Desk lamp, brass", "quantity": 1, "sku": "LAMP-7"}
        line["unit_price"] = {"amount": "19.99", "currency": "EUR"}
        row = {
            "channel": channel,
            "external_id": "o-1001",
            "revision": 1,
            "number": "#1001",
            "placed_at": self.now - timedelta(days=9),
            "delivered_at": self.now - timedelta(days=2),
            "currency": "EUR",
            "total": Decimal("19.99"),
            "refunded": Decimal(0),
            "status": "fulfilled",
            "ship_country": "DE",
            "link": "https://shop.example/orders/1001",
            "lines": [line],
        }
        return int(self.add(tables.orders, **(row | values)))

    def clock(self, ticket: int, clock: Clock) -> int:
        return int(self.add(tables.clock, ticket=ticket, **columns(clock)))

    def remedy(self, ticket: int, key: str, **values: Any) -> str:
        row = {
            "key": key,
            "kind": "refund",
            "ticket": ticket,
            "channel": "shop",
            "state": "planned",
            "order_id": "o-1001",
            "amount": Decimal("19.99"),
            "currency": "EUR",
            "rule": "small-defect",
            "why": "19.99 EUR, all of the claim",
            "body": {},
            "planned_at": self.now - timedelta(hours=2),
        }
        return str(self.add(tables.remedy, **(row | values)))

    def decided(self, ticket: int, channel: str = "shop") -> Decision:
        known = make_facts(facts(channel))
        decision = decide(self.pack, known, self.now)
        body = decision.model_dump(mode="json")
        row = {"ticket": ticket, "at": self.now, "pack_id": decision.pack_id, "pack_version": decision.pack_version}
        self.add(tables.decision, **row, summary=decision.summary, facts=plain_facts(known), body=body)
        for target in decision.targets:
            if target.metric is not Metric.NEXT_RESPONSE:
                calendar = Calendar.build(self.pack.calendars[target.calendar]) if target.calendar else None
                self.clock(ticket, start(target, calendar, self.now - timedelta(hours=3)))
        return decision

    @property
    def pack(self) -> Pack:
        return PACKS.in_force("starter", self.now)

    def due(self, ticket: int, after: timedelta, **values: Any) -> None:
        """Give a ticket a marketplace's deadline, on a clock and on the row the inbox sorts by."""
        due = self.now + after
        source = Source(kind=SourceKind.MARKETPLACE, name="amazon")
        self.clock(ticket, from_deadline(Metric.PLATFORM_DEADLINE, self.now - timedelta(hours=3), due, source))
        row = {"due_at": due, "due_metric": Metric.PLATFORM_DEADLINE, "due_source": source.label}
        with self.engine.begin() as conn:
            table = tables.ticket
            conn.execute(sa.update(table).where(table.c.id == ticket).values(**(row | values)))


def facts(channel: str) -> dict[str, object]:
    money = Money.of("19.99", "EUR")
    return {
        "ticket.reason": "damaged",
        "ticket.language": "en",
        "ticket.channel": channel,
        "ticket.connector": "shopify",
        "ticket.escalation": False,
        "claim.kind": "message",
        "claim.amount": money,
        "order.known": True,
        "order.total": money,
        "order.refundable": money,
        "order.delivered": True,
        "buyer.matches_order": True,
    }


def fill_desk(filling: Filling) -> int:
    """Write a desk with a bit of everything; returns the ticket that has all of it."""
    now = filling.now
    filling.channel("shop")
    filling.channel("amazon-de", kind="amazon", failures=3, due_at=now + timedelta(minutes=8))
    trouble = "the token was refused; run: aftersail channel renew ebay-uk"
    filling.channel("ebay-uk", kind="ebay", failures=1, attention=trouble, synced_at=now - timedelta(hours=5))
    order = filling.order()
    shipped = {"orders_id": order, "tracking_number": "JD0146000012345", "carrier": "dhl", "status": "delivered"}
    filling.add(tables.shipment, **shipped, moved_at=now - timedelta(days=2), events=[])
    full = filling.ticket(orders_id=order)
    quoted = "It came in two pieces.\n\n> Thank you for your order"
    first = filling.message(full, f"It came in two pieces. {HOSTILE}", full_text=f"{quoted}\n{HOSTILE}")
    photo = {"filename": "lamp<b>.jpg", "content_type": "image/jpeg", "size": 240_312}
    filling.add(tables.attachment, message=first, **photo, content=b"x")
    answer = {"direction": "outbound", "author": "automation", "sent_at": now - timedelta(hours=2)}
    filling.message(full, "We are sorry. We look at it today.", **answer)
    filling.decided(full)
    filling.due(full, timedelta(hours=1, minutes=20))
    filling.remedy(full, "7c9e6679-7425-40de-944b-e07fc1f90ae7")
    parked = {"remedy": "7c9e6679-7425-40de-944b-e07fc1f90ae7", "kind": "approve_refund"}
    why = "the amount is above what automation may pay"
    link = "https://shop.example/orders/1001"
    filling.add(tables.task, ticket=full, **parked, why=why, link=link, opened_at=now - timedelta(hours=2))
    evil = {"kind": "decide", "why": "look at this", "link": "javascript:alert(1)"}
    filling.add(tables.task, ticket=full, **evil, opened_at=now - timedelta(hours=2))
    case = {"channel": "shop", "external_id": "R-77", "revision": 1, "ticket": full, "kind": "return_request"}
    case |= {"open": True, "status": "awaiting_seller", "opened_at": now - timedelta(hours=3)}
    case |= {"reason_text": "arrived damaged", "available_actions": ["approve", "decline"], "line_ids": ["l1"]}
    filling.add(tables.cases, **case, amount=Decimal("19.99"), currency="EUR", respond_by=now + timedelta(days=2))
    opened = {"at": now - timedelta(hours=3), "kind": "ticket_opened", "channel": "shop", "ticket": full}
    filling.add(tables.event, **opened, actor="aftersail", data={"subject": HOSTILE, "tier": "defect"})
    late = filling.ticket("amazon-de", subject="Wo bleibt mein Paket?", language="de", reason="not_received")
    filling.due(late, -timedelta(hours=2, minutes=5), tier="urgent", escalation=True, buyer_name="Max Muster")
    filling.message(late, "Wo bleibt mein Paket? Ich warte seit drei Wochen.", "amazon-de")
    filling.ticket("ebay-uk", subject="注文した商品が届きません", language="ja", reason="not_received", tier=None)
    filling.ticket(subject=HOSTILE, buyer_name=HOSTILE, reason="other", language="und", reason_because="")
    filling.ticket(subject="Thanks, all good", state="closed", closed_at=now)
    paid = {"state": "settled", "settled_at": now - timedelta(hours=1), "approved_by": "automation"}
    filling.remedy(late, "a" * 36, **paid, booked=Decimal("19.90"), external_id="rf_1")
    unknown = {"state": "unknown", "detail": "the platform did not answer in time", "currency": "JPY"}
    filling.remedy(late, "b" * 36, **unknown, amount=Decimal(2400), order_id="250-1")
    reply = {"kind": "reply", "state": "approved", "amount": None, "currency": None, "body": {"text": "On its way."}}
    filling.remedy(late, "c" * 36, **reply, why="rule acknowledge")
    return full
