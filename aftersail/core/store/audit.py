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
from collections.abc import Iterator, Mapping, Sequence
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
PAGE: Final = 2000
"""Rows read at once."""

_LOCK: Final = 0x61667465722D6175  # "after-au": one sealer at a time
_TOLD: Final = ("id", "at", "kind", "channel", "ticket", "actor", "data")


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
    while not page or len(page) == PAGE:
        # Written so that the index on `seq` is walked; two rows at one place are seen too.
        read = sa.and_(table.c.seq == place[0], table.c.id <= place[1])
        behind = sa.and_(table.c.seq >= place[0], sa.not_(read))
        page = list(conn.execute(sa.select(table).where(behind).order_by(table.c.seq, table.c.id).limit(PAGE)))
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
