"""A desk over both databases whose channels do what the test says, and the clock with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from pydantic import SecretStr

from aftersail.core.contract import Order, Page, Tracking
from aftersail.core.hookspecs import hookimpl
from aftersail.core.host import Host
from aftersail.core.host.plugins import Candidate
from aftersail.core.runtime.app import App
from aftersail.core.runtime.channels import ChannelDirectory
from aftersail.core.runtime.settings import ChannelSettings, Settings
from aftersail.core.store import tables
from aftersail.core.store.engine import reading
from aftersail.sdk import Capabilities, Connector, ConnectorSettings

SCRIPT: dict[str, Callable[[], Page[Order]]] = {}
PARCELS: list[Callable[[Any], tuple[Tracking, ...]]] = []


class ScriptedSettings(ConnectorSettings):
    """A site in the open, a token hidden."""

    site: str = "here"
    token: SecretStr | None = None


class ScriptedConnector(Connector[ScriptedSettings]):
    """Answers a fetch as `SCRIPT` says for its channel, and with an empty page where it says nothing."""

    kind = "scripted"
    title = "Scripted"
    settings_model = ScriptedSettings
    capabilities = Capabilities()

    def fetch_orders(self, cursor, limit):
        return SCRIPT.get(self.context.channel_id, Page[Order])()


class FragileConnector(Connector[ScriptedSettings]):
    """Cannot even be made."""

    kind = "fragile"
    title = "Fragile"
    settings_model = ScriptedSettings
    capabilities = Capabilities()

    def __init__(self, settings, context):
        raise RuntimeError("no such site")


class TrackerConnector(Connector[ScriptedSettings]):
    """Looks parcels up as `PARCELS` says."""

    kind = "tracker"
    title = "Tracker"
    settings_model = ScriptedSettings
    capabilities = Capabilities()

    def track_shipment(self, parcels):
        return PARCELS[-1](parcels)


class Plugin:
    @hookimpl
    def aftersail_connectors(self):
        return [ScriptedConnector.declare(), FragileConnector.declare(), TrackerConnector.declare()]


class Desk:
    """The application with scripted channels."""

    def __init__(self, url: str, folder: Path, clock) -> None:
        self.url, self.folder, self.clock = url, folder, clock
        self.app: App | None = None

    def open(self, **channels: ChannelSettings) -> App:
        """Open the application with these channels."""
        settings = Settings(database=self.url, channels=channels)
        app = App(settings, self.folder, plugins=False, now=self.clock.now)
        app.host = Host([Candidate(name="test", distribution="test 1", load=Plugin)])
        app.channels = ChannelDirectory(app.host, settings, app.secrets, self.clock.now, app.engine)
        app.register_channels()
        self.app = app
        return app

    def channel(self, name: str = "shop") -> Any:
        with reading(self.app.engine).connect() as conn:
            return conn.execute(sa.select(tables.channel).where(tables.channel.c.id == name)).one()

    def events(self, kind: str) -> list[Any]:
        with reading(self.app.engine).connect() as conn:
            query = sa.select(tables.event).where(tables.event.c.kind == kind).order_by(tables.event.c.id)
            return list(conn.execute(query))


def _migrate(url: str) -> None:
    with App(Settings(database=url), Path(), plugins=False) as app:
        app.migrate()


@pytest.fixture
def desk(databases, tmp_path, clock) -> Iterator[Desk]:
    opened = Desk(databases.fresh("desk", _migrate), tmp_path, clock)
    SCRIPT.clear()
    PARCELS.clear()
    yield opened
    if opened.app is not None:
        opened.app.close()


@pytest.fixture
def logged() -> Iterator[list[dict[str, Any]]]:
    """What is logged."""
    with structlog.testing.capture_logs() as lines:
        yield lines
