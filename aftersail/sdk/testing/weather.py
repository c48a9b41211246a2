"""Faults by chance: the same seed and the same calls bring the same faults."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aftersail.sdk.testing.faults import Planned

Strike = Callable[[random.Random], Planned]
"""Makes one fault; chance may choose its details, such as how long a `Retry-After` is."""


@dataclass
class Weather:
    """Lets faults strike until it has cleared up.

    Attributes:
        chance: seeded, and used for nothing else.
        strikes: what may happen; of those that fit a call, chance takes one.
        rate: the share of fitting calls that are struck.
        most: how many calls are struck in all; then the sky is clear, so that every run comes to an end.
        struck: how many were.
    """

    chance: random.Random
    strikes: Sequence[Strike]
    rate: float = 0.4
    most: int = 8
    struck: int = 0

    def strike(self, operation: str, path: str) -> Planned | None:
        """Tell what happens to a call; None lets it through."""
        if self.struck >= self.most or self.chance.random() >= self.rate:
            return None
        fitting = [planned for strike in self.strikes if (planned := strike(self.chance)).hits(operation, path)]
        if not fitting:
            return None
        self.struck += 1
        return self.chance.choice(fitting)
