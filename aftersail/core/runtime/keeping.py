"""What connectors must not forget: holds as rows, so that all workers share them, and secrets in their file."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import sqlalchemy as sa
import structlog
from pydantic import SecretStr

from aftersail.core.runtime.secrets import SecretStore
from aftersail.core.store import tables
from aftersail.core.store.engine import reading
from aftersail.core.store.write import upsert

_log = structlog.get_logger(__name__)


class StoredHolds:
    """`Holds` of one channel, in the store.

    Args:
        engine: the store.
        channel: whose.
    """

    def __init__(self, engine: sa.Engine, channel: str) -> None:
        self._engine = engine
        self._channel = channel

    def until(self, operation: str) -> datetime | None:
        """See `Holds`."""
        table = tables.hold
        wanted = sa.select(table.c.until).where(table.c.channel == self._channel, table.c.operation == operation)
        with reading(self._engine).connect() as conn:
            return conn.scalar(wanted)

    def hold(self, operation: str, until: datetime) -> None:
        """See `Holds`."""
        row = {"channel": self._channel, "operation": operation, "until": until}
        with self._engine.begin() as conn:
            upsert(conn, tables.hold, [row], key=["channel", "operation"], newer="until")


class StoredSecrets:
    """`SecretKeeper` of one channel, over the store of secrets.

    Args:
        secrets: where they are kept.
        channel: whose.
    """

    def __init__(self, secrets: SecretStore, channel: str) -> None:
        self._secrets = secrets
        self._channel = channel
        self._lock = threading.Lock()

    @contextmanager
    def renewing(self, field: str) -> Iterator[None]:
        """See `SecretKeeper`."""
        with self._lock, self._secrets.locked(self._channel, field):
            yield

    def read(self, field: str) -> SecretStr | None:
        """See `SecretKeeper`."""
        return self._secrets.get(self._channel, field)

    def replace(self, field: str, value: SecretStr) -> None:
        """See `SecretKeeper`."""
        self._secrets.rotate(self._channel, field, value)
        _log.debug("secret_replaced", channel=self._channel, field=field)
