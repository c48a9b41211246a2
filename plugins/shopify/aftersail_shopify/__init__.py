"""Shopify for aftersail."""

from __future__ import annotations

from collections.abc import Iterator

from aftersail.sdk import ConnectorType, hookimpl

__all__ = ["aftersail_connectors"]


@hookimpl
def aftersail_connectors() -> Iterator[ConnectorType]:
    """Bring the kind `shopify`."""
    from aftersail_shopify.connector import ShopifyConnector  # noqa: PLC0415 - loading a plugin must not load httpx

    yield ShopifyConnector.declare()
