"""The audit log: the history (`event`), sealed row by row into one chain, so that a change of the past is seen.

Whoever writes history writes one row and no more (`Unit.record`). A step of its own seals what was committed: it gives
each row its place, and a SHA-256 over the hash of the row before and over what the row says. Writers never wait for
it, however many there are; on PostgreSQL one sealer works at a time, by an advisory lock it does not wait for either.

What may hold personal data (every key of `data` that is not in `PLAIN`) goes into the chain as a salted digest only.
An erasure blanks those values, keeps the digest and throws the salt away: the chain holds, and nobody can guess what
was there. A row whose values are blank without a `privacy_erased` row that names it counts as changed.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core.store import tables
from aftersail.core.store.bulk import Prepared, json_text
from aftersail.core.store.engine import is_sqlite, reading

MARK: Final = "[erased]"
"""What stands where personal data stood."""

ERASED: Final = "privacy_erased"
"""The kind of event that names the rows of history an erasure has blanked: `events`, as pairs of first and last id."""

GENESIS: Final = "0" * 64
"""What the first row follows."""

PLAIN: Final = frozenset(
    {
        "after",
        "amount",
        "appeal",
        "approved",
        "approved_by",
        "before",
        "booked",
        "case",
        "clocks",
        "currency",
        "decided_by",
        "disabled",
        "due_at",
        "due_metric",
        "due_source",
        "effective_from",
        "error",
        "events",
        "external_id",
        "failures",
        "flag",
        "happened",
        "hash",
        "into",
        "items",
        "job",
        "judged_by",
        "key",
        "kind",
        "language",
        "lines",
        "lodged_by",
        "merged",
        "metric",
        "mode",
        "new",
        "order",
        "orders_id",
        "pack",
        "pinned",
        "recipients",
        "retention",
        "reviewer",
        "revised",
        "revision",
        "rma",
        "role",
        "rule",
        "score",
        "shipment",
        "source",
        "state",
        "status",
        "stream",
        "survey",
        "task",
        "team",
        "tier",
        "to",
        "version",
    }
)
"""Keys of `data` whose values are never a buyer's: codes, numbers, instants, names of staff, ids of the ledger."""

_ENCODER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_BATCH: Final = 200
"""Rows sealed in one transaction: about ten milliseconds in which nobody else writes to SQLite."""
_PAGE: Final = 2000
_LOCK: Final = 0x61667465722D6175  # "after-au": one sealer at a time
_TOLD: Final = ("id", "at", "kind", "channel", "ticket", "actor", "data")

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


def canonical(value: object) -> str:
    """Write a value as JSON in the one form that is hashed."""
    return _ENCODER.encode(value)


def link(previous: str, content: Mapping[str, Any]) -> str:
    """Hash a row onto the one before it."""
    return hashlib.sha256((previous + canonical(content)).encode()).hexdigest()


def hidden_digest(salt: str, values: Mapping[str, Any]) -> str:
    """Stand in for values that may be personal."""
    return hashlib.sha256((salt + canonical(values)).encode()).hexdigest()


def content_of(row: Any, *, seq: int | None = None) -> dict[str, Any]:
    """What of a sealed row is hashed: all but the hidden values, for which their digest stands."""
    hidden = row.hidden or []
    digest = row.digest
    if row.salt is not None:
        digest = hidden_digest(row.salt, {key: row.data.get(key) for key in hidden})
    return _content(row, row.seq if seq is None else seq, hidden, digest)


def _content(row: Any, seq: int, hidden: Sequence[str], digest: str | None) -> dict[str, Any]:
    return {
        "seq": seq,
        "id": row.id,
        "at": row.at.isoformat(),
        "kind": row.kind,
        "channel": row.channel,
        "ticket": row.ticket,
        "actor": row.actor,
        "data": {key: value for key, value in row.data.items() if key not in hidden},
        "hidden": list(hidden),
        "digest": digest,
    }


def told() -> tuple[sa.ColumnElement[Any], ...]:
    """The columns of history that people read; the others belong to the chain."""
    return tuple(tables.event.c[name] for name in _TOLD)


# -- sealing -------------------------------------------------------------------------------------------------------


def seal(engine: sa.Engine, *, seconds: float = 0.25) -> int:
    """Seal what was committed, in short transactions, for so long at most; tell how many rows were sealed.

    On PostgreSQL it leaves at once where another process is sealing.
    """
    until, done = time.monotonic() + seconds, 0
    while waits(engine):
        with engine.begin() as conn:
            sealed = _seal_batch(conn)
        done += sealed
        if sealed < _BATCH or time.monotonic() > until:
            break
    return done


def waits(engine: sa.Engine) -> bool:
    """Tell whether any row is not sealed yet."""
    with reading(engine).connect() as conn:
        return conn.scalar(sa.select(tables.event.c.id).where(tables.event.c.seq.is_(None)).limit(1)) is not None


def head_of(conn: sa.Connection) -> tuple[int, str]:
    """Give place and hash of the last sealed row."""
    table = tables.event
    last = sa.select(table.c.seq, table.c.hash).where(table.c.seq.is_not(None)).order_by(table.c.seq.desc()).limit(1)
    row = conn.execute(last).first()
    return (int(row.seq), str(row.hash)) if row else (0, GENESIS)


def _seal_batch(conn: sa.Connection) -> int:
    if not is_sqlite(conn) and not conn.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(_LOCK))):
        return 0
    table = tables.event
    seq, previous = head_of(conn)
    waiting = sa.select(*told()).where(table.c.seq.is_(None)).order_by(table.c.id).limit(_BATCH).with_for_update()
    values = []
    for row in conn.execute(waiting).all():
        seq += 1
        hidden = sorted(row.data.keys() - PLAIN)
        salt = secrets.token_hex(16) if hidden else None
        digest = hidden_digest(salt, {key: row.data[key] for key in hidden}) if salt else None
        previous = link(previous, _content(row, seq, hidden, digest))
        keys = canonical(hidden) if hidden else None
        values.append((seq, keys, salt, previous, row.id))
    statement = _seal_statement(conn.dialect)
    statement.write(conn, statement.rows(values))
    return len(values)


def _seal_statement(dialect: sa.Dialect) -> Prepared:
    table = tables.event
    of, seq = (sa.bindparam(name, type_=sa.BigInteger) for name in ("of", "seq"))
    values = {"seq": seq, "hidden": json_text(dialect, "hidden")}
    values |= {name: sa.bindparam(name, type_=sa.Text) for name in ("salt", "hash")}
    update = sa.update(table).where(table.c.id == of).values(values)
    return Prepared(dialect, update, ("seq", "hidden", "salt", "hash", "of"))


# -- erasing -------------------------------------------------------------------------------------------------------


def blank(conn: sa.Connection, which: sa.ColumnElement[bool]) -> list[tuple[int, int]]:
    """Blank the hidden values of rows of history, and give the ids of the sealed ones for the erasure to name.

    Returns:
        pairs of first and last id, for `events` of the erasure's own row.
    """
    table = tables.event
    blanked = []
    for row in conn.execute(sa.select(table).where(which).order_by(table.c.id).with_for_update()).all():
        hidden = row.data.keys() - PLAIN if row.seq is None else row.hidden or ()
        if not hidden or all(row.data.get(key) == MARK for key in hidden):
            continue
        values: dict[str, Any] = {"data": row.data | dict.fromkeys(hidden, MARK)}
        if row.seq is not None:
            values |= {"salt": None, "digest": content_of(row)["digest"]}
            blanked.append(int(row.id))
        conn.execute(sa.update(table).where(table.c.id == row.id).values(values))
    return _ranges(blanked)


def _ranges(ids: Sequence[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for each in ids:
        if found and found[-1][1] == each - 1:
            found[-1] = (found[-1][0], each)
        else:
            found.append((each, each))
    return found


# -- reading -------------------------------------------------------------------------------------------------------


def sealed_rows(conn: sa.Connection, after: int = 0) -> Iterator[Any]:
    """Read the chain behind a place, however long it is."""
    table = tables.event
    place = (after, sys.maxsize)
    page: list[Any] = []
    while not page or len(page) == _PAGE:
        # Written so that the index on `seq` is walked; two rows at one place are seen too.
        read = sa.and_(table.c.seq == place[0], table.c.id <= place[1])
        behind = sa.and_(table.c.seq >= place[0], sa.not_(read))
        page = list(conn.execute(sa.select(table).where(behind).order_by(table.c.seq, table.c.id).limit(_PAGE)))
        if not page:
            return
        yield from page
        place = (page[-1].seq, page[-1].id)


def count_rows(conn: sa.Connection) -> tuple[int, int]:
    """Count sealed and unsealed rows."""
    count, table = sa.func.count(), tables.event
    sealed, waiting = (sa.select(count).where(which) for which in (table.c.seq.is_not(None), table.c.seq.is_(None)))
    return int(conn.scalar(sealed) or 0), int(conn.scalar(waiting) or 0)


def history_rows(
    conn: sa.Connection, *, since: datetime | None, ticket: int | None, actor: str | None, limit: int
) -> list[dict[str, Any]]:
    """List who did what, the newest first; `seq` is null for what nobody has sealed yet."""
    table = tables.event
    query = sa.select(*told(), table.c.seq).order_by(table.c.id.desc()).limit(limit)
    if since is not None:
        query = query.where(table.c.at >= since)
    if ticket is not None:
        query = query.where(table.c.ticket == ticket)
    if actor is not None:
        query = query.where(table.c.actor == actor)
    return [dict(row._mapping) for row in conn.execute(query)]  # noqa: SLF001 - SQLAlchemy's public name for it


def exported(conn: sa.Connection) -> Iterator[str]:
    """Give the chain as lines of JSON without personal data.

    Each line holds `content` and `hash`; whoever has the lines can check the chain: a hash is the SHA-256 of the hash
    before it (64 zeros before the first), followed by `content` as JSON with sorted keys and no spaces.
    """
    for row in sealed_rows(conn):
        yield canonical({"content": content_of(row), "hash": row.hash})


# -- checking ------------------------------------------------------------------------------------------------------


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
            if rows % _PAGE == 0:
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
            for gone in range(1, _PAGE):
                if link(row.hash, content_of(after, seq=after.seq + gone)) == after.hash:
                    return _broken(row, "removed", f"{gone} before it were taken out and the rest counted anew")
        return _broken(row, "changed", "it does not say what was sealed")


def _broken(row: Any, what: str, detail: str) -> Broken:
    return Broken(seq=row.seq, event=row.id, what=what, detail=detail)
