"""Amazon for aftersail: buyers' messages by relay mail, orders by the Selling Partner API."""

from __future__ import annotations

from collections.abc import Iterable

from aftersail.sdk import ConnectorType, hookimpl
from aftersail_amazon.connector import AmazonConnector

__all__ = ["AmazonConnector", "aftersail_connectors"]


@hookimpl
def aftersail_connectors() -> Iterable[ConnectorType]:
    """Yield the one kind of channel this plugin brings."""
    yield AmazonConnector.declare()
