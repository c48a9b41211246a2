"""Finding and loading plugins: metadata first, each plugin in its own try."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

import pluggy
from pydantic import BaseModel

from aftersail.core.contract import CONTRACT_VERSION, Capabilities, ConnectorType, contradictions
from aftersail.core.hookspecs import CHANNEL_HOOKS, ENTRY_POINT_GROUP, PROJECT, HostSpec

_HOST_HOOKS: Final = frozenset(name for name in vars(HostSpec) if name.startswith(f"{PROJECT}_"))
_PARTS: Final = 2


class PluginState(StrEnum):
    """How a plugin stands."""

    LOADED = "loaded"
    FAILED = "failed"
    DISABLED = "disabled"


@dataclass(frozen=True, kw_only=True)
class PluginReport:
    """What `plugins list` and `plugins doctor` say of one plugin.

    Attributes:
        name: the entry point's name.
        distribution: the installed distribution and its version, such as `aftersail-shopify 0.1.0`.
        cause: why it failed; empty for one that loaded.
        fix: what a person can do about it.
        kinds: kinds of channel it brings.
        wraps: channel hooks it stands around.
    """

    name: str
    distribution: str
    state: PluginState
    cause: str = ""
    fix: str = ""
    kinds: tuple[str, ...] = ()
    wraps: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A plugin that can be loaded, from an entry point or given directly (tests, the demo)."""

    name: str
    distribution: str
    load: Callable[[], object]


class PluginRefusedError(Exception):
    """A plugin is there but cannot be used; says why and how to mend it."""

    def __init__(self, cause: str, fix: str) -> None:
        super().__init__(cause)
        self.cause = cause
        self.fix = fix


def discover() -> tuple[Candidate, ...]:
    """Read all installed entry points from metadata alone, in a fixed order; imports nothing."""

    def candidate(point: EntryPoint) -> Candidate:
        dist = point.dist
        label = f"{dist.name} {dist.version}" if dist else "unknown distribution"
        return Candidate(name=point.name, distribution=label, load=point.load)

    found = {(point.name, point.value): candidate(point) for point in entry_points(group=ENTRY_POINT_GROUP)}
    return tuple(found[key] for key in sorted(found))


def load(candidate: Candidate) -> object:
    """Import a plugin, turning whatever it raises into a refusal that names the cause.

    Raises:
        PluginRefusedError: the import raised, or tried to end the process.
    """
    try:
        return candidate.load()
    except SystemExit as error:
        cause = f"it tried to end the process at import (SystemExit: {error.code})"
        raise PluginRefusedError(
            cause, f"report it to the author, or: aftersail plugins disable {candidate.name}"
        ) from error
    except Exception as error:
        cause = f"it raised at import: {type(error).__name__}: {error}"
        raise PluginRefusedError(cause, f"pip install --upgrade {candidate.distribution.split()[0]}") from error


def marks(plugin: object) -> dict[str, Mapping[str, Any]]:
    """Read which functions of a plugin are marked with `@hookimpl`, and how.

    Raises:
        PluginRefusedError: an attribute of the plugin raises when it is read.
    """
    found = {}
    for name in dir(plugin):
        try:
            options = getattr(getattr(plugin, name, None), f"{PROJECT}_impl", None)
        except (Exception, SystemExit) as error:
            cause = f"its attribute {name!r} raised {type(error).__name__}: {error}"
            raise PluginRefusedError(cause, "report it to the author") from error
        if options is not None:
            found[name] = options
    return found


def check_hooks(marked: Mapping[str, Mapping[str, Any]]) -> None:
    """Make sure that every marked function is a hook, and may be implemented the way it is.

    Raises:
        PluginRefusedError: a name that is no hook, a channel hook that is not a wrapper, or a wrapper where none runs.
    """
    for name, options in marked.items():
        if name in CHANNEL_HOOKS:
            if not options.get("wrapper"):
                raise PluginRefusedError(
                    f"it implements the channel hook {name!r} for every channel",
                    "use @hookimpl(wrapper=True) to stand around it, or a Connector to implement it for one kind",
                )
        elif name not in _HOST_HOOKS:
            close = difflib.get_close_matches(name, (*_HOST_HOOKS, *CHANNEL_HOOKS), n=1)
            meant = f"; did you mean {close[0]!r}?" if close else ""
            raise PluginRefusedError(
                f"{name!r} is not a hook{meant}", "correct the name; core/hookspecs.py lists all hooks"
            )
        elif options.get("wrapper") or options.get("hookwrapper"):
            raise PluginRefusedError(
                f"it wraps {name!r}, which is called implementation by implementation", "use @hookimpl without wrapper"
            )


def check_connector(offered: object) -> ConnectorType:
    """Accept a connector type, or say what is wrong with it.

    Raises:
        PluginRefusedError: not a connector type, a newer contract, or capabilities that its code contradicts.
    """
    if not isinstance(offered, ConnectorType):
        raise PluginRefusedError(
            f"aftersail_connectors yielded {type(offered).__name__}, not a ConnectorType",
            "yield YourConnector.declare()",
        )
    given: Any = offered  # a plugin is not type-checked by us
    parts = (
        ("kind", isinstance(given.kind, str) and bool(given.kind)),
        ("title", isinstance(given.title, str)),
        ("capabilities", isinstance(given.capabilities, Capabilities)),
        ("operations", isinstance(given.operations, frozenset)),
        ("settings_model", isinstance(given.settings_model, type) and issubclass(given.settings_model, BaseModel)),
        ("contract_version", isinstance(given.contract_version, tuple) and len(given.contract_version) == _PARTS),
    )
    odd = [name for name, right in parts if not right]
    if odd:
        raise PluginRefusedError(
            f"a ConnectorType of the wrong parts: {', '.join(odd)}", "yield YourConnector.declare()"
        )
    major, minor = offered.contract_version
    if major != CONTRACT_VERSION[0] or minor > CONTRACT_VERSION[1]:
        wanted, ours = f"{major}.{minor}", ".".join(map(str, CONTRACT_VERSION))
        fix = "pip install --upgrade aftersail" if offered.contract_version > CONTRACT_VERSION else "upgrade the plugin"
        raise PluginRefusedError(f"kind {offered.kind!r} wants contract {wanted}, this host has {ours}", fix)
    unknown = offered.operations - set(CHANNEL_HOOKS)
    if unknown:
        raise PluginRefusedError(
            f"kind {offered.kind!r} names unknown operations: {', '.join(sorted(unknown))}", "see core/hookspecs.py"
        )
    wrong = contradictions(offered.capabilities, offered.operations)
    if wrong:
        raise PluginRefusedError(
            f"kind {offered.kind!r} contradicts itself: {'; '.join(wrong)}", "correct its capabilities"
        )
    return offered


class HostManager(pluggy.PluginManager):
    """The manager of joining and notification hooks; channel hooks of a plugin wait for the channels' relays."""

    def __init__(self) -> None:
        super().__init__(PROJECT)
        self.add_hookspecs(HostSpec)

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> Any:
        """Leave channel hooks to the relays."""
        return None if name in CHANNEL_HOOKS else super().parse_hookimpl_opts(plugin, name)

    def offers(self, hook: str, plugin_name: str) -> tuple[object, ...]:
        """Call one plugin's joining hook and return what it offers.

        Raises:
            PluginRefusedError: the implementation raised.
        """
        try:
            return tuple(
                item
                for impl in getattr(self.hook, hook).get_hookimpls()
                if impl.plugin_name == plugin_name
                for item in impl.function() or ()
            )
        except (Exception, SystemExit) as error:
            cause = f"{hook} raised {type(error).__name__}: {error}"
            raise PluginRefusedError(cause, "report it to the author") from error
