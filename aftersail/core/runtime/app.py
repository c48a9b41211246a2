"""The application: all rooms put together over one database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import sqlalchemy as sa
import structlog

from aftersail.core import packs as shipped_packs
from aftersail.core.desk.activation import activations, newest_activation
from aftersail.core.desk.extension import notice_settled
from aftersail.core.desk.roster import Roster
from aftersail.core.desk.services import Services
from aftersail.core.desk.settled import on_settled
from aftersail.core.desk.solutions import Solution, read_solutions
from aftersail.core.host import Host
from aftersail.core.intake.sync import Intake
from aftersail.core.policy import PackError, PackLibrary
from aftersail.core.policy.problems import did_you_mean
from aftersail.core.remedies import Outbox
from aftersail.core.runtime.channels import ChannelDirectory
from aftersail.core.runtime.secrets import SecretStore
from aftersail.core.runtime.settings import Settings, SettingsError, load_settings
from aftersail.core.store import tables
from aftersail.core.store.engine import open_engine, reading
from aftersail.core.store.migrate import check_schema, upgrade
from aftersail.core.store.unit import Unit, unit_of_work
from aftersail.core.store.write import upsert
from aftersail.core.triage import Triage, semantic

_log = structlog.get_logger(__name__)
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
        self.channels = ChannelDirectory(self.host, settings, self.secrets, now, self.engine)
        self._activation = 0

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
                after = f"{configured.connector}, every {configured.poll_seconds} s"
                told = f"{before.kind}, every {before.poll_seconds} s" if before and before.active else None
                if told != after:
                    unit.record("channel_set", name, before=told, after=after)
            gone = [name for name in known if name not in self.settings.channels]
            for name in gone:
                if known[name].active:
                    unit.record("channel_off", name, before=known[name].kind, after=None)
            unit.conn.execute(sa.update(table).where(table.c.id.in_(gone)).values(active=False, due_at=None))

    @cached_property
    def jobs(self) -> DbosJobs:
        """Where work is handed over; the engine is imported only by a command that needs it."""
        from aftersail.core.jobs.dbos_jobs import DbosJobs  # noqa: PLC0415 - half a second that `inbox` need not pay

        return DbosJobs(self.engine, now=self.now)

    @cached_property
    def packs(self) -> PackLibrary:
        """The policy packs: shipped, of plugins, and the seller's own."""
        return self._read_packs()

    @property
    def pack_folders(self) -> tuple[Path, ...]:
        """Where policy packs are read from."""
        own = [self.settings.packs] if self.settings.packs else []
        return (Path(shipped_packs.__file__).parent, *self.host.pack_folders(), *own)

    def _read_packs(self) -> PackLibrary:
        return PackLibrary(self.pack_folders)

    def refresh_packs(self) -> None:
        """Read the packs again where a version was put in force since; a broken one leaves all as it is."""
        with reading(self.engine).connect() as conn:
            known = activations(conn) if newest_activation(conn) != self._activation else None
        if known is None:
            return
        self._activation = max(row.id for row in known.values())
        try:
            self.packs.replace(self._read_packs())
        except PackError as error:
            _log.error("packs_not_read", detail=str(error), fix="the packs as they were go on; mend the file")
            return
        for pack_id, version in known:
            if pack_id not in self.packs.ids() or version not in self.packs.versions(pack_id):
                fix = "copy its file into the folder of packs on this machine"
                _log.error("pack_missing", pack=f"{pack_id}@{version}", fix=fix)

    @cached_property
    def services(self) -> Services:
        """What the desk needs of the other rooms."""
        return Services(
            packs=self.packs,
            pack_id=self.settings.pack,
            triage=Triage.shipped((*self.host.classifiers(), *semantic.installed())),
            jobs=self.jobs,
            channels=self.channels.infos(),
            roster=self._roster(),
            declared=self.settings.declared,
        )

    def _roster(self) -> Roster:
        """The people of the settings, once the calendars they name are those of the pack."""
        desk = self.settings.desk
        named: dict[tuple[str, ...], str | None] = {("desk", "working_days"): desk.working_days}
        named |= {("desk", "teams", name, "calendar"): team.calendar for name, team in desk.teams.items()}
        if any(named.values()):
            known = self.packs.in_force(self.settings.pack, self.now()).calendars
            for where, calendar in named.items():
                if calendar is not None and calendar not in known:
                    what = f"pack {self.settings.pack} has no calendar {calendar!r}"
                    raise SettingsError(f"{self.settings.place(*where)}{what}; {did_you_mean(calendar, known)}")
        return desk

    @cached_property
    def solutions(self) -> tuple[Solution, ...]:
        """The seller's own solutions for common complaints.

        Raises:
            PackError: the file that `desk.solutions` names is wrong or not there.
        """
        path = self.settings.desk.solutions
        return read_solutions(path) if path else ()

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
            settled=self.settled,
        )

    def settled(self, unit: Unit, remedy: Any) -> None:
        """Bring the desk up to date with a remedy that was settled in this transaction."""
        on_settled(unit, remedy)
        notice_settled(unit, self.services, remedy)
