"""How transactions begin, and which URLs are taken."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from aftersail.core.store.engine import DatabaseUrlError, is_sqlite, open_engine, reading

COUNTER = sa.Table("counter", sa.MetaData(), sa.Column("n", sa.Integer))


@pytest.fixture
def counter(engine):
    with engine.begin() as tx:
        COUNTER.create(tx)
        tx.execute(sa.insert(COUNTER).values(n=0))
    return engine


def read(tx):
    return tx.execute(sa.select(COUNTER.c.n)).scalar_one()


def test_what_was_read_is_still_true_when_it_is_written(counter):
    def add():
        for _ in range(10):
            with counter.begin() as tx:
                n = tx.execute(sa.select(COUNTER.c.n).with_for_update()).scalar_one()
                tx.execute(sa.update(COUNTER).values(n=n + 1))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reading(counter).connect() as tx:
        assert read(tx) == 40


def test_reading_waits_for_no_writer_and_sees_one_moment(counter):
    with reading(counter).connect() as reader:
        with counter.begin() as writer:
            writer.execute(sa.update(COUNTER).values(n=1))
            assert read(reader) == 0
        assert read(reader) == 0
        reader.rollback()
        assert read(reader) == 1


def test_reading_cannot_write_and_leaves_the_connection_able_to(counter):
    for _ in range(2):
        with reading(counter).connect() as tx, pytest.raises(sa.exc.DBAPIError, match=r"read-?only"):
            tx.execute(sa.update(COUNTER).values(n=5))
        with counter.begin() as tx:
            tx.execute(sa.update(COUNTER).values(n=7))
    with reading(counter).connect() as tx:
        assert read(tx) == 7


def test_schema_changes_are_part_of_the_transaction(engine):
    with engine.connect() as tx:
        COUNTER.create(tx)
        tx.rollback()
        assert not sa.inspect(tx).has_table("counter")


def test_a_savepoint_can_be_undone(counter):
    with counter.begin() as tx:
        tx.execute(sa.update(COUNTER).values(n=1))
        with tx.begin_nested() as savepoint:
            tx.execute(sa.update(COUNTER).values(n=2))
            savepoint.rollback()
        assert read(tx) == 1


def test_maintenance_can_run_outside_a_transaction(counter):
    with counter.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM"))
    with counter.begin() as tx:
        tx.execute(sa.update(COUNTER).values(n=1))


@pytest.mark.parametrize(("durable", "level"), [(True, 2), (False, 1)])
def test_sqlite_is_set_up_for_money(tmp_path, durable, level):
    engine = open_engine(f"sqlite:///{tmp_path}/desk.db", durable=durable)
    with engine.connect() as tx:
        got = {name: tx.execute(sa.text(f"PRAGMA {name}")).scalar_one() for name in ("journal_mode", "foreign_keys")}
        assert got == {"journal_mode": "wal", "foreign_keys": 1}
        assert tx.execute(sa.text("PRAGMA synchronous")).scalar_one() == level
        assert tx.execute(sa.text("PRAGMA busy_timeout")).scalar_one() == 30_000
    engine.dispose()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_is_spoken_to_by_psycopg(scheme):
    engine = open_engine(f"{scheme}://desk:hunter2@db/desk")
    assert engine.url.drivername == "postgresql+psycopg"
    assert not is_sqlite(engine)
    assert "hunter2" not in repr(engine)


@pytest.mark.parametrize(
    ("url", "fix"),
    [
        ("hunter2", "cannot be read; write it like"),
        ("postgresql://desk:hunter2@db:port/desk", "cannot be read; write it like"),
        ("mysql://desk:hunter2@db/desk", "begins with 'mysql'; write it like"),
        ("postgresql+asyncpg://desk:hunter2@db/desk", "begins with 'postgresql\\+asyncpg'"),
        ("postgresql://desk:hunter2@db", "names no database"),
        ("sqlite://", "in memory.*name a file"),
        ("sqlite:///:memory:", "in memory.*name a file"),
        ("sqlite:///file:desk?mode=memory&uri=true", "in memory.*name a file"),
        ("sqlite:///{tmp}", "names the folder .*name a file"),
        ("sqlite:///{tmp}/none/desk.db", "does not exist; create it: mkdir -p .*none"),
    ],
)
def test_an_unusable_url_names_the_fix_and_no_password(tmp_path, url, fix):
    with pytest.raises(DatabaseUrlError, match=fix) as refused:
        open_engine(url.format(tmp=tmp_path))
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None
