"""The application: all rooms put together over one database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import sqlalchemy as sa

from aftersail.core import packs as shipped_packs
from aftersail.core.desk.services import Services
from aftersail.core.desk.settled import on_settled
from aftersail.core.host import Host
from aftersail.core.intake.sync import Intake
from aftersail.core.policy import PackLibrary
from aftersail.core.remedies import Outbox
from aftersail.core.runtime.channels import ChannelDirectory
from aftersail.core.runtime.secrets import SecretStore
from aftersail.core.runtime.settings import Settings, load_settings
from aftersail.core.store import tables
from aftersail.core.store.engine import open_engine
from aftersail.core.store.migrate import check_schema, upgrade
from aftersail.core.store.unit import unit_of_work
from aftersail.core.store.write import upsert
from aftersail.core.triage import Triage

if TYPE_CHECKING:
    from aftersail.core.jobs.dbos_jobs import DbosJobs


def utc_now() -> datetime:
    """The real clock, read nowhere else."""
    return datetime.now(UTC)


class App:
    """One process's view of everything.

    Args:
        settings: what is configured.
        folder: where the settings file, its secrets and its key are.
        plugins: False leaves every plugin alone.
        now: the clock (UTC).
    """

    def __init__(
        self, settings: Settings, folder: Path, *, plugins: bool = True, now: Callable[[], datetime] = utc_now
    ) -> None:
        self.settings = settings
        self.folder = folder
        self.now = now
        self.engine: sa.Engine = open_engine(settings.database)
        self.host = Host(None if plugins else (), disabled=settings.plugins.disabled)
        self.secrets = SecretStore(folder)
        self.channels = ChannelDirectory(self.host, settings, self.secrets, now)

    @classmethod
    def open(cls, path: Path, *, plugins: bool = True, now: Callable[[], datetime] = utc_now) -> Self:
        """Open the application of a settings file.

        Raises:
            SettingsError: the file is not there or wrong.
            DatabaseUrlError: the database URL cannot be used.
        """
        return cls(load_settings(path), path.resolve().parent, plugins=plugins, now=now)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release every connection."""
        self.channels.close()
        if "jobs" in self.__dict__:
            self.jobs.close()
        self.engine.dispose()

    def migrate(self) -> None:
        """Bring the schema up to date, the job engine's tables too, and write down the configured channels."""
        upgrade(self.engine)
        _ = self.jobs  # makes its tables, which inside somebody else's transaction would wait for that one for ever
        self.register_channels()

    def check(self) -> None:
        """Make sure that the schema is the one this version works with.

        Raises:
            SchemaError: it is not; the text names the command.
        """
        check_schema(self.engine)

    def register_channels(self) -> None:
        """Write every configured channel into the store, due at once when it is new; one that is gone is left off."""
        table = tables.channel
        with unit_of_work(self.engine, self.now()) as unit:
            known = {row.id: row for row in unit.conn.execute(sa.select(table))}
            for name, configured in self.settings.channels.items():
                before = known.get(name)
                due = before.due_at if before and before.active else unit.now
                row = {
                    "id": name,
                    "kind": configured.connector,
                    "active": True,
                    "poll_seconds": configured.poll_seconds,
                    "due_at": due,
                    "failures": before.failures if before else 0,
                }
                upsert(unit.conn, table, [row], key=["id"])
            gone = [name for name in known if name not in self.settings.channels]
            unit.conn.execute(sa.update(table).where(table.c.id.in_(gone)).values(active=False, due_at=None))

    @cached_property
    def jobs(self) -> DbosJobs:
        """Where work is handed over; the engine is imported only by a command that needs it."""
        from aftersail.core.jobs.dbos_jobs import DbosJobs  # noqa: PLC0415 - half a second that `inbox` need not pay

        return DbosJobs(self.engine, now=self.now)

    @cached_property
    def packs(self) -> PackLibrary:
        """The policy packs: shipped, of plugins, and the seller's own."""
        own = [self.settings.packs] if self.settings.packs else []
        return PackLibrary([Path(shipped_packs.__file__).parent, *self.host.pack_folders(), *own])

    @cached_property
    def services(self) -> Services:
        """What the desk needs of the other rooms."""
        return Services(
            packs=self.packs,
            pack_id=self.settings.pack,
            triage=Triage.shipped(self.host.classifiers()),
            jobs=self.jobs,
            channels=self.channels.infos(),
        )

    @cached_property
    def intake(self) -> Intake:
        """Brings pages in."""
        return Intake(
            self.engine,
            services=self.services,
            relays=self.channels.available,
            now=self.now,
            notify=self.host.notify,
        )

    @cached_property
    def outbox(self) -> Outbox:
        """Sends remedies out."""
        return Outbox(
            self.engine,
            channel=self.channels.for_sending,
            jobs=self.jobs,
            now=self.now,
            notify=self.host.notify,
            settled=on_settled,
        )
