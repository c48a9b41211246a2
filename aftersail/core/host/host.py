"""The host: all plugins, their kinds of channel, and the channels built from them."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pluggy
import structlog

from aftersail.core.contract import ChannelContext, Classifier, ConnectorType, Event, Notifier
from aftersail.core.hookspecs import CHANNEL_HOOKS
from aftersail.core.host.channel import Channel
from aftersail.core.host.plugins import (
    Candidate,
    HostManager,
    PluginRefusedError,
    PluginReport,
    PluginState,
    check_connector,
    check_hooks,
    discover,
    load,
    marks,
)
from aftersail.core.host.relay import Relay
from aftersail.core.host.tidings import tiding

if TYPE_CHECKING:
    from pydantic import BaseModel

_log = structlog.get_logger(__name__)

_NOTIFIERS: Final = "aftersail_notifiers"


class HostError(Exception):
    """The host cannot do what was asked; the text names what is wrong and the fix."""


class UnknownKindError(HostError):
    """No plugin brings this kind of channel."""

    def __init__(self, kind: str, known: Collection[str]) -> None:
        close = difflib.get_close_matches(kind, known, n=1)
        hint = (
            f"did you mean {close[0]!r}?"
            if close
            else f"pip install aftersail-{kind}, or one of: {', '.join(sorted(known)) or 'none'}"
        )
        super().__init__(f"no plugin brings connector {kind!r}; {hint}")


class Host:
    """Holds the plugins of one process.

    Args:
        candidates: what to load; None for every installed entry point.
        disabled: names of plugins to leave alone.
    """

    def __init__(self, candidates: Iterable[Candidate] | None = None, *, disabled: Collection[str] = ()) -> None:
        self._manager = HostManager()
        self._connectors: dict[str, ConnectorType] = {}
        self._owner: dict[str, str] = {}
        self._wrappers: list[tuple[str, object]] = []
        self._reports: dict[str, PluginReport] = {}
        for candidate in discover() if candidates is None else candidates:
            self._join(candidate, disabled)

    def _join(self, candidate: Candidate, disabled: Collection[str]) -> None:
        name, distribution = candidate.name, candidate.distribution
        if name in disabled:
            self._reports[name] = PluginReport(
                name=name, distribution=distribution, state=PluginState.DISABLED, fix=f"aftersail plugins enable {name}"
            )
            return
        try:
            if name in self._reports:
                raise PluginRefusedError(
                    f"the name {name!r} is taken by {self._reports[name].distribution}",
                    "uninstall one of the two distributions",
                )
            kinds, wraps = self._admit(name, distribution, load(candidate))
        except PluginRefusedError as refusal:
            key = name if name not in self._reports else f"{name} ({distribution})"
            self._reports[key] = PluginReport(
                name=name, distribution=distribution, state=PluginState.FAILED, cause=refusal.cause, fix=refusal.fix
            )
            _log.warning("plugin_refused", plugin=name, distribution=distribution, cause=refusal.cause)
        else:
            self._reports[name] = PluginReport(
                name=name, distribution=distribution, state=PluginState.LOADED, kinds=kinds, wraps=wraps
            )

    def _admit(self, name: str, distribution: str, plugin: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
        marked = marks(plugin)
        check_hooks(marked)
        wraps = tuple(hook for hook in CHANNEL_HOOKS if hook in marked)
        try:
            self._manager.register(plugin, name=name)
            self._manager.check_pending()
            if wraps:
                Relay(None, frozenset(), [(name, plugin)])  # a wrapper that fits no channel must not take them all down
        except (pluggy.PluginValidationError, ValueError) as error:
            if self._manager.has_plugin(name):
                self._manager.unregister(name=name)
            raise PluginRefusedError(str(error), "compare the signature with core/hookspecs.py") from error
        try:
            offered = self._offers_of(name)
        except PluginRefusedError:
            self._manager.unregister(name=name)
            raise
        for connector in offered:
            self._connectors[connector.kind] = connector
            self._owner[connector.kind] = distribution
        if wraps:
            self._wrappers.append((name, plugin))
        return tuple(connector.kind for connector in offered), wraps

    def _offers_of(self, name: str) -> tuple[ConnectorType, ...]:
        offered = tuple(check_connector(item) for item in self._manager.offers("aftersail_connectors", name))
        taken = dict(self._owner)
        for connector in offered:
            if connector.kind in taken:
                raise PluginRefusedError(
                    f"kind {connector.kind!r} is taken by {taken[connector.kind]}",
                    "uninstall or disable one of the two",
                )
            taken[connector.kind] = "the same plugin"
        return offered

    @property
    def reports(self) -> tuple[PluginReport, ...]:
        """Every plugin that was found, with how it stands."""
        return tuple(self._reports.values())

    @property
    def connectors(self) -> dict[str, ConnectorType]:
        """Kinds of channel, by name."""
        return dict(self._connectors)

    def connector_type(self, kind: str) -> ConnectorType:
        """Find a kind of channel.

        Raises:
            UnknownKindError: no loaded plugin brings it; names the nearest.
        """
        try:
            return self._connectors[kind]
        except KeyError:
            raise UnknownKindError(kind, self._connectors) from None

    def build_channel(self, kind: str, settings: BaseModel, context: ChannelContext) -> Channel:
        """Build one channel with its own relay.

        Raises:
            UnknownKindError: no loaded plugin brings the kind.
            HostError: the connector could not be made.
        """
        connector_type = self.connector_type(kind)
        try:
            connector = connector_type.build(settings, context)
        except Exception as error:
            raise HostError(f"channel {context.channel_id}: the {kind} connector could not be made: {error}") from error
        return Channel(context.channel_id, connector_type, connector, self._wrappers)

    def classifiers(self) -> tuple[Classifier, ...]:
        """Every classifier that plugins bring."""
        return tuple(item for item in self._gather("aftersail_classifiers") if hasattr(item, "classify"))

    def pack_folders(self) -> tuple[Path, ...]:
        """Folders with policy packs that plugins bring."""
        return tuple(Path(str(item)) for item in self._gather("aftersail_packs"))

    def commands(self) -> tuple[tuple[str, Any], ...]:
        """Every click command that plugins bring, with the plugin's name."""
        return tuple(self._gather_named("aftersail_commands"))

    def notifiers(self) -> tuple[tuple[str, Notifier], ...]:
        """Every way to reach people that plugins bring, with the plugin's name."""
        return tuple(self._gather_named(_NOTIFIERS))

    def _gather(self, hook: str) -> tuple[Any, ...]:
        return tuple(item for _, item in self._gather_named(hook))

    def _gather_named(self, hook: str) -> Iterator[tuple[str, Any]]:
        for name, _ in self._manager.list_name_plugin():
            try:
                yield from ((name, item) for item in self._manager.offers(hook, name))
            except PluginRefusedError as refusal:
                _log.warning("plugin_hook_failed", plugin=name, hook=hook, cause=refusal.cause)

    def notify(self, hook: str, event: Event) -> None:
        """Tell every plugin what happened, one by one, then people: an exception is logged and stops nobody else."""
        for impl in getattr(self._manager.hook, hook).get_hookimpls():
            try:
                impl.function(**({"event": event} if "event" in impl.argnames else {}))
            except (Exception, SystemExit):  # noqa: BLE001 - a plugin must never stop the host
                _log.exception("notification_failed", plugin=impl.plugin_name, hook=hook, ticket=event.ticket)
        told = tiding(event)
        if told is None:
            return
        for name, notifier in self.notifiers():
            try:
                notifier.notify(*told)
            except (Exception, SystemExit):  # noqa: BLE001 - a plugin must never stop the host
                _log.exception("notification_failed", plugin=name, hook=_NOTIFIERS, ticket=event.ticket)
