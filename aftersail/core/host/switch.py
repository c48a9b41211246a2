"""Switching plugins off and on in the settings file; works without the desk and without importing any plugin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aftersail.core.host.files import edit_yaml, load_yaml


def disabled_plugins(path: Path) -> tuple[str, ...]:
    """Read which plugins the settings file switches off; none where there is no file.

    Raises:
        FileFormatError: the file is no YAML.
    """
    plugins = load_yaml(path).get("plugins") or {}
    return tuple(str(name) for name in plugins.get("disabled") or ())


def switch_plugin(path: Path, name: str, *, on: bool) -> bool:
    """Write into the settings file whether a plugin is loaded; tell whether that changed anything.

    Raises:
        FileFormatError: the file is no YAML.
    """
    names = disabled_plugins(path)
    if (name not in names) is on:
        return False

    def change(document: Any) -> None:
        document["plugins"] = document.get("plugins") or {}
        document["plugins"]["disabled"] = [other for other in names if other != name] if on else [*names, name]

    edit_yaml(path, change)
    return True
