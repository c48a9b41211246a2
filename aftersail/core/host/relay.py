"""One channel's relay of hooks: its connector is the one implementation, others may only stand around it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pluggy

from aftersail.core.hookspecs import PROJECT, ChannelSpec


class Relay(pluggy.PluginManager):
    """A small plugin manager for one channel."""

    def __init__(
        self, connector: object | None, operations: frozenset[str], wrappers: Iterable[tuple[str, object]]
    ) -> None:
        super().__init__(PROJECT)
        self._connector = connector
        self._operations = operations
        self.add_hookspecs(ChannelSpec)
        if connector is not None:
            self.register(connector, name="connector")
        for name, plugin in wrappers:
            self.register(plugin, name=name)

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> Any:
        """Take the connector's operations as implementations, and of anything else only its wrappers."""
        if plugin is self._connector:
            return {} if name in self._operations else None
        options = super().parse_hookimpl_opts(plugin, name)
        return options if options and options.get("wrapper") else None
