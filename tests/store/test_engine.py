"""How large work begins and lasts on both databases."""

from __future__ import annotations

import os
import shutil
import sqlite3

import pytest

from aftersail.core.store.engine import begin_unsettled, open_engine, reading, settle

PAGES = 2000
"""More than SQLite lets its log grow to by itself."""


@pytest.fixture
def durable(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path / 'desk.db'}")
    with engine.begin() as conn:
        conn.exec_driver_sql("CREATE TABLE leaf (body BLOB)")
    settle(engine)
    yield engine
    engine.dispose()


def grow(conn, leaves=PAGES):
    conn.exec_driver_sql("INSERT INTO leaf VALUES (zeroblob(4000))", [()] * leaves)


def in_the_file(folder, *, log=False):
    """Count what the file holds, without its log or with it, as who copies them finds it."""
    copy = folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for name in ("desk.db", *(["desk.db-wal"] if log else [])):
        shutil.copy(folder / name, copy)
    conn = sqlite3.connect(copy / "desk.db")
    (count,) = conn.execute("SELECT count(*) FROM leaf").fetchone()
    conn.close()
    return count


def test_an_unsettled_commit_leaves_the_log_to_settle(durable, tmp_path):
    with begin_unsettled(durable) as conn:
        grow(conn)
    with reading(durable).connect() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM leaf").scalar_one() == PAGES
    assert (in_the_file(tmp_path), in_the_file(tmp_path, log=True)) == (0, PAGES)
    settle(durable)
    assert in_the_file(tmp_path) == PAGES


def test_only_unsettled_commits_leave_it_and_do_not_wait_for_the_disk(durable, tmp_path):
    def broken_off():
        with begin_unsettled(durable) as conn:
            assert conn.exec_driver_sql("PRAGMA synchronous").scalar_one() == 1
            grow(conn)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken_off()
    assert in_the_file(tmp_path, log=True) == 0
    with durable.begin() as conn:
        assert conn.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
        grow(conn)
    assert in_the_file(tmp_path) == PAGES


def test_what_is_settled_lasts_even_while_somebody_reads(durable, tmp_path, monkeypatch):
    """A reader keeps the log from being copied: then the log itself has to be on the disk."""
    lasting = []

    def fsync(descriptor):
        lasting.append((os.fstat(descriptor).st_ino, in_the_file(tmp_path), in_the_file(tmp_path, log=True)))

    monkeypatch.setattr(os, "fsync", fsync)
    with reading(durable).connect() as reader:
        reader.exec_driver_sql("SELECT count(*) FROM leaf").scalar_one()
        with begin_unsettled(durable) as conn:
            grow(conn, 10)
        settle(durable)
    assert lasting == [((tmp_path / "desk.db-wal").stat().st_ino, 0, 10)]


def test_large_work_is_seen_on_both_databases(engine):
    settle(engine)
    with engine.begin() as conn:
        conn.exec_driver_sql("CREATE TABLE leaf (number INTEGER)")
    with begin_unsettled(engine) as conn:
        conn.exec_driver_sql("INSERT INTO leaf VALUES (7)")
    settle(engine)
    with reading(engine).connect() as conn:
        assert conn.exec_driver_sql("SELECT number FROM leaf").scalar_one() == 7
