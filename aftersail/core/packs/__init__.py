"""The packs that come with aftersail, as YAML files: `starter` here, the others in `law`, `market` and `seller`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
"""Where they are."""
