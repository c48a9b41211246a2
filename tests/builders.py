"""A desk in a test: a migrated store, the shipped pack and triage, channels that serve what a test wrote for them.

    desk = Desk(databases.fresh("store", migrate), clock)
    shop = desk.add("shop")
    shop.messages.pages = [page(letter("m1", text="It arrived broken"))]
    desk.sync("shop")

Every channel has its own `Script`: one `Feed` for each stream. A feed serves its pages one by one, whatever cursor it
is asked with; an exception among the pages is raised in its turn.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa

from aftersail.core import packs as shipped_packs
from aftersail.core.contract import (
    Authenticity,
    Capabilities,
    Case,
    CaseKind,
    ChannelContext,
    Event,
    Inbound,
    MailRefs,
    Message,
    Money,
    Order,
    Page,
    Party,
    RawMail,
    Receipt,
    Record,
    RefundCapability,
    RefundMode,
    ReplyCapability,
    ReplyMode,
)
from aftersail.core.desk.services import ChannelInfo, Services
from aftersail.core.hookspecs import hookimpl
from aftersail.core.host import Channel, Host
from aftersail.core.host.plugins import Candidate
from aftersail.core.intake.sync import Intake, SyncReport
from aftersail.core.jobs import JobInfo, JobState, Json
from aftersail.core.policy import PackLibrary
from aftersail.core.store import tables
from aftersail.core.store.engine import open_engine
from aftersail.core.store.migrate import upgrade
from aftersail.core.store.unit import Unit, unit_of_work
from aftersail.core.triage import Triage
from aftersail.sdk import Connector, ConnectorSettings

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
"""A Monday within the shipped pack's opening hours (Berlin)."""

_COMPILED: dict[Any, Any] = {}  # a desk lives for one test; compiling its statements anew would take half of it

PACKS = PackLibrary([Path(shipped_packs.__file__).parent])


def migrate(url: str) -> None:
    """Build the template `store`: the schema and nothing else."""
    engine = open_engine(url, durable=False)
    upgrade(engine)
    engine.dispose()


# -- what channels bring ---------------------------------------------------------------------------------------------


def at(minutes: float) -> datetime:
    """An instant so many minutes after (before) `NOON`."""
    return NOON + timedelta(minutes=minutes)


def letter(external_id: str, minutes: float = 0, text: str = "Hello", **values: Any) -> Message:
    """A message of Ada's."""
    row = {"author": Party(name="Ada Example", email="ada@buyer.example"), "authenticity": Authenticity.PASS}
    return Message(external_id=external_id, sent_at=at(minutes), text=text, **(row | values))


def mail(name: str, minutes: float = 0, text: str = "Hello", *, answers: Sequence[str] = (), **values: Any) -> Message:
    """A message that came as a mail: its id is `<name>`, `answers` are the names of those it follows, oldest first."""
    known = tuple(f"<{each}>" for each in answers)
    refs = MailRefs(message_id=f"<{name}>", in_reply_to=known[-1] if known else None, references=known)
    return letter(f"<{name}>", minutes, text, mail=refs, **values)


def purchase(number: str = "1001", total: str = "15.00", *, minutes: float = -9000, **values: Any) -> Order:
    """An order of Ada's, known to the platform as `id-<number>`."""
    row = {
        "external_id": f"id-{number}",
        "number": f"#{number}",
        "buyer": Party(name="Ada Example", email="ada@buyer.example"),
        "total": Money.of(total, "USD"),
        "locale": "en",
    }
    return Order(placed_at=at(minutes), **(row | values))


def matter(external_id: str = "R1", minutes: float = 0, number: str = "1001", **values: Any) -> Case:
    """A return request about an order."""
    row = {"kind": CaseKind.RETURN_REQUEST, "order_id": f"id-{number}", "status": "requested"}
    row |= {"buyer": Party(name="Ada Example")}
    return Case(external_id=external_id, opened_at=at(minutes), **(row | values))


def page(*items: Record, cursor: str | None = "c", more: bool = False, skipped: Sequence[str] = ()) -> Page[Any]:
    """A page; the stream it is put into gives it its type."""
    return Page[Any](items=items, cursor=cursor, more=more, skipped=tuple(skipped))


# -- channels --------------------------------------------------------------------------------------------------------


@dataclass
class Feed:
    """What one stream answers, call by call; `asked` holds the cursors it was asked with."""

    pages: list[Page[Any] | Exception] = field(default_factory=list)
    asked: list[str | None] = field(default_factory=list)

    def serve(self, cursor: str | None) -> Page[Any]:
        self.asked.append(cursor)
        if not self.pages:
            return Page[Any](cursor=cursor)
        found = self.pages.pop(0)
        if isinstance(found, Exception):
            raise found
        return found


@dataclass
class Script:
    """What one channel's platform says."""

    messages: Feed = field(default_factory=Feed)
    orders: Feed = field(default_factory=Feed)
    cases: Feed = field(default_factory=Feed)
    claim: Callable[[RawMail], Message | None] = lambda _: None
    sent: list[Any] = field(default_factory=list)


class ScriptedConnector(Connector[ConnectorSettings]):
    """A platform with an API for everything."""

    kind = "scripted"
    title = "Scripted"
    settings_model = ConnectorSettings
    capabilities = Capabilities(
        inbound=Inbound.API, reply=ReplyCapability(mode=ReplyMode.API), refund=RefundCapability(mode=RefundMode.SYNC)
    )
    script: Script

    def fetch_messages(self, cursor, limit):
        found = self.script.messages.serve(cursor)
        return Page[Message](items=found.items, cursor=found.cursor, more=found.more, skipped=found.skipped)

    def fetch_orders(self, cursor, limit):
        found = self.script.orders.serve(cursor)
        return Page[Order](items=found.items, cursor=found.cursor, more=found.more, skipped=found.skipped)

    def fetch_cases(self, cursor, limit):
        found = self.script.cases.serve(cursor)
        return Page[Case](items=found.items, cursor=found.cursor, more=found.more, skipped=found.skipped)

    def post_reply(self, reply):
        self.script.sent.append(reply)
        return Receipt(external_id=f"sent-{len(self.script.sent)}", at=self.context.now())

    def issue_refund(self, refund):
        raise AssertionError(f"the test pays nothing: {refund}")


class RelayConnector(Connector[ConnectorSettings]):
    """A platform without a message API: its mail is recognised in a mailbox."""

    kind = "relay"
    title = "Relay"
    settings_model = ConnectorSettings
    capabilities = Capabilities(inbound=Inbound.EMAIL, reply=ReplyCapability(mode=ReplyMode.EMAIL_RELAY))
    script: Script

    def claim_email(self, mail):
        return self.script.claim(mail)

    def fetch_orders(self, cursor, limit):
        found = self.script.orders.serve(cursor)
        return Page[Order](items=found.items, cursor=found.cursor, more=found.more)


class MuteConnector(Connector[ConnectorSettings]):
    """A platform that brings messages and takes no answers: a person answers on its own page."""

    kind = "mute"
    title = "Mute"
    settings_model = ConnectorSettings
    capabilities = Capabilities(inbound=Inbound.API, reply=ReplyCapability(mode=ReplyMode.DEEPLINK))
    script: Script

    def fetch_messages(self, cursor, limit):
        found = self.script.messages.serve(cursor)
        return Page[Message](items=found.items, cursor=found.cursor, more=found.more)


class _Plugin:
    @hookimpl
    def aftersail_connectors(self):
        return [kind.declare() for kind in (ScriptedConnector, RelayConnector, MuteConnector)]


# -- the desk --------------------------------------------------------------------------------------------------------


class JobsRecorder:
    """Takes jobs and runs none (`aftersail.core.jobs.Jobs`); `enqueued` forgets what its transaction did not keep.

    It writes no row, so it asks the connection at the end of the transaction what became of it.
    """

    def __init__(self) -> None:
        self.enqueued: dict[str, dict[str, Any]] = {}

    def enqueue(
        self,
        tx: sa.Connection,
        job: str,
        *,
        queue: str,
        job_id: str,
        args: Mapping[str, Json],
        partition: str | None = None,
        priority: int = 0,
        delay: timedelta | None = None,
    ) -> bool:
        if job_id in self.enqueued:
            return False
        assert tx.in_transaction()
        self.enqueued[job_id] = {"job": job, "queue": queue, "partition": partition, "args": dict(args)}
        sa.event.listen(tx, "rollback", lambda _: self.enqueued.pop(job_id, None), once=True)
        return True

    def find(self, job_id: str) -> JobInfo | None:
        return None

    def list(
        self,
        *,
        states: Collection[JobState] | None = None,
        queue: str | None = None,
        job: str | None = None,
        limit: int = 100,
    ) -> Sequence[JobInfo]:
        return ()

    def retry(self, job_id: str) -> None:
        raise LookupError(job_id)

    def cancel(self, job_id: str) -> JobState:
        raise LookupError(job_id)

    def prune(self, older_than: datetime) -> int:
        return 0


class Desk:
    """The intake and the desk over one database; nothing leaves it.

    Attributes:
        now: the instant of everything done; set it, or move it with `advance`.
        told: notifications in order, as pairs of hook and event.
    """

    def __init__(self, url: str, now: datetime = NOON, packs: PackLibrary = PACKS) -> None:
        self.engine = open_engine(url, durable=False).execution_options(compiled_cache=_COMPILED)
        self.now = now
        self.host = Host([Candidate(name="scripted", distribution="scripted 1", load=_Plugin)])
        self.jobs = JobsRecorder()
        self.told: list[tuple[str, Event]] = []
        self.channels: dict[str, Channel] = {}
        self.infos: dict[str, ChannelInfo] = {}
        self.serve(
            Services(packs=packs, pack_id="starter", triage=Triage.shipped(), jobs=self.jobs, channels=self.infos)
        )

    def serve(self, services: Services) -> None:
        """Work with these neighbours from now on."""
        self.services = services
        self.intake = Intake(
            self.engine,
            services=self.services,
            relays=lambda: tuple(self.channels.values()),
            now=lambda: self.now,
            notify=lambda hook, event: self.told.append((hook, event)),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, channel: str, kind: str = "scripted", *, mailbox: str | None = None) -> Script:
        """Add a channel and return what its platform says."""
        connector_type = self.host.connector_type(kind)
        context = ChannelContext(channel_id=channel, now=lambda: self.now)
        self.channels[channel] = built = self.host.build_channel(kind, ConnectorSettings(), context)
        built._connector.script = script = Script()
        self.infos[channel] = ChannelInfo(
            id=channel,
            kind=kind,
            title=connector_type.title,
            capabilities=connector_type.capabilities,
            operations=connector_type.operations,
            mailbox=mailbox,
            signature="Test Shop",
        )
        with self.engine.begin() as conn:
            conn.execute(sa.insert(tables.channel).values(id=channel, kind=kind, poll_seconds=60))
        return script

    def advance(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)

    def sync(self, channel: str = "shop") -> SyncReport:
        return self.intake.sync(self.channels[channel])

    def unit(self) -> Any:
        """Open a transaction: `with desk.unit() as unit: …`."""
        return unit_of_work(self.engine, self.now)

    def do(self, work: Callable[[Unit], Any]) -> Any:
        """Do one thing in a transaction of its own."""
        with self.unit() as unit:
            return work(unit)

    def rows(self, table: sa.Table, *conditions: sa.ColumnElement[bool]) -> list[Any]:
        """Read a table, in the order of its key."""
        with self.engine.connect() as conn:
            return list(conn.execute(sa.select(table).where(*conditions).order_by(*table.primary_key.columns)))

    def close(self) -> None:
        for channel in self.channels.values():
            channel.close()
        self.engine.dispose()
