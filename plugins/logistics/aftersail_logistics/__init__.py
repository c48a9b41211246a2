"""Parcel tracking for aftersail, over 17TRACK's Tracking API v2.4."""

from __future__ import annotations

from collections.abc import Iterable

from aftersail.sdk import ConnectorType, hookimpl
from aftersail_logistics.connector import LogisticsConnector

__all__ = ["LogisticsConnector", "aftersail_connectors"]


@hookimpl
def aftersail_connectors() -> Iterable[ConnectorType]:
    """Yield the one kind of channel this plugin brings."""
    yield LogisticsConnector.declare()
