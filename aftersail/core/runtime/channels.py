"""Channels from settings: built once per process, each on its own, so that a broken one hurts no other."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Protocol, get_args

import sqlalchemy as sa
from pydantic import BaseModel, SecretStr, ValidationError

from aftersail.core.contract import AuthExpired, ChannelContext
from aftersail.core.desk.services import ChannelInfo
from aftersail.core.host import Channel, Host, HostError
from aftersail.core.runtime.keeping import StoredHolds, StoredSecrets
from aftersail.core.runtime.secrets import SecretError, SecretStore, environment_name
from aftersail.core.runtime.settings import ChannelSettings, Settings


class ChannelConfigError(Exception):
    """A channel cannot be built from its settings; the text names the channel, the field and the fix."""


class SecretSource(Protocol):
    """Where secrets are looked up: the store, or answers just typed in."""

    def get(self, channel: str, field: str) -> SecretStr | None:
        """Find a secret."""


def secret_fields(model: type[BaseModel]) -> tuple[str, ...]:
    """Name the fields of a settings model that are secrets."""

    def is_secret(annotation: Any) -> bool:
        return annotation is SecretStr or any(is_secret(part) for part in get_args(annotation))

    return tuple(name for name, field in model.model_fields.items() if is_secret(field.annotation))


def build_settings(
    channel: str,
    model: type[BaseModel],
    plain: Mapping[str, Any],
    secrets: SecretSource,
    place: Callable[[str], str] = lambda _: "",
) -> BaseModel:
    """Put a connector's settings together from the settings file and its secrets.

    `place` says where a field stands in the file.

    Raises:
        ChannelConfigError: a value is missing or wrong; secrets are named, never shown.
    """
    values = dict(plain)
    hidden = secret_fields(model)
    for field in hidden:
        if field in plain:
            fix = f"aftersail channel renew {channel}, or set {environment_name(channel, field)}"
            raise ChannelConfigError(
                f"{place(field)}channel {channel}: {field} is a secret and must not stand in the settings file; {fix}"
            )
        secret = secrets.get(channel, field)
        if secret is not None:
            values[field] = secret
    try:
        return model.model_validate(values)
    except ValidationError as error:
        known = tuple(model.model_fields)
        texts = (
            place(str(details["loc"][0]) if details["loc"] else "") + _explain(channel, hidden, known, details)
            for details in error.errors()
        )
        raise ChannelConfigError("\n".join(texts)) from None


def _explain(channel: str, hidden: Collection[str], known: Collection[str], details: Any) -> str:
    field = ".".join(str(part) for part in details["loc"]) or "settings"
    where = f"channel {channel}: {field}"
    if details["type"] == "missing" and field in hidden:
        return f"{where} is missing; aftersail channel renew {channel}, or set {environment_name(channel, field)}"
    if details["type"] == "missing":
        return f"{where} is missing; add it under channels.{channel}.settings"
    if details["type"] == "extra_forbidden":
        close = difflib.get_close_matches(str(details["loc"][-1]), known, n=1)
        return f"{where} is no setting of this connector; " + (f"did you mean {close[0]!r}?" if close else "remove it")
    return f"{where}: {details['msg']}"


class ChannelDirectory:
    """All configured channels of one process.

    Args:
        host: the plugins.
        settings: what is configured.
        secrets: where the secrets are.
        now: the clock given to connectors (UTC).
        engine: where holds are kept.
    """

    def __init__(
        self, host: Host, settings: Settings, secrets: SecretStore, now: Callable[[], datetime], engine: sa.Engine
    ) -> None:
        self._host = host
        self._settings = settings
        self._secrets = secrets
        self._now = now
        self._engine = engine
        self._built: dict[str, Channel] = {}
        self._retired: list[Channel] = []
        self._stamp: object = None
        self._fingerprints: dict[str, str] = {}
        self._lock = threading.Lock()

    def get(self, channel: str) -> Channel:
        """Give a channel, built on first use, and anew once a person has renewed its secrets.

        Raises:
            ChannelConfigError: there is no such channel, or its settings do not do.
            HostError: no plugin brings its kind, or the connector could not be made.
        """
        with self._lock:
            self._retire_renewed()
            if channel not in self._built:
                configured = self._settings.channels.get(channel)
                if configured is None:
                    raise ChannelConfigError(
                        f"there is no channel {channel!r}; aftersail channel add, or see aftersail.yaml"
                    )
                self._fingerprints[channel] = self._secrets.fingerprint(channel)
                self._built[channel] = self.build(channel, configured)
            return self._built[channel]

    def _retire_renewed(self) -> None:
        """Put aside what was built with secrets of before; it stays open, for a call may be under way."""
        stamp = self._secrets.stamp()
        if stamp == self._stamp:
            return
        try:
            renewed = [name for name in self._built if self._secrets.fingerprint(name) != self._fingerprints[name]]
        except SecretError:
            return  # what is built works as before; what is not tells what is wrong with the file
        self._stamp = stamp
        self._retired += [self._built.pop(channel) for channel in renewed]

    def for_sending(self, channel: str) -> Channel:
        """Give a channel to the outbox, which knows a channel's own errors only.

        Raises:
            AuthExpired: the channel cannot be built; like dead credentials, that waits for a person.
        """
        try:
            return self.get(channel)
        except (ChannelConfigError, HostError, SecretError) as error:
            raise AuthExpired(str(error)) from None

    def build(self, channel: str, configured: ChannelSettings) -> Channel:
        """Build a channel that need not be configured yet; the caller closes it."""
        model = self._host.connector_type(configured.connector).settings_model
        path = ("channels", channel, "settings")
        place = partial(self._settings.place, *path)
        values = build_settings(channel, model, configured.settings, self._secrets, place)
        return self.build_from(channel, configured.connector, values)

    def build_from(self, channel: str, kind: str, values: BaseModel) -> Channel:
        """Build a channel from settings that are checked already."""
        return self._host.build_channel(kind, values, self._context(channel))

    def _context(self, channel: str) -> ChannelContext:
        keeper = StoredSecrets(self._secrets, channel)
        return ChannelContext(
            channel_id=channel, now=self._now, holds=StoredHolds(self._engine, channel), keeper=keeper
        )

    def available(self) -> tuple[Channel, ...]:
        """Every channel that can be built, in the order of the settings."""
        found = []
        for channel in self._settings.channels:
            try:
                found.append(self.get(channel))
            except (ChannelConfigError, HostError, SecretError):
                continue  # its own sync tells what is wrong with it
        return tuple(found)

    def infos(self) -> dict[str, ChannelInfo]:
        """What the desk must know of every channel whose plugin is there."""
        return {
            name: self._info(name, configured)
            for name, configured in self._settings.channels.items()
            if configured.connector in self._host.connectors
        }

    def _info(self, name: str, configured: ChannelSettings) -> ChannelInfo:
        connector = self._host.connector_type(configured.connector)
        return ChannelInfo(
            id=name,
            kind=connector.kind,
            title=connector.title,
            capabilities=connector.capabilities,
            operations=connector.operations,
            mailbox=configured.mailbox,
            signature=configured.signature or name,
            return_address=configured.return_address,
        )

    def close(self) -> None:
        """Release every connection."""
        with self._lock:
            for channel in (*self._built.values(), *self._retired):
                channel.close()
            self._built.clear()
            self._retired.clear()
