"""The base class of every connector: one instance serves one channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from aftersail.core.contract import CONTRACT_VERSION, Capabilities, ChannelContext, ConnectorType
from aftersail.core.hookspecs import CHANNEL_HOOKS, ChannelSpec


class ConnectorSettings(BaseModel):
    """Base of a connector's settings: one model is validation, form, environment names, documentation and redaction.

    Give every field a `title` and a `description`; make every secret a `pydantic.SecretStr`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


SettingsT = TypeVar("SettingsT", bound=ConnectorSettings)


class Connector(ChannelSpec, Generic[SettingsT]):
    """Subclass this, name `kind`, `title`, `settings_model` and `capabilities`, and override what the platform can do.

    Overriding is declaring: an operation that is not overridden does not exist on this channel, so capabilities cannot
    drift from code. `core/hookspecs.py` says what each operation means, returns and raises.

    Attributes:
        kind: unique name, also the entry point's name.
        title: what a person calls the platform.
        settings_model: the settings of one channel.
        capabilities: what the platform can do.
        contract_version: the contract the connector was written for.
    """

    kind: ClassVar[str]
    title: ClassVar[str]
    settings_model: ClassVar[type[ConnectorSettings]]
    capabilities: ClassVar[Capabilities]
    contract_version: ClassVar[tuple[int, int]] = CONTRACT_VERSION

    def __init__(self, settings: SettingsT, context: ChannelContext) -> None:
        self.settings = settings
        self.context = context

    @classmethod
    def operations(cls) -> frozenset[str]:
        """Name the operations this class overrides."""
        return frozenset(name for name in CHANNEL_HOOKS if getattr(cls, name) is not getattr(ChannelSpec, name))

    @classmethod
    def declare(cls) -> ConnectorType:
        """Make the record that `aftersail_connectors` yields."""
        build: Callable[..., Connector[SettingsT]] = cls
        return ConnectorType(
            kind=cls.kind,
            title=cls.title,
            settings_model=cls.settings_model,
            capabilities=cls.capabilities,
            operations=cls.operations(),
            build=build,
            contract_version=cls.contract_version,
        )

    def close(self) -> None:
        """Release connections; the base holds none."""
