"""Settings of one eBay seller."""

from __future__ import annotations

from pydantic import Field, SecretStr

from aftersail.sdk import ConnectorSettings


class EbaySettings(ConnectorSettings):
    """What a seller enters once to connect an eBay account."""

    username: str = Field(
        min_length=1,
        title="Seller's user name",
        description="The eBay user name of the shop; it tells the shop's own messages from the buyers'.",
    )
    client_id: str = Field(
        min_length=1,
        title="App ID (client ID)",
        description="Of the production keyset under developer.ebay.com, Application Keys.",
    )
    client_secret: SecretStr = Field(
        title="Cert ID (client secret)",
        description="Of the same keyset.",
    )
    refresh_token: SecretStr = Field(
        title="Refresh token",
        description="From the seller's consent with the scopes commerce.message and sell.fulfillment.readonly.",
    )
    history_days: int = Field(
        default=30,
        ge=1,
        le=700,
        title="Days to look back at first",
        description="How far the first fetch of messages and orders goes back. eBay keeps orders for two years.",
    )
    with_parcels: bool = Field(
        default=True,
        title="Fetch tracking numbers",
        description="Ask for the parcels of each shipped order: one more call per order.",
    )
    endpoint: str = Field(
        default="https://api.ebay.com",
        pattern=r"^https?://",
        title="Address of the API",
        description="https://api.sandbox.ebay.com for eBay's sandbox, or a simulator's address.",
    )
