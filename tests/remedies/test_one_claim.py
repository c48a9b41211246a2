"""The same claim by webhook, poll, return request and mail, with a crash after the platform has paid: one refund.

Vector 35 of the product's numbers.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from aftersail.core import packs
from aftersail.core.contract import Case, CaseKind, ChannelContext, Message, Order, OrderLine, Page, Party, RawMail
from aftersail.core.desk.services import ChannelInfo, Services
from aftersail.core.host import Channel
from aftersail.core.intake.sync import Intake
from aftersail.core.policy import PackLibrary
from aftersail.core.store import tables
from aftersail.core.triage import Triage
from aftersail.sdk import (
    Capabilities,
    Connector,
    ConnectorSettings,
    Idempotency,
    Inbound,
    Money,
    RefundCapability,
    RefundMode,
    ReplyCapability,
    ReplyMode,
)
from tests.remedies.errors import raising
from tests.remedies.platforms import Crash, Looks, Platform, Quotes, Scripted

WORDS = "There is a small scratch on the handle of the mug."
BUYER = Party(external_id="b1", name="Ada Example", email="ada@relay.example")


class Store(Looks, Quotes, Scripted):
    """A marketplace whose messages come by mail and whose returns come through its API."""

    kind = "store"
    title = "Store"
    capabilities = Capabilities(
        inbound=Inbound.EMAIL,
        reply=ReplyCapability(mode=ReplyMode.API),
        refund=RefundCapability(mode=RefundMode.SYNC, idempotency=Idempotency.LOOKUP),
    )

    def fetch_orders(self, cursor, limit):
        now = self.context.now()
        price = Money.of("10.00", "EUR")
        line = OrderLine(external_id="l1", title="Mug", quantity=1, unit_price=price)
        placed = now - timedelta(days=3)
        order = Order(external_id="A-1", number="A-1", placed_at=placed, buyer=BUYER, total=price, lines=(line,))
        return Page[Order](items=(order, order))

    def fetch_cases(self, cursor, limit):
        case = Case(
            external_id="R-1",
            kind=CaseKind.RETURN_REQUEST,
            order_id="A-1",
            line_ids=("l1",),
            opened_at=self.context.now() - timedelta(hours=1),
            buyer=BUYER,
            reason_text=WORDS,
        )
        return Page[Case](items=(case,))

    def claim_email(self, mail):
        return Message(
            external_id=mail.content.decode(),
            sent_at=self.context.now() - timedelta(hours=2),
            author=BUYER,
            reply_to=BUYER.email,
            order_id="A-1",
            subject="Order A-1",
            text=WORDS,
        )


class Mailbox(Connector[ConnectorSettings]):
    kind = "mailbox"
    title = "Mailbox"
    settings_model = ConnectorSettings
    capabilities = Capabilities(inbound=Inbound.API)

    def fetch_messages(self, cursor, limit):
        now = self.context.now()
        raw = RawMail(content=b"m1", received_at=now, mailbox="mailbox")
        mail = Message(external_id="m1", sent_at=now, text=WORDS, raw_mail=raw)
        return Page[Message](items=(mail,))


@pytest.fixture
def desk(world):
    """A world with that marketplace, that mailbox, and everything from the page to the refund."""
    platform = world.platforms["store"] = Platform(world.clock.now, total=Decimal(10))
    made = {}
    for connector_class in (Store, Mailbox):
        kind = connector_class.kind
        connector = connector_class(ConnectorSettings(), ChannelContext(channel_id=kind, now=world.clock.now))
        connector.platform = platform
        made[kind] = world.channels[kind] = Channel(kind, connector_class.declare(), connector)
        with world.engine.begin() as conn:
            row = {"id": kind, "kind": kind, "active": True, "poll_seconds": 60, "failures": 0}
            conn.execute(sa.insert(tables.channel).values(**row))
    infos = {
        name: ChannelInfo(
            id=name,
            kind=channel.kind,
            title=channel.title,
            capabilities=channel.capabilities,
            operations=channel.operations,
            signature="Shop",
        )
        for name, channel in made.items()
    }
    services = Services(
        packs=PackLibrary([Path(packs.__file__).parent]),
        pack_id="starter",
        triage=Triage.shipped(()),
        jobs=world.jobs,
        channels=infos,
    )
    intake = Intake(
        world.engine, services=services, relays=made.values, now=world.clock.now, notify=lambda hook, event: None
    )
    return lambda name: intake.sync(made[name])


@pytest.mark.parametrize("first", ["store", "mailbox"])
@pytest.mark.parametrize("after_effect", [True, False])
def test_vector_35_one_claim_that_comes_in_many_ways_is_refunded_once(world, desk, first, after_effect):
    desk("store") if first == "store" else desk("mailbox")
    for _ in range(3):
        desk("store")
    desk("mailbox")
    platform = world.platforms["store"]
    platform.fail("A-1", raising(Crash()), after_effect=after_effect)
    with pytest.raises(Crash):
        world.run_jobs()
    for name in ("store", "mailbox", "store"):
        world.clock.advance(1)
        desk(name)
    world.run_until_quiet()
    desk("store")
    desk("mailbox")
    world.run_until_quiet()
    [booked] = platform.ledger
    assert booked.amount == Decimal(5)
    refunds = [row for row in world.rows() if row.kind == "refund"]
    assert [(row.state, row.rule) for row in refunds] == [("settled", "minor-defect-small")]
    answers = [row for row in world.rows() if row.after == refunds[0].key]
    assert [row.state for row in answers] == ["settled"]
    assert platform.answers.count(answers[0].key) == 1
