"""A desk over a filled database, with one channel whose connector takes webhooks."""

from __future__ import annotations

import hmac
import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from aftersail.core.contract import Unavailable, WebhookHint
from aftersail.core.hookspecs import hookimpl
from aftersail.core.host import Host
from aftersail.core.host.plugins import Candidate
from aftersail.core.runtime.app import App
from aftersail.core.runtime.channels import ChannelDirectory
from aftersail.core.runtime.settings import ChannelSettings, Settings
from aftersail.core.store.engine import open_engine
from aftersail.core.store.migrate import upgrade
from aftersail.core.web.app import create_app
from aftersail.sdk import Capabilities, Connector, ConnectorSettings
from tests.conftest import FakeClock
from tests.databases import SqliteDatabases
from tests.web.filling import Filling, fill_desk

with warnings.catch_warnings():
    # Starlette 1.10 asks for httpx2, a package of its own beside the httpx that the SDK is built on.
    warnings.filterwarnings("ignore", message="Using `httpx` with `starlette.testclient` is deprecated")
    from starlette.testclient import TestClient

SECRET = "of the webhook"
LOCAL = "http://127.0.0.1:8080"


def sign(body: bytes) -> str:
    return hmac.new(SECRET.encode(), body, "sha256").hexdigest()


class HookedConnector(Connector[ConnectorSettings]):
    """Takes webhooks signed with `SECRET`; its body says what the answer is to be."""

    kind = "hooked"
    title = "Hooked"
    settings_model = ConnectorSettings
    capabilities = Capabilities()

    def verify_webhook(self, request):
        if request.headers.get("x-down"):
            raise Unavailable("the key cannot be fetched")
        return hmac.compare_digest(request.headers.get("x-signature", ""), sign(request.body))

    def parse_webhook(self, request):
        return WebhookHint.model_validate(json.loads(request.body or b"{}"))


class DeafConnector(Connector[ConnectorSettings]):
    """Takes no webhooks."""

    kind = "deaf"
    title = "Deaf"
    settings_model = ConnectorSettings
    capabilities = Capabilities()


class Plugin:
    @hookimpl
    def aftersail_connectors(self):
        return [HookedConnector.declare(), DeafConnector.declare()]


def make_app(url: str, folder: Path, now) -> App:
    """An application whose host holds only the two connectors above."""
    configured = {"shop": "hooked", "ebay-uk": "deaf", "amazon-de": "missing"}
    channels = {name: ChannelSettings(connector=kind) for name, kind in configured.items()}
    settings = Settings(database=url, channels=channels)
    app = App(settings, folder, plugins=False, now=now)
    app.host = Host([Candidate(name="test", distribution="test 1", load=Plugin)])
    app.channels = ChannelDirectory(app.host, settings, app.secrets, now, app.engine)
    return app


def migrate(url: str) -> None:
    engine = open_engine(url, durable=False)
    upgrade(engine)
    engine.dispose()


@pytest.fixture
def web_database(_sqlite_databases: SqliteDatabases) -> str:
    """SQLite; `test_api.py`, whose queries are those of all pages, asks for both databases."""
    return _sqlite_databases.fresh("web", migrate)


@pytest.fixture
def app(web_database: str, tmp_path: Path, clock: FakeClock) -> Iterator[App]:
    app = make_app(web_database, tmp_path, clock.now)
    yield app
    app.close()


@pytest.fixture
def filling(app: App, clock: FakeClock) -> Filling:
    return Filling(app.engine, clock.now())


@pytest.fixture
def full_ticket(filling: Filling) -> int:
    return fill_desk(filling)


@pytest.fixture
def client(app: App) -> Iterator[TestClient]:
    with TestClient(create_app(app), base_url=LOCAL) as client:
        yield client
