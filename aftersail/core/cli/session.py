"""What every desk command begins with: the application of the settings file, and errors turned into clear text."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import rich_click as click

from aftersail.core.contract import ChannelError
from aftersail.core.desk.activation import ActivationError
from aftersail.core.desk.authority import AuthorityError
from aftersail.core.desk.buyers import BuyerError
from aftersail.core.desk.erasure import ErasureError
from aftersail.core.desk.tickets import TicketError
from aftersail.core.host import HostError
from aftersail.core.host.channel import ConnectorDefectError
from aftersail.core.host.files import FileFormatError
from aftersail.core.policy import PackError, PackNotFoundError
from aftersail.core.remedies.people import RemedyError
from aftersail.core.remedies.returns import ReturnError
from aftersail.core.runtime.app import App
from aftersail.core.runtime.archive import BackupError
from aftersail.core.runtime.channels import ChannelConfigError
from aftersail.core.runtime.logs import configure_logs
from aftersail.core.runtime.secrets import SecretError
from aftersail.core.runtime.settings import LogSettings, SettingsError
from aftersail.core.runtime.standing import DaemonRunsError
from aftersail.core.store.copying import CopyError
from aftersail.core.store.engine import DatabaseUrlError
from aftersail.core.store.migrate import SchemaError

if TYPE_CHECKING:
    from sqlalchemy.exc import DatabaseError

_KNOWN = (
    ActivationError,
    AuthorityError,
    BackupError,
    BuyerError,
    ChannelConfigError,
    ChannelError,
    ConnectorDefectError,
    CopyError,
    DaemonRunsError,
    DatabaseUrlError,
    ErasureError,
    FileFormatError,
    HostError,
    PackError,
    PackNotFoundError,
    RemedyError,
    ReturnError,
    SchemaError,
    SecretError,
    SettingsError,
    TicketError,
)


@contextmanager
def clear_errors() -> Iterator[None]:
    """Turn every error that has a name into one text on stderr and exit code 1; a defect keeps its traceback."""
    from sqlalchemy.exc import DatabaseError, OperationalError

    try:
        yield
    except _KNOWN as error:
        raise click.ClickException(str(error)) from None
    except DatabaseError as error:
        if type(error) not in {DatabaseError, OperationalError}:  # the rest are defects of a query
            raise
        raise click.ClickException(f"the database cannot be used: {_why(error)}") from None
    except BrokenPipeError:
        raise  # whoever read has read enough
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise click.ClickException(f"{where}{error.strerror or error}") from None


def _why(error: DatabaseError) -> str:
    why = str(error.orig).strip()
    fixes = {
        "is full": "free some space and run it again; what was stored before is intact",
        "not a database": "give `database` another name, or put a backup in its place",
        "readonly": "give this user the right to write the file and its folder",
    }
    fix = next((fix for words, fix in fixes.items() if words in why), None)
    return f"{why}; {fix}" if fix else why


@contextmanager
def open_app(ctx: click.Context, *, check_schema: bool = True) -> Iterator[App]:
    """Open the application of `--config` for one command."""
    configure_logs(LogSettings())  # what plugins say while they load belongs to stderr too
    with clear_errors(), App.open(ctx.obj["config"], plugins=ctx.obj["plugins"]) as app:
        configure_logs(app.settings.log)
        if check_schema:
            app.check()
        yield app


def actor() -> str:
    """Name who calls the command, for the history."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def instant(text: str, option: str) -> datetime:
    """Read the instant that an option gives, with its zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise click.BadParameter(f"{text!r} is no instant; write 2026-11-22T17:30:00+01:00", param_hint=option)
    return found
