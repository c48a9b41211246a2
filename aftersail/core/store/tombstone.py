"""What is left of a message that was erased: enough to know it again when a platform serves it once more."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

LAST_REVISION: Final = 2**63 - 1
"""The revision of what was erased: nothing a platform sends is newer."""


def tombstone(channel: str, external_id: str) -> str:
    """Stand in for the id of an erased message, which may hold a name or an address (as a mail's does)."""
    digest = sha256(f"{channel} {external_id}".encode()).hexdigest()
    return f"erased:{digest}"
