"""The schema, brought up to date by Alembic and checked before anything runs on it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from aftersail.core.store import guards

_SCRIPTS: Final = Path(__file__).parent / "migrations"


class SchemaError(Exception):
    """The database's schema is not the one this version works with."""


def _config(connection: sa.Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def newest() -> str:
    """The revision this version of aftersail works with."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise SchemaError("this installation holds no migrations; install aftersail again")
    return head


def current(engine: sa.Engine) -> str | None:
    """The revision the database stands at; None for one that was never initialised."""
    with engine.connect() as conn:
        return MigrationContext.configure(conn).get_current_revision()


def check_known(revision: str | None) -> None:
    """Make sure that this version knows a revision.

    Raises:
        SchemaError: it is a newer version's.
    """
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if revision is not None and revision not in known:
        raise SchemaError(f"the database stands at {revision}, which this version does not know; upgrade aftersail")


def upgrade(engine: sa.Engine) -> None:
    """Bring the schema to the newest revision, in one transaction; does nothing where it is there already.

    Raises:
        SchemaError: the database was made by a newer version of aftersail.
    """
    before = current(engine)
    if before == newest():
        return
    check_known(before)
    with engine.begin() as conn:
        command.upgrade(_config(conn), "head")
        guards.install(conn)


def check_schema(engine: sa.Engine) -> None:
    """Make sure that the database stands where this version needs it.

    Raises:
        SchemaError: it does not; the text names the command that mends it.
    """
    stands = current(engine)
    if stands is None:
        raise SchemaError("the database is empty; run: aftersail init")
    if stands != newest():
        check_known(stands)
        raise SchemaError(f"the database stands at {stands}, this version needs {newest()}; run: aftersail init")
