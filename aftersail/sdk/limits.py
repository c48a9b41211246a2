"""Budgets: a token bucket per operation, fed by declared limits and by what the platform's headers say."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx

from aftersail.core.contract import RateLimited

ANY = "*"
"""The operation name of a limit that all calls of a channel share."""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """How often an operation may be called.

    Attributes:
        operation: the operation's name as given to `HttpClient.request`, or `*` for all calls together.
        rate: calls (or cost points) per second.
        burst: how many may go at once after a quiet time.
    """

    operation: str
    rate: float
    burst: float

    def __post_init__(self) -> None:
        if self.rate <= 0 or self.burst < 1:
            raise ValueError(f"limit of {self.operation}: the rate must be above 0 and the burst at least 1")


@dataclass(slots=True)
class _Bucket:
    rate: float
    burst: float
    level: float
    at: datetime


@dataclass
class Budget:
    """The buckets of one channel, shared by its threads.

    Attributes:
        limits: what is declared; an operation without a limit is free.
        now: the channel's clock.
        sleep: how to wait, in seconds.
        patience: longest wait in seconds; beyond it `RateLimited` is raised, so that a worker is not held up.
    """

    limits: Sequence[Limit]
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    patience: float = 20.0
    _buckets: dict[str, _Bucket] = field(init=False, default_factory=dict)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        at = self.now()
        self._buckets = {limit.operation: _Bucket(limit.rate, limit.burst, limit.burst, at) for limit in self.limits}

    def draw(self, operation: str, cost: float = 1.0) -> None:
        """Take `cost` from the operation's bucket and the shared one, waiting where one is empty.

        Raises:
            RateLimited: the wait would be longer than `patience`; nothing was taken.
        """
        with self._lock:
            now = self.now()
            buckets = [bucket for name in (operation, ANY) if (bucket := self._buckets.get(name))]
            wait = max((self._wait(bucket, cost, now) for bucket in buckets), default=0.0)
            if wait > self.patience:
                raise RateLimited(
                    f"{operation}: the channel's budget is used up for {math.ceil(wait)} s",
                    retry_at=now + timedelta(seconds=wait),
                )
            for bucket in buckets:
                bucket.level -= cost
        if wait > 0:
            self.sleep(wait)

    def _wait(self, bucket: _Bucket, cost: float, now: datetime) -> float:
        elapsed = max(0.0, (now - bucket.at).total_seconds())
        bucket.level, bucket.at = min(bucket.burst, bucket.level + elapsed * bucket.rate), max(now, bucket.at)
        # A cost above the burst can never be in the bucket: it goes once the bucket is full and leaves it in debt.
        return max(0.0, (min(cost, bucket.burst) - bucket.level) / bucket.rate)

    def set_rate(self, operation: str, rate: float) -> None:
        """Take over a rate (per second) that the platform has just named; a rate of 0 or less is ignored."""
        with self._lock:
            bucket = self._buckets.get(operation)
            if bucket is None or rate <= 0 or not math.isfinite(rate):
                return
            self._wait(bucket, 0.0, self.now())
            bucket.rate = rate

    def set_level(self, operation: str, level: float, *, rate: float | None = None, burst: float | None = None) -> None:
        """Take over what the platform says is left, and where it says so its rate and its bucket's size."""
        with self._lock:
            bucket = self._buckets.get(operation)
            if bucket is None or not math.isfinite(level):
                return
            if rate is not None and rate > 0 and math.isfinite(rate):
                bucket.rate = rate
            if burst is not None and burst >= 1 and math.isfinite(burst):
                bucket.burst = burst
            bucket.level, bucket.at = min(level, bucket.burst), self.now()


Observer = Callable[[Budget, str, httpx.Response], None]
"""Told of every answer, with the operation's name, so that live headers can correct the budget."""


def rate_from_header(header: str) -> Observer:
    """Build an observer for a header that names calls per second, such as Amazon's `x-amzn-RateLimit-Limit`."""

    def observe(budget: Budget, operation: str, response: httpx.Response) -> None:
        try:
            rate = float(response.headers.get(header, ""))
        except ValueError:
            return
        budget.set_rate(operation, rate)

    return observe
