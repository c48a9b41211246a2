"""Intake: 2,000 messages through the whole pipeline, beside a loop written by hand for just this."""

from __future__ import annotations

import json
import re
import sqlite3
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from harness import Result, alternate, ratio, result, seconds
from shop import MemoryConnector, desk, payloads

from aftersail.core.store import tables

_COUNT = 2_000
_PAGE = 100
_SCHEMA = """
CREATE TABLE ticket (id INTEGER PRIMARY KEY, thread TEXT UNIQUE, subject TEXT, buyer TEXT, reason TEXT, tier TEXT,
                     filed_at TEXT, due_at TEXT, updated_at TEXT);
CREATE TABLE message (id TEXT PRIMARY KEY, ticket INTEGER, author TEXT, text TEXT, sent_at TEXT);
CREATE TABLE event (id INTEGER PRIMARY KEY, ticket INTEGER, kind TEXT, at TEXT, data TEXT);
CREATE TABLE cursor (stream TEXT PRIMARY KEY, value TEXT);
CREATE INDEX due ON ticket (due_at);
"""
_REASONS = {
    "damaged": re.compile(r"broken|kaputt|cassé|rotto", re.IGNORECASE),
    "not_received": re.compile(r"not arrived|nicht angekommen|pas reçu|non arrivato", re.IGNORECASE),
    "return_request": re.compile(r"return|zurückschicken|retourner|restituire", re.IGNORECASE),
    "invoice": re.compile(r"invoice|rechnung|facture|fattura", re.IGNORECASE),
}
_HOURS = {"urgent": 2, "defect": 8, "advice": 24}


def by_hand(path: Path, rows: list[dict[str, Any]]) -> int:
    """Ticket, message, event, a word list, a tier and a due time, with the cursor in the page's transaction.

    The least that does the work: no languages, no policy, no trace, no revisions, no history of the ticket's clocks.
    """
    conn = sqlite3.connect(path, isolation_level=None)
    conn.execute("PRAGMA journal_mode=WAL")
    conn.execute("PRAGMA synchronous=FULL")
    conn.executescript(_SCHEMA)
    for begin in range(0, len(rows), _PAGE):
        conn.execute("BEGIN IMMEDIATE")
        for row in rows[begin : begin + _PAGE]:
            _store(conn, row)
        conn.execute(
            "INSERT INTO cursor VALUES ('messages', ?) ON CONFLICT DO UPDATE SET value = excluded.value", (begin,)
        )
        conn.execute("COMMIT")
    count = int(conn.execute("SELECT count(*) FROM ticket").fetchone()[0])
    conn.close()
    return count


def _store(conn: sqlite3.Connection, row: dict[str, Any]) -> None:
    reason = next((name for name, words in _REASONS.items() if words.search(row["text"])), "other")
    tier = "urgent" if reason == "not_received" else "defect" if reason == "damaged" else "advice"
    due = (datetime.fromisoformat(row["sent_at"]) + timedelta(hours=_HOURS[tier])).isoformat()
    author, sent_at = row["author"]["name"], row["sent_at"]
    ticket = conn.execute(
        "INSERT INTO ticket (thread, subject, buyer, reason, tier, filed_at, due_at, updated_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (thread) DO UPDATE SET updated_at = excluded.updated_at"
        " RETURNING id",
        (row["thread_id"], row["subject"], author, reason, tier, sent_at, due, sent_at),
    ).fetchone()[0]
    stored = conn.execute(
        "INSERT INTO message VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (row["external_id"], ticket, author, row["text"], sent_at),
    )
    if stored.rowcount:
        data = json.dumps({"reason": reason, "tier": tier})
        conn.execute("INSERT INTO event (ticket, kind, at, data) VALUES (?, 'stored', ?, ?)", (ticket, sent_at, data))


def run() -> Iterator[Result]:
    """Compare, with fresh databases in every round, and bring the same pages a second time."""
    rows = payloads(_COUNT)
    MemoryConnector.payloads = rows
    again: list[float] = []
    first: list[float] = []

    with tempfile.TemporaryDirectory() as folder:
        number = iter(range(1_000))

        def ours() -> None:
            place = Path(folder) / f"desk{next(number)}"
            place.mkdir()
            with desk(place) as app:
                channel = app.channels.get("shop")
                _ = app.intake, app.services.jobs
                first.append(seconds(lambda: app.intake.sync(channel)))
                with app.engine.begin() as conn:
                    conn.execute(sa.delete(tables.cursor))
                again.append(seconds(lambda: app.intake.sync(channel)))
                with app.engine.begin() as conn:
                    counts = [
                        conn.scalar(sa.select(sa.func.count()).select_from(table))
                        for table in (tables.message, tables.ticket)
                    ]
                if counts != [_COUNT, _COUNT // 2]:
                    raise AssertionError(f"{counts} messages and tickets after two runs")

        def theirs() -> None:
            if by_hand(Path(folder) / f"hand{next(number)}.db", rows) != _COUNT // 2:
                raise AssertionError("the loop by hand lost a ticket")

        hand = alternate({"ours": ours, "hand": theirs}, rounds=2)["hand"]
    ours_first, ours_again = first[1:], again[1:]
    yield result("intake, whole pipeline", _COUNT / min(ours_first), "messages/s", more=True)
    yield result("intake, to a loop by hand", ratio(ours_first, hand), "x", floor=1.5, goal=1)
    yield result(
        "intake, the same pages again, to the first run", ratio(ours_again, ours_first), "x", floor=1.2, goal=0.5
    )
