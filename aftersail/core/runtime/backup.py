"""Backup and restore of a whole desk: its database, settings, encrypted secrets and packs. Never its key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from aftersail import __version__
from aftersail.core.host.files import replace_file
from aftersail.core.jobs.tables import metadata as job_tables
from aftersail.core.remedies.restored import doubt_unsent
from aftersail.core.runtime.app import App
from aftersail.core.runtime.archive import (
    DATABASE,
    PACKS,
    SECRETS,
    SETTINGS,
    BackupError,
    Manifest,
    read_archive,
    scratch,
    sha256_of,
    sync_folder,
    write_archive,
)
from aftersail.core.runtime.standing import no_daemon
from aftersail.core.store.dump import (
    DumpError,
    Progress,
    check_sqlite,
    count_rows,
    dump,
    holds_tables,
    load_postgres,
)
from aftersail.core.store.engine import is_sqlite, open_engine, reading
from aftersail.core.store.migrate import SchemaError, check_known, current, upgrade
from aftersail.core.store.tables import metadata
from aftersail.core.store.unit import unit_of_work

ALL_TABLES: Final = {**metadata.tables, **job_tables.tables}
"""Every table of ours, by name; the job engine keeps its own beside them."""


def backup(
    app: App, config: Path, target: Path, progress: Progress = lambda _done, _total: None
) -> tuple[Path, Manifest]:
    """Back the desk up while it runs.

    Args:
        app: the desk.
        config: its settings file.
        target: the file to write; in a folder, it is named after the instant.
        progress: told how much of a SQLite database is copied.

    Returns:
        the file, and what it holds.

    Raises:
        BackupError: the file is there already, or the database cannot be backed up.
        OSError: the disk is full; nothing is left behind.
    """
    now = app.now()
    if target.is_dir():
        target /= f"aftersail-{now:%Y%m%dT%H%M%SZ}.tar.gz"
    if target.exists():
        raise BackupError(f"{target} is there already and is left as it is; name another file")
    if not target.parent.is_dir():
        raise BackupError(f"the folder {target.parent} is not there; create it first")
    revision = current(reading(app.engine))
    if revision is None:
        raise BackupError("the database is empty, there is nothing to back up; run: aftersail init")
    kind = app.engine.dialect.name
    with scratch(target.parent) as work:
        database = work / DATABASE[kind]
        try:
            counts = dump(app.engine, ALL_TABLES, database, progress)
        except DumpError as error:
            raise BackupError(str(error)) from None
        members = {DATABASE[kind]: database, **_files(app, config)}
        manifest = Manifest.model_validate(
            {
                "version": __version__,
                "revision": revision,
                "database": kind,
                "made_at": now,
                "counts": counts,
                "sha256": {name: sha256_of(path) for name, path in members.items()},
            }
        )
        write_archive(target, manifest, members, work)
    return target, manifest


def _files(app: App, config: Path) -> dict[str, Path]:
    """What belongs to the desk beside its database, by the name it has in the backup."""
    found = {SETTINGS: config, SECRETS: app.folder / SECRETS}
    packs = app.settings.packs
    if packs is not None and packs.is_dir():
        found |= {
            f"{PACKS}/{path.relative_to(packs).as_posix()}": path for path in sorted(packs.rglob("*")) if path.is_file()
        }
    return {name: path for name, path in found.items() if path.is_file()}


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What a restore did.

    Attributes:
        counts: rows by table.
        wrote: files that were not there before.
        kept: files that were there and are left as they are.
        aside: where the database that was replaced lies; None where there was none, or on PostgreSQL.
        in_doubt: remedies that may have been sent since the backup was made.
    """

    counts: dict[str, int]
    wrote: list[Path]
    kept: list[Path]
    aside: Path | None
    in_doubt: int
    made_at: datetime


def settings_of(source: Path, config: Path) -> bool:
    """Write the settings of a backup where there are none; tell whether they were written.

    Raises:
        BackupError: the file is no backup, or damaged.
    """
    if config.exists():
        return False
    with scratch(config.resolve().parent) as work:
        _, members = _open(source, work)
        if SETTINGS not in members:
            raise BackupError(f"{source} holds no {SETTINGS}; write one with: aftersail init")
        replace_file(config, members[SETTINGS].read_bytes(), mode=0o644)
    return True


def restore(app: App, source: Path, *, force: bool = False, nothing_sent_since: bool = False) -> Restored:
    """Put the desk back as a backup has it, in the database that the settings name.

    Settings, secrets and packs that are there stay as they are: they are newer than the backup's.

    Args:
        app: the desk to restore into; its database may be empty or not there.
        source: the backup.
        force: replace a database that is there. On SQLite it is laid aside, on PostgreSQL it is gone.
        nothing_sent_since: the daemon has not run since the backup was made, so that what waits may leave as planned.

    Raises:
        BackupError: the backup is damaged, newer than this version, or of another kind of database; or one is there
            already and `force` was not given. The database is as it was.
        DaemonRunsError: a daemon runs on the database.
    """
    kind = app.engine.dialect.name
    folder = Path(str(app.engine.url.database)).resolve().parent if is_sqlite(app.engine) else app.folder
    with no_daemon(app.engine, app.now()), scratch(folder) as work:
        manifest, members = _open(source, work)
        if manifest.database != kind:
            raise BackupError(
                f"{source} holds a {manifest.database} database, the settings name a {kind} one; restore it with a"
                f" {manifest.database} URL, then: aftersail db copy --to URL"
            )
        if not force and _is_there(app.engine):
            raise BackupError("there is a database already; --force replaces it")
        database = members.pop(DATABASE[kind])
        aside, in_doubt = None, 0
        try:
            if is_sqlite(app.engine):
                in_doubt = _made_ready(app, database, manifest, doubt=not nothing_sent_since)
                aside = _swap(app, database)
            else:
                load_postgres(app.engine, database, replace=holds_tables(app.engine))
                in_doubt = _finish(app.engine, app.now(), manifest, doubt=not nothing_sent_since)
        except DumpError as error:
            raise BackupError(f"{source}: {error}") from None
        wrote, kept = _put_files(app, members)
    return Restored(
        counts=dict(manifest.counts), wrote=wrote, kept=kept, aside=aside, in_doubt=in_doubt, made_at=manifest.made_at
    )


def _open(source: Path, work: Path) -> tuple[Manifest, dict[str, Path]]:
    """Unpack a backup that this version can read."""
    manifest, members = read_archive(source, work)
    try:
        check_known(manifest.revision)
    except SchemaError:
        raise BackupError(
            f"{source} was made by aftersail {manifest.version}, whose schema {manifest.revision} this version"
            f" ({__version__}) does not know; upgrade aftersail first"
        ) from None
    return manifest, members


def _is_there(engine: sa.Engine) -> bool:
    if is_sqlite(engine) and not Path(str(engine.url.database)).exists():
        return False  # asking it would make the file
    try:
        return holds_tables(engine)
    except sa.exc.DatabaseError:
        return True  # somebody's file, though no database


def _made_ready(app: App, path: Path, manifest: Manifest, *, doubt: bool) -> int:
    """Check the unpacked SQLite database and bring it up to date, before it takes anybody's place."""
    check_sqlite(path)
    engine = open_engine(f"sqlite:///{path}")
    try:
        in_doubt = _finish(engine, app.now(), manifest, doubt=doubt)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)"))  # only the file itself is moved
    finally:
        engine.dispose()
    return in_doubt


def _finish(engine: sa.Engine, now: datetime, manifest: Manifest, *, doubt: bool) -> int:
    with reading(engine).connect() as conn:
        counts = count_rows(conn, ALL_TABLES)
    different = [name for name, number in manifest.counts.items() if counts.get(name) != number]
    if different:
        name = different[0]
        raise BackupError(f"the backup says {manifest.counts[name]} rows of {name}, there are {counts.get(name, 0)}")
    upgrade(engine)
    if not doubt:
        return 0
    with unit_of_work(engine, now) as unit:
        return doubt_unsent(unit)


def _swap(app: App, restored: Path) -> Path | None:
    """Put the restored database in its place; the old one is laid aside with what belongs to it."""
    app.engine.dispose()
    target = Path(str(app.engine.url.database)).resolve()
    aside = target.with_name(f"{target.name}.replaced-{app.now():%Y%m%dT%H%M%SZ}")
    there = target.exists()
    # The old journal goes before the old file does: beside the new one SQLite would play it back into that.
    for suffix in ("-wal", "-shm", ""):
        old = target.with_name(f"{target.name}{suffix}")
        if old.exists():
            old.rename(aside.with_name(f"{aside.name}{suffix}"))
    restored.rename(target)
    sync_folder(target.parent)
    return aside if there else None


def _put_files(app: App, members: dict[str, Path]) -> tuple[list[Path], list[Path]]:
    wrote: list[Path] = []
    kept: list[Path] = []
    for name, path in members.items():
        if name == SECRETS:
            target: Path | None = app.folder / SECRETS
        elif name.startswith(f"{PACKS}/") and app.settings.packs is not None:
            target = app.settings.packs / name.removeprefix(f"{PACKS}/")
        else:
            target = None  # the settings were dealt with before, or name no folder for packs
        if target is None:
            continue
        if target.exists():
            kept.append(target)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_file(target, path.read_bytes(), mode=0o600 if name == SECRETS else 0o644)
        wrote.append(target)
    return wrote, kept
