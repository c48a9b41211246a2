"""The demo's stage: simulators found by entry point, a folder with settings, and the daemon as a process of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from aftersail.core.cli.demo.scenario import ADDRESS, MAIL_HOST, SHOP, fill_shop, fill_tracker, letters
from aftersail.core.runtime.edit import add_channel
from aftersail.core.runtime.secrets import SecretStore
from aftersail.core.runtime.settings import ChannelSettings

SIMULATORS: Final = "aftersail.simulators"
"""Entry points of simulators: the plugin's name → a class that serves what the connector talks to."""

_MARK: Final = ".aftersail-demo"
_TOKEN: Final = "shpat_demo"  # noqa: S105 - of a simulator
_KEY: Final = "demo-tracking-key"


class DemoError(Exception):
    """The demo cannot be shown; the text says what is missing."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What stands while the demo runs; `mail` and `shop` keep ledgers of their own."""

    config: Path
    log: Path
    mail: Any
    shop: Any


def _simulator(name: str, extra: str) -> Any:
    found = {point.name: point for point in entry_points(group=SIMULATORS)}
    fix = f"pip install '{extra}'"
    if name not in found:
        raise DemoError(f"the simulator of {name!r} is not installed; {fix}")
    try:
        return found[name].load()
    except ModuleNotFoundError as error:
        raise DemoError(f"the simulator of {name!r} needs {error.name}; {fix}") from None


def _fresh_folder(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        if not (folder / _MARK).exists():
            raise DemoError(f"{folder} holds something that is no earlier demo; choose another --folder")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).write_text("An aftersail demo; the next one replaces this folder.\n", encoding="utf-8")


@contextmanager
def set_up(folder: Path, now: datetime) -> Iterator[Stage]:
    """Start the simulators, fill them, and write the settings of a shop that uses them.

    Raises:
        DemoError: a plugin's simulator is missing, or the folder is in use for something else.
    """
    mail_simulator = _simulator("email", "aftersail-email[simulator]")
    shop_simulator = _simulator("shopify", "aftersail-shopify")
    tracker_simulator = _simulator("logistics", "aftersail-logistics")
    _fresh_folder(folder)
    with ExitStack() as stack:
        mail = stack.enter_context(mail_simulator(address=ADDRESS))
        shop, tracker = shop_simulator(token=_TOKEN), tracker_simulator(key=_KEY)
        fill_shop(shop, now)
        fill_tracker(tracker, now)
        for letter, received_at in letters(now):
            mail.deliver(letter, received_at)
        shop_url, tracker_url = stack.enter_context(shop.serve()), stack.enter_context(tracker.serve())
        config = folder / "aftersail.yaml"
        config.write_text(
            "# Written by `aftersail demo`.\ndatabase: sqlite:///aftersail.db\npack: starter\n", encoding="utf-8"
        )
        _channels(config, mail, shop_url, tracker_url)
        yield Stage(config=config, log=folder / "daemon.log", mail=mail, shop=shop)


def _channels(config: Path, mail: Any, shop_url: str, tracker_url: str) -> None:
    secrets = SecretStore(config.parent)
    local = {"imap_host": "127.0.0.1", "imap_port": mail.imap_port, "imap_security": "none"}
    local |= {"smtp_host": "127.0.0.1", "smtp_port": mail.smtp_port, "smtp_security": "none"}
    mailbox = {"address": ADDRESS, "display_name": SHOP, "authserv_id": MAIL_HOST, **local}
    shop = {"shop": "demo-shop.myshopify.com", "endpoint": shop_url}
    rows = {
        "mail": ("email", mailbox, {"imap_password": mail.password}, None),
        "shop": ("shopify", shop, {"access_token": _TOKEN}, "mail"),
        "parcels": ("logistics", {"endpoint": tracker_url}, {"api_key": _KEY}, None),
    }
    for name, (connector, settings, hidden, box) in rows.items():
        channel = ChannelSettings(connector=connector, poll_seconds=2, signature=SHOP, mailbox=box, settings=settings)
        add_channel(config, name, channel)
        secrets.put(name, {field: SecretStr(value) for field, value in hidden.items()})


def start_daemon(stage: Stage) -> subprocess.Popen[bytes]:
    """Start `aftersail run` as a seller would; it ends by itself once nothing is due and nothing is on its way."""
    command = [sys.executable, "-m", "aftersail.core.cli.main", "--config", str(stage.config), "run", "--until-idle"]
    with stage.log.open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)  # noqa: S603 - our own command
