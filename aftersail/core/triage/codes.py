"""The platforms' own reason codes: a table per connector, read before any word of the buyer's text."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from aftersail.core.policy.reasons import Reason
from aftersail.core.triage.loader import PackError, entries

SHIPPED = Path(__file__).parent / "codes"
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class _Table:
    prefixes: tuple[str, ...]
    codes: dict[str, tuple[str, ...]]


class ReasonCodes:
    """Tables of platform codes, each loaded at its first use. Thread-safe.

    A table is `codes/<connector>.yaml`: `prefixes` to cut off, and `codes` from the platform's code to one reason, to
    several (the buyer's text may choose among them, the first is the default) or to `[]` (the code says nothing).
    """

    def __init__(self, folder: Path = SHIPPED) -> None:
        self._folder = folder
        self._tables: dict[str, _Table] = {}
        self._lock = threading.Lock()

    def reasons(self, code: str, connector: str | None) -> tuple[str, ...]:
        """Reasons that a code may mean, likeliest first; empty where it says nothing or is not known.

        A code that is one of our own reasons is taken as it is, from any connector.

        Raises:
            PackError: the connector's table is wrong.
        """
        table = self._table(connector) if connector else None
        if table:
            plain = _plain(code)
            for key in (plain, *(plain.removeprefix(prefix) for prefix in table.prefixes)):
                if key in table.codes:
                    return table.codes[key]
        ours = code.strip().casefold()
        return (ours,) if ours in set(Reason) - {Reason.OTHER} else ()

    def _table(self, connector: str) -> _Table | None:
        with self._lock:
            path = self._folder / f"{connector}.yaml"
            if connector not in self._tables and _NAME.fullmatch(connector) and path.is_file():
                self._tables[connector] = _read(path)
            return self._tables.get(connector)


def _plain(code: str) -> str:
    return re.sub(r"[\s-]+", "_", code.strip()).upper()


def _read(path: Path) -> _Table:
    prefixes: tuple[str, ...] = ()
    codes: dict[str, tuple[str, ...]] = {}
    for name, line, node in entries(path):
        if name == "prefixes" and isinstance(node, SequenceNode):
            prefixes = tuple(_plain(str(item.value)) for item in node.value)
        elif name == "codes" and isinstance(node, MappingNode):
            for key, value in node.value:
                _add(path, key, value, codes)
        elif name not in {"source", "checked"}:
            raise PackError(
                path, line, f"unknown or misshapen section {name!r}", "use source, checked, prefixes, codes"
            )
    return _Table(prefixes, codes)


def _add(path: Path, key: Node, value: Node, codes: dict[str, tuple[str, ...]]) -> None:
    line = key.start_mark.line + 1
    items = value.value if isinstance(value, SequenceNode) else [value]
    found = tuple(str(item.value) for item in items if isinstance(item, ScalarNode))
    unknown = set(found) - {str(reason) for reason in Reason}
    if unknown or len(found) != len(items):
        wrong = f"code {key.value!r} means {', '.join(sorted(unknown)) or 'no plain name'}"
        raise PackError(path, line, wrong, f"use {', '.join(Reason)}")
    if codes.setdefault(_plain(str(key.value)), found) is not found:
        raise PackError(path, line, f"code {key.value!r} stands twice", "keep one")
