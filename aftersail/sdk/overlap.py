"""How far a walk through a platform's list goes back behind the end of the one before."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

OVERLAP: Final = timedelta(minutes=30)
"""Lists show what happened up to a quarter of an hour late, in the order of when it happened, and two clocks may differ
by minutes. Whoever begins where the last walk ended loses what came in behind it; what is read twice is stored once."""
