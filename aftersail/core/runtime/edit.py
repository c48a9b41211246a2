"""Channels in the settings file, written the way a person would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aftersail.core.host.files import edit_yaml
from aftersail.core.runtime.settings import ChannelSettings, load_settings


def add_channel(path: Path, name: str, channel: ChannelSettings) -> None:
    """Write a channel into the settings file.

    Raises:
        FileFormatError: the file is no YAML.
    """

    def change(document: Any) -> None:
        document["channels"] = document.get("channels") or {}
        document["channels"][name] = channel.model_dump(mode="json", exclude_defaults=True)

    edit_yaml(path, change)
    load_settings(path)


def remove_channel(path: Path, name: str) -> None:
    """Take a channel out of the settings file.

    Raises:
        FileFormatError: the file is no YAML.
    """
    edit_yaml(path, lambda document: document.get("channels", {}).pop(name, None))
