"""What a connector must not forget when its process ends, kept by the host for all processes of a channel."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from pydantic import SecretStr


class Holds(Protocol):
    """When an operation may be called again, after the platform has asked to wait.

    Platforms count calls per account: what one worker was told binds every worker, and the next process too.
    """

    def until(self, operation: str) -> datetime | None:
        """Tell until when (UTC) an operation rests; None where it never was asked to."""

    def hold(self, operation: str, until: datetime) -> None:
        """Let an operation rest until then; an earlier instant than the known one changes nothing."""


class SecretKeeper(Protocol):
    """Secrets that the platform replaces, such as a refresh token which is good for one renewal."""

    def renewing(self, field: str) -> AbstractContextManager[None]:
        """Keep every other process from renewing this secret meanwhile."""

    def read(self, field: str) -> SecretStr | None:
        """Read the newest value of a field of the channel's settings."""

    def replace(self, field: str, value: SecretStr) -> None:
        """Keep what the platform has put in its place."""


class LocalHolds:
    """Holds of one process that forgets them."""

    def __init__(self) -> None:
        self._until: dict[str, datetime] = {}

    def until(self, operation: str) -> datetime | None:
        """See `Holds`."""
        return self._until.get(operation)

    def hold(self, operation: str, until: datetime) -> None:
        """See `Holds`."""
        known = self._until.get(operation)
        self._until[operation] = until if known is None else max(known, until)
