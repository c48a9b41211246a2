"""What the contract suite plays with: a channel on a simulator, and the writes to try on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from pydantic import BaseModel, SecretStr

from aftersail.core.contract import WebhookRequest
from aftersail.sdk.connector import Connector, ConnectorSettings
from aftersail.sdk.testing.context import FixedClock, make_context
from aftersail.sdk.testing.simulator import Simulator


@dataclass(frozen=True, kw_only=True)
class Write:
    """One write the suite tries.

    Attributes:
        hook: the operation, such as `issue_refund`.
        arguments: by name, such as `{"refund": RefundRequest(...)}`; allowed in the scene's state.
        operation: the simulator's name of the call that has the effect, for faults.
        effects: counts what the platform really did, from the simulator's ledger.
    """

    hook: str
    arguments: Mapping[str, Any]
    operation: str
    effects: Callable[[], int]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A channel ready to be tried, built afresh for every rule.

    Attributes:
        settings: work on this simulator.
        bad_settings: the same with credentials the simulator refuses.
        simulator: holds a few items of every stream, dated shortly before `clock`.
        writes: one for every writing operation of the connector.
        webhook: a genuine delivery, signed for `settings`.
        clock: shared by connector and simulator.
    """

    settings: ConnectorSettings
    bad_settings: ConnectorSettings
    simulator: Simulator
    writes: tuple[Write, ...] = ()
    webhook: WebhookRequest | None = None
    clock: FixedClock = field(default_factory=FixedClock)

    def connect(
        self,
        connector_class: type[Connector[Any]],
        settings: ConnectorSettings | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> Connector[Any]:
        """Build a connector on the simulator."""
        context = make_context("contract", transport=transport or self.simulator.transport(), clock=self.clock)
        return connector_class(settings or self.settings, context)


class WatchedTransport(httpx.BaseTransport):
    """Passes calls on and notes whether it was closed."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner
        self.closed = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass one call on."""
        return self._inner.handle_request(request)

    def close(self) -> None:
        """Note it."""
        self.closed = True


def secrets_of(settings: ConnectorSettings) -> tuple[SecretStr, ...]:
    """Collect every secret of a channel's settings, also from nested models."""
    return tuple(secret for secret in _secrets(settings) if secret.get_secret_value())


def _secrets(value: object) -> Iterator[SecretStr]:
    if isinstance(value, SecretStr):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _secrets(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _secrets(item)
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets(getattr(value, name))
