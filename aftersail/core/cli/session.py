"""What every desk command begins with: the application of the settings file, and errors turned into clear text."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager

import rich_click as click

from aftersail.core.contract import ChannelError
from aftersail.core.desk.tickets import TicketError
from aftersail.core.host import HostError
from aftersail.core.host.channel import ConnectorDefectError
from aftersail.core.host.files import FileFormatError
from aftersail.core.policy import PackError, PackNotFoundError
from aftersail.core.remedies.people import RemedyError
from aftersail.core.runtime.app import App
from aftersail.core.runtime.channels import ChannelConfigError
from aftersail.core.runtime.logs import configure_logs
from aftersail.core.runtime.secrets import SecretError
from aftersail.core.runtime.settings import SettingsError
from aftersail.core.store.engine import DatabaseUrlError
from aftersail.core.store.migrate import SchemaError

_KNOWN = (
    ChannelConfigError,
    ChannelError,
    ConnectorDefectError,
    DatabaseUrlError,
    FileFormatError,
    HostError,
    PackError,
    PackNotFoundError,
    RemedyError,
    SchemaError,
    SecretError,
    SettingsError,
    TicketError,
)


@contextmanager
def clear_errors() -> Iterator[None]:
    """Turn every error that has a name into one text on stderr and exit code 1; a defect keeps its traceback."""
    from sqlalchemy.exc import OperationalError

    try:
        yield
    except _KNOWN as error:
        raise click.ClickException(str(error)) from None
    except OperationalError as error:
        raise click.ClickException(f"the database cannot be used: {error.orig}") from None


@contextmanager
def open_app(ctx: click.Context, *, check_schema: bool = True) -> Iterator[App]:
    """Open the application of `--config` for one command."""
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
