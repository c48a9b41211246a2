"""Syncing one channel: fetch a page, store it with its cursor in one transaction, and so on to the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
import structlog

from aftersail.core.contract import Case, CursorExpired, Inbound, Message, Order, Page, Stream
from aftersail.core.desk.services import Services
from aftersail.core.host import Channel
from aftersail.core.intake.cases import store_cases
from aftersail.core.intake.messages import Arrival, store_messages
from aftersail.core.intake.orders import store_orders
from aftersail.core.store import tables
from aftersail.core.store.engine import reading
from aftersail.core.store.unit import Notify, Unit, unit_of_work
from aftersail.core.store.write import upsert
from aftersail.core.telemetry import span

_log = structlog.get_logger(__name__)

STREAMS: Final = {Stream.ORDERS: "fetch_orders", Stream.CASES: "fetch_cases", Stream.MESSAGES: "fetch_messages"}
"""The streams in the order they are synced, so that what a message speaks of is there before the message."""

PAGE_SIZE: Final = 100


@dataclass(kw_only=True)
class SyncReport:
    """What one sync brought.

    Attributes:
        new: items never seen before, by stream.
        revised: items in a newer revision, by stream.
        skipped: items the connector could not read, with the reason.
    """

    channel: str
    pages: int = 0
    new: dict[str, int] = field(default_factory=dict)
    revised: dict[str, int] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)


class Intake:
    """Brings channels' pages into the store.

    Args:
        engine: the store.
        services: what judging needs.
        relays: every channel, by id; those without a message API are asked to claim mails.
        now: the clock (UTC).
        notify: tells plugins what was committed.
        page_size: items a page should hold at most.
    """

    def __init__(
        self,
        engine: sa.Engine,
        *,
        services: Services,
        relays: Callable[[], Iterable[Channel]],
        now: Callable[[], datetime],
        notify: Notify,
        page_size: int = PAGE_SIZE,
    ) -> None:
        self._engine = engine
        self._services = services
        self._relays = relays
        self._now = now
        self._notify = notify
        self._page_size = page_size

    def sync(self, channel: Channel, progress: Callable[[SyncReport], None] = lambda _: None) -> SyncReport:
        """Fetch every stream of a channel to its end.

        Raises:
            ChannelError: as the channel says; pages stored before it stay stored, with their cursors.
        """
        report = SyncReport(channel=channel.id)
        for stream, hook in STREAMS.items():
            if channel.can(hook):
                self._stream(channel, stream, report, progress)
        return report

    def _stream(
        self, channel: Channel, stream: Stream, report: SyncReport, progress: Callable[[SyncReport], None]
    ) -> None:
        cursor = self._cursor(channel.id, stream)
        restarted = False
        seen = {cursor}
        while True:
            try:
                with span("sync page", channel=channel.id, stream=stream):
                    page = self._fetch(channel, stream, cursor)
                    self._store(channel, stream, page, report)
            except CursorExpired as expired:
                if restarted:
                    raise
                restarted, cursor, seen = True, None, {None}
                _log.info("cursor_expired", channel=channel.id, stream=stream, detail=str(expired))
                continue
            progress(report)
            cursor = page.cursor if page.cursor is not None else cursor
            if not page.more:
                return
            if cursor in seen:
                _log.warning("cursor_repeated", channel=channel.id, stream=stream)
                return
            seen.add(cursor)

    def _cursor(self, channel: str, stream: Stream) -> str | None:
        table = tables.cursor
        wanted = sa.select(table.c.value).where(table.c.channel == channel, table.c.stream == stream)
        with reading(self._engine).connect() as conn:
            return conn.scalar(wanted)

    def _fetch(self, channel: Channel, stream: Stream, cursor: str | None) -> Page[Any]:
        fetch: Mapping[Stream, Callable[[str | None, int], Page[Any]]] = {
            Stream.ORDERS: channel.fetch_orders,
            Stream.CASES: channel.fetch_cases,
            Stream.MESSAGES: channel.fetch_messages,
        }
        return fetch[stream](cursor, self._page_size)

    def _store(self, channel: Channel, stream: Stream, page: Page[Any], report: SyncReport) -> None:
        arrivals = self._arrivals(channel, page.items) if stream is Stream.MESSAGES else ()
        with unit_of_work(self._engine, self._now(), self._notify) as unit:
            new, revised = self._store_items(unit, channel.id, stream, page.items, arrivals)
            if page.cursor is not None:
                row = {"channel": channel.id, "stream": stream, "value": page.cursor, "saved_at": unit.now}
                upsert(unit.conn, tables.cursor, [row], key=["channel", "stream"])
            if new or revised or page.skipped:
                unit.record(
                    "page",
                    channel.id,
                    stream=stream,
                    items=len(page.items),
                    new=new,
                    revised=revised,
                    skipped=list(page.skipped),
                )
        report.pages += 1
        report.new[stream.value] = report.new.get(stream.value, 0) + new
        report.revised[stream.value] = report.revised.get(stream.value, 0) + revised
        report.skipped.extend(page.skipped)

    def _store_items(
        self,
        unit: Unit,
        channel: str,
        stream: Stream,
        items: tuple[Order | Case | Message, ...],
        arrivals: Iterable[Arrival],
    ) -> tuple[int, int]:
        if stream is Stream.MESSAGES:
            return store_messages(unit, self._services, tuple(arrivals))
        if stream is Stream.CASES:
            return store_cases(unit, self._services, channel, tuple(item for item in items if isinstance(item, Case)))
        return store_orders(unit, self._services, channel, tuple(item for item in items if isinstance(item, Order)))

    def _arrivals(self, channel: Channel, items: tuple[Message, ...]) -> tuple[Arrival, ...]:
        """Offer each mail to the channels that have no message API of their own; the first that knows it has it."""
        return tuple(self._claimed(channel, message) for message in items)

    def _claimed(self, channel: Channel, message: Message) -> Arrival:
        if message.raw_mail is not None:
            for relay in self._relays():
                if relay.id == channel.id or relay.capabilities.inbound is not Inbound.EMAIL:
                    continue
                claimed = relay.claim_email(message.raw_mail)
                if claimed is not None:
                    return Arrival(channel=relay.id, message=claimed, via=channel.id)
        return Arrival(channel=channel.id, message=message)
