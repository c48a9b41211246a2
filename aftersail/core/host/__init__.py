"""The plugin host: finds plugins, checks them, isolates them, and gives each channel its relay of hooks."""

from aftersail.core.host.channel import Channel
from aftersail.core.host.host import Host, HostError, UnknownKindError
from aftersail.core.host.plugins import PluginReport, PluginState

__all__ = ["Channel", "Host", "HostError", "PluginReport", "PluginState", "UnknownKindError"]
