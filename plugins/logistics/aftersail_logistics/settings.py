"""Settings of one 17TRACK account."""

from __future__ import annotations

from pydantic import Field, SecretStr

from aftersail.sdk import ConnectorSettings


class LogisticsSettings(ConnectorSettings):
    """What a seller enters once to follow parcels over 17TRACK."""

    api_key: SecretStr = Field(
        title="Access key",
        description="The key under Settings, Security, Access Key in 17TRACK's API console.",
    )
    register_parcels: bool = Field(
        default=True,
        title="Register new parcels",
        description=(
            "Register a parcel that 17TRACK does not follow yet. Each one takes 1 of the account's quota, once. "
            "Switched off, only parcels that something else has registered are followed."
        ),
    )
    endpoint: str = Field(
        default="https://api.17track.net",
        pattern=r"^https?://",
        title="Address of the API",
        description="Change it only to reach a simulator or a proxy.",
    )
