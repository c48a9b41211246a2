"""The settings of one shop."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from aftersail.sdk import ConnectorSettings

API_VERSION = "2026-10"
"""The Admin API version this plugin is checked against (stable since 2026-10-01; checked 2026-11-22)."""


class ShopifySettings(ConnectorSettings):
    """One shop and the custom app that acts in it."""

    shop: str = Field(
        title="Shop domain",
        description="The shop's own domain at Shopify, such as `my-shop.myshopify.com`, not the public address.",
        pattern=r"^[a-z0-9][a-z0-9-]*\.myshopify\.com$",
    )
    access_token: SecretStr = Field(
        title="Admin API access token",
        description="From Settings, Apps, Develop apps, your app, API credentials. Begins with `shpat_`.",
    )
    client_secret: SecretStr | None = Field(
        default=None,
        title="App client secret",
        description="Signs webhooks. Without it no webhook is accepted and the shop is polled only.",
    )
    api_version: str = Field(
        default=API_VERSION,
        title="API version",
        description="Quarterly version of the Admin API. Refunds need 2026-01 or later, which take our key.",
        pattern=r"^20\d\d-(01|04|07|10)$",
    )
    endpoint: str | None = Field(
        default=None,
        title="Other address",
        description="Address of a simulator or a test store instead of the shop's domain, such as http://127.0.0.1:8080.",
    )
    history_days: int = Field(
        default=60,
        ge=1,
        le=3650,
        title="Days of history",
        description="How far back the first fetch goes. Orders older than 60 days need the scope `read_all_orders`.",
    )

    @field_validator("api_version")
    @classmethod
    def _takes_keys(cls, value: str) -> str:
        if value < "2026-01":
            raise ValueError("API versions before 2026-01 take no idempotency key for refunds; use 2026-01 or later")
        return value

    @field_validator("endpoint")
    @classmethod
    def _safe_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise ValueError("the address must begin with https://, or with http:// on this machine")
        return value.rstrip("/")

    @property
    def base_url(self) -> str:
        """Where the Admin API of this shop is."""
        return f"{self.endpoint or 'https://' + self.shop}/admin/api/{self.api_version}"

    def admin_link(self, order_gid: str) -> str:
        """Build the address of the order's page in the seller's admin."""
        handle = self.shop.removesuffix(".myshopify.com")
        return f"https://admin.shopify.com/store/{handle}/orders/{order_gid.rsplit('/', 1)[-1]}"
