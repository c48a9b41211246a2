"""What figures are made of: shares and average times, added up exactly."""

from __future__ import annotations

from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from aftersail.core.contract import Record

_TENTH: Final = Decimal("0.1")
_MICROSECOND: Final = timedelta(microseconds=1)
_SECOND: Final = timedelta(seconds=1) // _MICROSECOND


class Share(Record):
    """How many of how many.

    Attributes:
        percent: rounded half up to a tenth; None of nothing.
    """

    count: int
    of: int
    percent: Decimal | None

    @classmethod
    def make(cls, count: int, of: int) -> Share:
        """Work out the percentage."""
        percent = (Decimal(count * 100) / of).quantize(_TENTH, ROUND_HALF_UP) if of else None
        return cls(count=count, of=of, percent=percent)

    def above(self, percent: int) -> bool | None:
        """Tell exactly whether the share is larger; None of nothing."""
        return self.count * 100 > percent * self.of if self.of else None


class Times(Record):
    """How long something took, in one measure of time.

    Attributes:
        count: how often it was measured.
        average_seconds: rounded half up to a second; None of nothing.
        within: how many took less than the goal.
    """

    count: int
    average_seconds: int | None
    within: Share


class TimesSum:
    """Adds times up.

    Args:
        goal: what counts as `within`: shorter than this.
    """

    def __init__(self, goal: timedelta) -> None:
        self._goal = goal
        self._count = 0
        self._within = 0
        self._total = 0

    def add(self, time: timedelta) -> None:
        """Count one more."""
        self._count += 1
        self._within += time < self._goal
        self._total += time // _MICROSECOND

    def result(self) -> Times:
        """Average what was added."""
        average = mean_of(self._total, self._count)
        return Times(
            count=self._count,
            average_seconds=average,
            within=Share.make(self._within, self._count),
        )


def mean_of(microseconds: int, count: int) -> int | None:
    """Return the mean in whole seconds, rounded half up; None of nothing."""
    if not count:
        return None
    return (2 * microseconds + count * _SECOND) // (2 * count * _SECOND)


_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def span(seconds: int | None) -> str:
    """Write a time in its two largest units, rounded down: `4 h 45 min`, `2 d`; a dash of nothing."""
    if seconds is None:
        return "\u2013"
    sizes = [size for size, _ in _UNITS]
    first = next((index for index, size in enumerate(sizes) if seconds >= size), len(sizes) - 1)
    parts: list[str] = []
    rest = seconds
    for size, unit in _UNITS[first : first + 2]:
        count, rest = divmod(rest, size)
        if count or not parts:
            parts.append(f"{count} {unit}")
    return " ".join(parts)
