"""`aftersail db copy`: from SQLite to PostgreSQL and back, everything, and the work that waits goes on."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from aftersail.core.jobs.instance import SingleInstance
from aftersail.core.jobs.tables import job, schedule, worker
from aftersail.core.runtime.backup import ALL_TABLES
from aftersail.core.runtime.settings import load_settings
from aftersail.core.store import tables
from aftersail.core.store.engine import is_sqlite, open_engine
from tests.cli.conftest import CommandLine
from tests.databases import Databases
from tests.web.filling import Filling, fill_desk

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.fixture
def other(request, databases: Databases) -> str:
    """An empty database of the other kind."""
    here = "_postgres_server" if databases.fresh().startswith("sqlite") else "_sqlite_databases"
    return request.getfixturevalue(here).fresh()


@pytest.fixture
def desk(databases: Databases, tmp_path: Path) -> CommandLine:
    """A desk with what a busy one has."""
    (tmp_path / "aftersail.yaml").write_text(f"database: {databases.fresh()}\npack: starter\n")
    made = CommandLine(tmp_path / "aftersail.yaml")
    made("init")
    engine = open_engine(load_settings(made.config).database)
    filling = Filling(engine, NOW)
    ticket = fill_desk(filling)
    newer = filling.ticket()
    filling.ticket(merged_into=newer)
    with engine.begin() as conn:  # into one that comes later
        conn.execute(sa.update(tables.ticket).where(tables.ticket.c.id == ticket).values(merged_into=newer))
        conn.execute(sa.insert(worker).values(id="gone", lease_until=NOW))
    message = filling.message(ticket, "退货 \U0001f4e6", subject="ä")
    filling.add(
        tables.attachment,
        message=message,
        filename="a.bin",
        content_type="x/y",
        size=3,
        content=b"\x00\xff\x80" * 900_000,
    )
    filling.add(
        tables.event, at=NOW, kind="numbers", channel="shop", actor="test", data={"big": 1e16, "part": 0.1, "no": None}
    )
    engine.dispose()
    return made


def content(url: str) -> dict[str, list[str]]:
    engine = open_engine(url)
    try:
        with engine.connect() as conn:
            return {
                name: sorted(
                    json.dumps(dict(row), default=repr, sort_keys=True).replace("1e+16", "10000000000000000")
                    for row in conn.execute(sa.select(table)).mappings()
                )
                for name, table in ALL_TABLES.items()
                if table is not worker and table is not schedule
            }
    finally:
        engine.dispose()


def test_every_row_is_copied_and_new_ones_are_numbered_behind(desk, other):
    before = content(load_settings(desk.config).database)
    assert all(before[name] for name in ("ticket", "message", "attachment", "remedy", "clock", "decision", "event"))
    said = desk.json("db", "copy", "--to", other)
    assert content(other) == before
    assert said["sums"]["message"]["rows"] == len(before["message"])
    engine = open_engine(other)
    with engine.connect() as conn:
        newest = conn.scalar(sa.select(sa.func.max(tables.ticket.c.id)))
    assert Filling(engine, NOW).ticket() == newest + 1
    engine.dispose()


def test_it_goes_only_into_an_empty_database(desk, other):
    desk("db", "copy", "--to", other)
    before = content(other)
    assert "the other database is not empty" in desk.fails("db", "copy", "--to", other)
    assert content(other) == before


def test_the_same_database_is_no_other_one(desk):
    url = load_settings(desk.config).database
    assert "the settings name already" in desk.fails("db", "copy", "--to", url)


def test_it_is_refused_while_a_daemon_runs_on_either(desk, other):
    here = open_engine(load_settings(desk.config).database)
    there = open_engine(other)
    lite, post = (here, there) if is_sqlite(here) else (there, here)
    with SingleInstance(lite):
        assert "another aftersail daemon" in desk.fails("db", "copy", "--to", other)
    if post is there:
        desk("db", "copy", "--to", other)
    with post.begin() as conn:
        conn.execute(sa.insert(worker).values(id="w7", lease_until=datetime.now(UTC) + timedelta(minutes=1)))
    assert "workers run on this database: w7" in desk.fails("db", "copy", "--to", other)
    for engine in (here, there):
        engine.dispose()


@pytest.mark.postgres
@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)  # SQLite itself takes whatever it is given
def test_a_row_that_is_not_taken_leaves_the_other_database_empty(desk, other):
    engine = open_engine(load_settings(desk.config).database)
    with engine.begin() as conn:
        conn.execute(sa.update(tables.message).values(author="a\x00b"))
    engine.dispose()
    said = desk.fails("db", "copy", "--to", other)
    assert "message: a row is not taken there" in said
    assert "Ada" not in said
    assert not any(content(other).values())


def test_a_difference_is_found(desk, other, monkeypatch):
    plain = sa.insert

    def altered(target, table, rows):
        target.execute(plain(table), [row | {"subject": "lost"} for row in rows] if table is tables.message else rows)

    monkeypatch.setattr("aftersail.core.store.copying._insert", altered)
    assert "message is not the same in the other database; nothing was copied" in desk.fails(
        "db", "copy", "--to", other
    )
    assert not any(content(other).values())


@pytest.mark.slow
@pytest.mark.postgres
def test_a_reply_that_waited_is_sent_once_after_the_move(open_desk, shop, request):
    """Planned on SQLite with its job in the queue, sent by the daemon that starts on PostgreSQL."""
    other = request.getfixturevalue("_postgres_server").fresh()
    shop.buy_and_complain()
    open_desk("sync")
    waiting = {row.key for row in shop.rows(sa.select(tables.remedy).where(tables.remedy.c.state == "approved"))}
    assert waiting
    assert shop.mail.sent == shop.shop.ledger == []
    said = open_desk.json("db", "copy", "--to", other)
    assert said["jobs"] >= len(waiting)
    settings = open_desk.config.read_text()
    here = next(line for line in settings.splitlines() if line.startswith("database:"))
    open_desk.config.write_text(settings.replace(here, f"database: {other}"))
    shop.run_until_idle()
    recipients = [mail.recipients for mail in shop.mail.sent]
    assert len(recipients) == len(set(recipients)) >= 1
    states = {row.key: row.state for row in shop.rows(sa.select(tables.remedy))}
    assert {states[key] for key in waiting} == {"settled"}
    assert len(shop.shop.ledger) == 1
    open_jobs = shop.rows(sa.select(job).where(job.c.state.in_(["waiting", "running"])))
    assert [row.id for row in open_jobs] == []
    shop.run_until_idle()
    assert [mail.recipients for mail in shop.mail.sent] == recipients
