"""What a plugin hands the host when it joins: connector types, and small services of other kinds."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel

from aftersail.core.contract.base import Record
from aftersail.core.contract.capabilities import Capabilities
from aftersail.core.contract.keeping import Holds, LocalHolds, SecretKeeper

if TYPE_CHECKING:
    import httpx  # half a second of import that a command such as `--help` must not pay

CONTRACT_VERSION = (1, 0)
"""Major and minor of this contract. A plugin of the same major and no newer minor is accepted."""


@dataclass(frozen=True, kw_only=True)
class ChannelContext:
    """What the host gives a connector besides its settings.

    Attributes:
        channel_id: the channel's id, as in `aftersail.yaml`.
        now: the only clock a connector may read; answers in UTC.
        random: the only source of chance (jitter), so that a run can be replayed.
        transport: where HTTP goes; None for the network, a recording or a simulator in tests.
        holds: what the platform has asked to leave alone for a while.
        keeper: keeps secrets that the platform replaces; None where nothing is kept, as in a test.
    """

    channel_id: str
    now: Callable[[], datetime]
    random: random.Random = field(default_factory=random.Random)
    transport: httpx.BaseTransport | None = None
    holds: Holds = field(default_factory=LocalHolds)
    keeper: SecretKeeper | None = None


class Closable(Protocol):
    """Whatever holds connections and lets them go."""

    def close(self) -> None:
        """Release every connection; calling it twice does no harm."""


@dataclass(frozen=True, kw_only=True)
class ConnectorType:
    """One kind of channel that a plugin brings.

    Attributes:
        kind: unique name over all plugins, such as `shopify`.
        title: what a person calls the platform.
        settings_model: validation, form, environment names and redaction in one; secrets are `SecretStr`.
        operations: the channel hooks the connector implements.
        contract_version: the contract the plugin was written for.
        build: makes the connector of one channel.
    """

    kind: str
    title: str
    settings_model: type[BaseModel]
    capabilities: Capabilities
    operations: frozenset[str]
    build: Callable[[Any, ChannelContext], Closable]
    contract_version: tuple[int, int] = CONTRACT_VERSION


class ReasonGuess(Record):
    """What a classifier thinks a text is about: a reason code of ours, how sure (0 to 1), and because of what."""

    reason: str
    confidence: float
    because: str


class Classifier(Protocol):
    """Finds the reason of a text."""

    name: str

    def classify(self, text: str, language: str) -> ReasonGuess | None:
        """Return a guess, or None where the text says nothing to this classifier."""


class Translator(Protocol):
    """Turns text into another language; the original is always kept beside it."""

    name: str

    def translate(self, text: str, source: str, target: str) -> str:
        """Return the text in `target` (BCP 47)."""


class Drafter(Protocol):
    """Writes a draft that a person or an explicit rule must approve."""

    name: str

    def draft(self, conversation: tuple[str, ...], language: str, facts: Mapping[str, object]) -> str:
        """Return a draft answer in `language` (BCP 47)."""


class Notifier(Protocol):
    """Carries alarms, warnings, breaches and reports to people: chat, mail, pager."""

    name: str

    def notify(self, subject: str, text: str, recipients: tuple[str, ...]) -> None:
        """Deliver it or raise; the host logs a failure and goes on."""
