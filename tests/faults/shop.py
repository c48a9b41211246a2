"""A shop with a mailbox on real local servers, and the daemon as a process of its own that can be killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

import sqlalchemy as sa
from pydantic import SecretStr

from aftersail.core.runtime.edit import add_channel
from aftersail.core.runtime.secrets import SecretStore
from aftersail.core.runtime.settings import ChannelSettings, load_settings
from aftersail.core.store.engine import open_engine, reading
from aftersail_email.simulator import MailSimulator
from aftersail_shopify.simulator import ShopifySimulator

HOST = "mx.shop.example"
TOKEN = "shpat_test"


@dataclass
class Shop:
    """What stands: the servers with their ledgers, and the settings of a desk that uses them."""

    config: Path
    mail: MailSimulator
    shop: ShopifySimulator
    number: int = 1000
    delivered: list[str] = field(default_factory=list)

    def buy_and_complain(self) -> str:
        """Let a new buyer order something cheap and write about a small defect; return the order's id."""
        self.number += 1
        email = f"buyer{self.number}@example.com"
        order = self.shop.add_order(
            number=str(self.number),
            email=email,
            buyer=f"Buyer {self.number}",
            lines=[("Mug", "MUG", 1, "10.00")],
            currency="USD",
            locale="en-US",
            country="US",
            placed_at=datetime.now(UTC) - timedelta(days=3),
        )
        order.updated_at = datetime.now(UTC)  # it turns up in a shop that is being synced, so it has changed just now
        mail = EmailMessage()
        mail["Authentication-Results"] = f"{HOST}; dmarc=pass header.from=example.com"
        mail["From"] = f"Buyer {self.number} <{email}>"
        mail["To"] = self.mail.address
        mail["Subject"] = f"Order #{self.number}"
        mail["Date"] = format_datetime(datetime.now(UTC))
        mail["Message-ID"] = f"<{self.number}@example.com>"
        mail.set_content(f"The mug from order #{self.number} has a small scratch on the handle.")
        self.mail.deliver(mail)
        self.delivered.append(mail["Message-ID"])
        return order.id

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `aftersail run`."""
        command = [sys.executable, "-m", "aftersail.core.cli.main", "--config", str(self.config), "run", *arguments]
        with (self.config.parent / "daemon.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)

    def run_until_idle(self, seconds: float = 90) -> None:
        """Run the daemon until nothing is due and nothing is on its way."""
        daemon = self.start("--until-idle")
        try:
            code = daemon.wait(seconds)
        finally:
            daemon.kill()
            daemon.wait()
        assert code == 0, self.log()[-3000:]

    def rows(self, query: sa.Select) -> list:
        engine = open_engine(load_settings(self.config).database)
        try:
            with reading(engine).connect() as conn:
                return list(conn.execute(query).all())
        finally:
            engine.dispose()

    def log(self) -> str:
        return (self.config.parent / "daemon.log").read_text(errors="replace")


def kill(daemon: subprocess.Popen[bytes]) -> None:
    """Kill -9: nothing is finished, nothing is told."""
    daemon.send_signal(signal.SIGKILL)
    daemon.wait()


@contextmanager
def open_shop(folder: Path, database: str = "sqlite:///aftersail.db") -> Iterator[Shop]:
    """Start the servers and write the desk's settings."""
    shop = ShopifySimulator(token=TOKEN, points=20_000.0, restore=20_000.0)  # as fast as the daemon asks
    with MailSimulator(address="help@shop.example") as mail, shop.serve() as url:
        config = folder / "aftersail.yaml"
        config.write_text(f"database: {database}\npack: starter\n")
        local = {"imap_host": "127.0.0.1", "imap_port": mail.imap_port, "imap_security": "none"}
        local |= {"smtp_host": "127.0.0.1", "smtp_port": mail.smtp_port, "smtp_security": "none"}
        mailbox = {"address": mail.address, "authserv_id": HOST, **local}
        add_channel(config, "mail", ChannelSettings(connector="email", poll_seconds=1, settings=mailbox))
        store = {"shop": "test.myshopify.com", "endpoint": url}
        add_channel(
            config, "shop", ChannelSettings(connector="shopify", poll_seconds=1, mailbox="mail", settings=store)
        )
        secrets = SecretStore(folder)
        secrets.put("mail", {"imap_password": SecretStr(mail.password)})
        secrets.put("shop", {"access_token": SecretStr(TOKEN)})
        yield Shop(config, mail, shop)
