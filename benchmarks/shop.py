"""A desk on SQLite with one channel in memory, for the benchmarks of intake and refunds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aftersail.core.hookspecs import hookimpl
from aftersail.core.host import Host
from aftersail.core.host.plugins import Candidate
from aftersail.core.runtime.app import App
from aftersail.core.runtime.channels import ChannelDirectory
from aftersail.core.runtime.settings import ChannelSettings, Settings
from aftersail.sdk import (
    Capabilities,
    Connector,
    ConnectorSettings,
    Idempotency,
    Inbound,
    Message,
    Page,
    RefundCapability,
    RefundMode,
    RefundReceipt,
    RefundRequest,
    RefundState,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TEXTS = (
    "Hello, the lamp arrived broken, the glass is in pieces. Please send the money back.",
    "Guten Tag, mein Paket ist immer noch nicht angekommen. Wo bleibt es?",
    "Bonjour, je voudrais retourner cet article et être remboursé.",
    "Buongiorno, potete inviarmi la fattura per il mio ordine? Grazie.",
)


def payloads(count: int) -> list[dict[str, Any]]:
    """Write what a marketplace would answer: every second message continues a conversation."""
    return [
        {
            "external_id": f"m{number}",
            "thread_id": f"t{number // 2}",
            "sent_at": (NOW - timedelta(days=2) + timedelta(seconds=number)).isoformat(),
            "author": {"external_id": f"b{number // 2}", "name": f"Buyer {number // 2}"},
            "subject": f"Order {1000 + number // 2}",
            "text": TEXTS[number // 2 % len(TEXTS)],
            "reply_to": f"t{number // 2}",
        }
        for number in range(count)
    ]


class MemoryConnector(Connector[ConnectorSettings]):
    """Serves messages from a list and pays every refund at once."""

    kind = "memory"
    title = "Memory"
    settings_model = ConnectorSettings
    capabilities = Capabilities(
        inbound=Inbound.API, refund=RefundCapability(mode=RefundMode.SYNC, idempotency=Idempotency.KEY)
    )
    payloads: list[dict[str, Any]] = []  # noqa: RUF012 - filled by the benchmark, one connector per process
    paid: list[str] = []  # noqa: RUF012 - as above

    def fetch_messages(self, cursor: str | None, limit: int) -> Page[Message]:
        """Read a page."""
        begin = int(cursor or 0)
        end = begin + limit
        items = tuple(Message.model_validate(each) for each in self.payloads[begin:end])
        return Page[Message](items=items, cursor=str(begin + len(items)), more=end < len(self.payloads))

    def issue_refund(self, refund: RefundRequest) -> RefundReceipt:
        """Pay."""
        self.paid.append(refund.key)
        return RefundReceipt(
            external_id=f"rf-{len(self.paid)}", state=RefundState.SETTLED, amount=refund.amount, at=NOW
        )


class _Plugin:
    @hookimpl
    def aftersail_connectors(self) -> list[Any]:
        return [MemoryConnector.declare()]


@contextmanager
def desk(folder: Path) -> Iterator[App]:
    """Open a desk whose only channel is `shop`; every commit is durable, as in real use."""
    settings = Settings(
        database=f"sqlite:///{folder / 'desk.db'}", channels={"shop": ChannelSettings(connector="memory")}
    )
    app = App(settings, folder, plugins=False, now=lambda: NOW)
    app.host = Host([Candidate(name="memory", distribution="benchmarks 0", load=_Plugin)])
    app.channels = ChannelDirectory(app.host, settings, app.secrets, app.now, app.engine)
    try:
        app.migrate()
        yield app
    finally:
        app.close()
