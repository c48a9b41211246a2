"""A context whose clock stands still until it is moved, so that no test waits."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx

from aftersail.sdk.http import PacedContext

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
"""Where a test's clock stands unless told otherwise: a Monday morning."""


class FixedClock:
    """A clock that moves only when told to; sleeping moves it too.

    Attributes:
        slept: every wait, in seconds, in order.
    """

    def __init__(self, at: datetime = START) -> None:
        if at.tzinfo is None:
            raise ValueError("the clock needs a time with its zone")
        self._at = at.astimezone(UTC)
        self.slept: list[float] = []

    def __call__(self) -> datetime:
        """Return the present instant, UTC."""
        return self._at

    def advance(self, by: timedelta) -> datetime:
        """Move on (or back, to test a clock that jumps) and return the new instant."""
        self._at += by
        return self._at

    def sleep(self, seconds: float) -> None:
        """Move on by `seconds` at once and note it."""
        self.slept.append(seconds)
        self.advance(timedelta(seconds=seconds))


@dataclass(frozen=True, kw_only=True)
class FixedContext(PacedContext):
    """A context with its clock at hand.

    Attributes:
        clock: what `now` reads and `sleep` moves.
    """

    clock: FixedClock = field(default_factory=FixedClock)


def make_context(
    channel_id: str = "test",
    *,
    now: datetime = START,
    transport: httpx.BaseTransport | None = None,
    seed: int = 0,
    clock: FixedClock | None = None,
) -> FixedContext:
    """Build a context for a test.

    Args:
        channel_id: the channel's id.
        now: where the clock stands.
        transport: where HTTP goes, such as `simulator.transport()`.
        seed: of the context's chance, so that jitter repeats.
        clock: a clock to share, for instance with a simulator; wins over `now`.
    """
    ticking = clock or FixedClock(now)
    return FixedContext(
        channel_id=channel_id,
        now=ticking,
        random=random.Random(seed),  # noqa: S311 - jitter, and it must repeat
        transport=transport,
        sleep=ticking.sleep,
        clock=ticking,
    )
