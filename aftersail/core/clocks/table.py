"""The table behind a calendar: open windows as microseconds since 1970 UTC, with what was open before each."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate

Window = tuple[int, int]
"""Open from, until (not included), in microseconds since 1970 UTC."""


class Table:
    """Windows of whole years, in order, apart from each other. Never changed once made, so threads may share it."""

    __slots__ = ("before", "ends", "first_year", "high", "last_year", "low", "starts", "through", "total")

    def __init__(self, first_year: int, last_year: int, low: int, high: int, windows: Iterable[Window]) -> None:
        self.first_year = first_year
        self.last_year = last_year
        self.low = low
        self.high = high
        self.starts: list[int] = []
        self.ends: list[int] = []
        for start, end in windows:
            if self.ends and start <= self.ends[-1]:
                self.ends[-1] = end
            elif start < end:
                self.starts.append(start)
                self.ends.append(end)
        lengths = [end - start for start, end in zip(self.starts, self.ends, strict=True)]
        self.through = list(accumulate(lengths))
        """Open time from the table's beginning to the end of each window."""
        self.before = [0, *self.through]
        """Open time from the table's beginning to the start of each window; one entry more than windows."""
        self.total = self.before[-1]

    def windows(self) -> Iterable[Window]:
        """List all windows."""
        return zip(self.starts, self.ends, strict=True)

    def opened(self, at: int) -> int:
        """Return the open time from the table's beginning until an instant."""
        index = bisect_right(self.starts, at) - 1
        if index < 0:
            return 0
        return self.before[index] + min(at, self.ends[index]) - self.starts[index]

    def last_instant(self, opened: int) -> int:
        """Return the last instant by which no more than this (less than `total`) was open."""
        index = bisect_right(self.through, opened)
        return self.starts[index] + (opened - self.before[index])

    def window_from(self, at: int) -> int:
        """Return the index of the first window that ends after an instant; there may be none."""
        return bisect_right(self.ends, at)
