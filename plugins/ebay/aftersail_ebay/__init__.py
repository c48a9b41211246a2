"""eBay for aftersail: member messages in and out, orders in."""

from __future__ import annotations

from collections.abc import Iterable

from aftersail.sdk import ConnectorType, hookimpl
from aftersail_ebay.connector import EbayConnector

__all__ = ["EbayConnector", "aftersail_connectors"]


@hookimpl
def aftersail_connectors() -> Iterable[ConnectorType]:
    """Yield the one kind of channel this plugin brings."""
    yield EbayConnector.declare()
