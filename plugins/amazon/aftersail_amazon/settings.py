"""Settings of one Amazon selling account."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, SecretStr

from aftersail.sdk import ConnectorSettings


class Region(StrEnum):
    """Where the account sells; each region has its own host."""

    NORTH_AMERICA = "na"
    EUROPE = "eu"
    FAR_EAST = "fe"


class AmazonSettings(ConnectorSettings):
    """What a seller enters once to connect an Amazon account."""

    seller_id: str = Field(
        min_length=1,
        title="Seller ID",
        description="The merchant token under Settings, Account Info in Seller Central.",
    )
    region: Region = Field(
        default=Region.EUROPE,
        title="Region",
        description="na: the Americas. eu: Europe, Middle East, Africa, India. fe: Japan, Australia, Singapore.",
    )
    client_id: str = Field(
        min_length=1,
        title="LWA client ID",
        description="Of the app in the Solution Provider Portal.",
    )
    client_secret: SecretStr = Field(
        title="LWA client secret",
        description="Of the same app. Amazon wants a new one every 180 days and refuses the old one.",
    )
    refresh_token: SecretStr = Field(
        title="Refresh token",
        description="From the seller's authorisation of the app.",
    )
    marketplace_ids: tuple[str, ...] = Field(
        default=(),
        max_length=50,
        title="Marketplaces",
        description="Marketplace IDs such as A1PA6795UKMFR9; none for all. Mail of other marketplaces is left alone.",
    )
    mailbox: str | None = Field(
        default=None,
        title="Mailbox",
        description=(
            "Id of the e-mail channel that gets this account's notifications. Needed where two accounts sell on the "
            "same marketplace, since a mail does not say whose it is."
        ),
    )
    history_days: int = Field(
        default=30,
        ge=1,
        le=700,
        title="Days to look back at first",
        description="How far the first fetch of orders goes back.",
    )
    endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://",
        title="Address of the API",
        description="Leave empty for Amazon itself. A simulator's address serves both the API and the tokens.",
    )
