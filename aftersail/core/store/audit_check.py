"""Checking the audit log's chain from its beginning, and saying what was done to the first row that does not hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from aftersail.core.store import tables
from aftersail.core.store.audit import ERASED, GENESIS, MARK, PAGE, content_of, count_rows, link, sealed_rows
from aftersail.core.store.engine import reading

Progress = Callable[[int, int], None]
"""Told how many rows are done, and of how many."""


@dataclass(frozen=True, kw_only=True)
class Broken:
    """The first row at which the chain does not hold.

    Attributes:
        seq: its place in the chain.
        event: its number in the history; None where the row is gone.
        what: changed, removed, inserted, reordered or cut.
        detail: what was found, in words.
    """

    seq: int
    event: int | None
    what: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What checking the chain has found.

    Attributes:
        rows: sealed rows that were checked.
        unsealed: rows of history that nobody has sealed yet.
        erased: sealed rows whose personal data was erased, as an erasure says.
        head: hash of the last row; note it elsewhere, to see later that the tail was not cut.
        broken: the first row that does not hold; None where all do.
    """

    rows: int
    unsealed: int
    erased: int
    head: str
    broken: Broken | None


def verify(engine: sa.Engine, *, expect: str | None = None, progress: Progress = lambda _done, _all: None) -> Verdict:
    """Check the whole chain, in one consistent moment, without a write.

    Args:
        engine: the store.
        expect: a hash that was noted earlier; it must still be in the chain.
        progress: called from time to time.
    """
    with reading(engine).connect() as conn:
        return _Check(conn, expect, progress).run()


class _Check:
    def __init__(self, conn: sa.Connection, expect: str | None, progress: Progress) -> None:
        self._conn, self._expect, self._progress = conn, expect, progress
        self._blank: dict[int, int] = {}
        """Rows whose hidden values are gone, event → seq, until an erasure accounts for them."""
        self._erased = 0

    def run(self) -> Verdict:
        sealed, unsealed = count_rows(self._conn)
        rows, previous, met = 0, GENESIS, self._expect in {None, GENESIS}
        broken: Broken | None = None
        for row in sealed_rows(self._conn):
            broken = self._misfit(row, rows + 1, previous)
            if broken is not None:
                break
            rows, previous = rows + 1, row.hash
            met = met or previous == self._expect
            self._account(row)
            if rows % PAGE == 0:
                self._progress(rows, sealed)
        if broken is None:
            broken = self._unaccounted()
        if broken is None and not met:
            detail = f"the noted hash {self._expect} is not in the chain: rows at its end were cut off"
            broken = Broken(seq=rows + 1, event=None, what="cut", detail=detail)
        self._progress(rows, sealed)
        return Verdict(rows=rows, unsealed=unsealed, erased=self._erased, head=previous, broken=broken)

    def _misfit(self, row: Any, seq: int, previous: str) -> Broken | None:
        if row.seq > seq:
            last = row.seq - 1
            which = f"row {seq} is" if last == seq else f"rows {seq} to {last} are"
            return Broken(seq=seq, event=None, what="removed", detail=f"{which} missing")
        if row.seq < seq:
            return _broken(row, "inserted", f"two rows stand at place {row.seq}")
        if link(previous, content_of(row)) != row.hash:
            return self._diagnosis(row, previous)
        if row.hidden and row.salt is None:
            if any(row.data.get(key) != MARK for key in row.hidden):
                return _broken(row, "changed", "its hidden values were erased, and something else stands there now")
            self._blank[row.id] = row.seq
        elif not row.hidden and (row.salt or row.digest):
            return _broken(row, "changed", "it holds a salt for nothing")
        return None

    def _account(self, row: Any) -> None:
        if row.kind == ERASED:
            self._forgive(row.data)

    def _forgive(self, data: Mapping[str, Any]) -> None:
        for first, last in data.get("events", ()):
            for event in [each for each in range(first, last + 1) if each in self._blank]:
                del self._blank[event]
                self._erased += 1

    def _unaccounted(self) -> Broken | None:
        table = tables.event
        fresh = sa.select(table.c.data).where(table.c.seq.is_(None), table.c.kind == ERASED)
        for data in self._conn.scalars(fresh):
            self._forgive(data)
        if not self._blank:
            return None
        event, seq = min(self._blank.items(), key=lambda each: each[1])
        detail = "its personal data is gone, and no erasure tells of it"
        return Broken(seq=seq, event=event, what="changed", detail=detail)

    def _diagnosis(self, row: Any, previous: str) -> Broken:
        """Say what was done to a row that does not follow from the one before it."""
        after = None
        own: Any = None
        before_that = row.hash
        for other in sealed_rows(self._conn, row.seq):
            after = after or other
            if link(previous, content_of(other, seq=row.seq)) == other.hash:
                own = other
                break
            before_that = other.hash
        if own is not None:
            ahead = own.hash if own.seq == row.seq + 1 else before_that
            if link(ahead, content_of(row, seq=own.seq)) == row.hash:
                return _broken(row, "reordered", f"it has changed places with row {own.seq}")
            return _broken(row, "inserted", f"what follows the row before it stands at {own.seq}")
        if after is not None and link(row.hash, content_of(after)) != after.hash:
            for gone in range(1, PAGE):
                if link(row.hash, content_of(after, seq=after.seq + gone)) == after.hash:
                    return _broken(row, "removed", f"{gone} before it were taken out and the rest counted anew")
        return _broken(row, "changed", "it does not say what was sealed")


def _broken(row: Any, what: str, detail: str) -> Broken:
    return Broken(seq=row.seq, event=row.id, what=what, detail=detail)
