"""The e-mail channel: one mailbox in, SMTP out."""

from __future__ import annotations

from collections.abc import Iterator

from aftersail.sdk import ConnectorType, hookimpl
from aftersail_email.connector import EmailConnector
from aftersail_email.settings import EmailSettings, Security

__all__ = ["EmailConnector", "EmailSettings", "Security", "aftersail_connectors"]


@hookimpl
def aftersail_connectors() -> Iterator[ConnectorType]:
    """Bring the kind `email`."""
    yield EmailConnector.declare()
