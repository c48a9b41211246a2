"""The audit log: one chain over the history, in which any change of the past is seen, and an erasure is none."""

from __future__ import annotations

import hashlib
import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aftersail.core.store import guards, tables
from aftersail.core.store.audit import ERASED, GENESIS, MARK, blank, exported, head_of, seal
from aftersail.core.store.audit_check import verify
from aftersail.core.store.engine import is_sqlite, open_engine, reading
from aftersail.core.store.unit import unit_of_work
from tests.builders import migrate

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
TABLE = tables.event
CHAIN = ("seq", "hidden", "salt", "digest", "hash")


@pytest.fixture
def log(databases):
    engine = open_engine(databases.fresh("store", migrate), durable=False)
    yield engine
    engine.dispose()


def write(engine: sa.Engine, count: int = 8) -> None:
    with unit_of_work(engine, NOW) as unit:
        for number in range(count):
            unit.record("decided", "shop", number, actor="ann", why=f"Ada wrote {number}", before="open", after=number)


def unguarded(engine: sa.Engine) -> None:
    """Whoever owns the database can take the triggers away; the chain must do without."""
    names = ("event_kept", "event_unchanged") if is_sqlite(engine) else ("event_kept", "event_not_emptied")
    with engine.begin() as conn:
        for name in names:
            conn.exec_driver_sql(f"DROP TRIGGER {name}" + ("" if is_sqlite(engine) else " ON event"))


def rows_of(engine: sa.Engine) -> list[dict]:
    with reading(engine).connect() as conn:
        return [dict(row._mapping) for row in conn.execute(sa.select(TABLE).order_by(TABLE.c.id))]


def put_back(engine: sa.Engine, rows: list[dict]) -> None:
    with engine.begin() as conn:
        conn.execute(sa.delete(TABLE))
        conn.execute(sa.insert(TABLE), rows)


def sealed(engine: sa.Engine, count: int = 8) -> None:
    write(engine, count)
    assert seal(engine) == count


def test_every_row_is_sealed_once_onto_the_one_before(log):
    assert verify(log).head == GENESIS
    sealed(log)
    write(log, 3)
    waiting = verify(log)
    assert (waiting.rows, waiting.unsealed, waiting.broken) == (8, 3, None)
    assert seal(log) == 3
    assert seal(log) == 0
    done = verify(log)
    assert (done.rows, done.unsealed, done.broken) == (11, 0, None)
    assert [row["seq"] for row in rows_of(log)] == list(range(1, 12))
    assert len({row["hash"] for row in rows_of(log)}) == 11


def test_the_export_can_be_checked_by_whoever_has_it_and_holds_no_personal_data(log):
    sealed(log)
    with reading(log).connect() as conn:
        lines, head = list(exported(conn)), head_of(conn)
    previous = "0" * 64
    for line in lines:
        found = json.loads(line)
        said = json.dumps(found["content"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        previous = hashlib.sha256((previous + said).encode()).hexdigest()
        assert previous == found["hash"]
        assert found["content"]["data"]["before"] == "open"
    assert (8, previous) == head
    assert "Ada" not in "".join(lines)


def test_the_database_itself_refuses_to_change_what_is_sealed(log):
    sealed(log)
    one = TABLE.c.id == rows_of(log)[2]["id"]
    for statement in (
        sa.delete(TABLE).where(one),
        sa.update(TABLE).where(one).values(actor="eve"),
        sa.update(TABLE).where(one).values(data={"why": "nothing"}),
        sa.update(TABLE).where(one).values(salt=None, digest="x" * 64, at=NOW + timedelta(1)),
        sa.update(TABLE).where(one).values(seq=None),
    ):
        with pytest.raises(sa.exc.DatabaseError, match="append-only"), log.begin() as conn:
            conn.execute(statement)
    if not is_sqlite(log):
        with pytest.raises(sa.exc.DatabaseError, match="append-only"), log.begin() as conn:
            conn.exec_driver_sql("TRUNCATE event")
    assert verify(log).broken is None


def test_the_guards_are_put_back_by_bringing_the_schema_up_to_date(log):
    unguarded(log)
    with log.begin() as conn:
        guards.install(conn)
        guards.install(conn)
    sealed(log, 1)
    with pytest.raises(sa.exc.DatabaseError, match="append-only"), log.begin() as conn:
        conn.execute(sa.delete(TABLE))


CHANGES = {
    "actor": "eve",
    "kind": "refund_settled",
    "channel": "elsewhere",
    "ticket": 99,
    "at": NOW + timedelta(seconds=1),
    "data": {"why": "Ada wrote something else", "before": "open", "after": 1},
    "hidden": [],
    "salt": "0" * 32,
    "hash": "0" * 64,
    "id": 4711,
}


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """One sealed chain that nothing guards, for many tamperings."""
    url = f"sqlite:///{tmp_path_factory.mktemp('chain')}/chain.db"
    migrate(url)
    engine = open_engine(url, durable=False)
    unguarded(engine)
    sealed(engine, 12)
    yield engine, rows_of(engine)
    engine.dispose()


def check_tampered(engine, original, tampered, what, at):
    put_back(engine, tampered)
    try:
        broken = verify(engine).broken
        assert broken is not None
        assert (broken.what, broken.seq) == (what, at)
    finally:
        put_back(engine, original)


@given(place=st.integers(0, 11), field=st.sampled_from(sorted(CHANGES)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_change_of_a_row_is_found(chain, place, field):
    engine, rows = chain
    tampered = [dict(row) for row in rows]
    tampered[place][field] = CHANGES[field]
    check_tampered(engine, rows, tampered, "changed", place + 1)


@given(first=st.integers(0, 10), count=st.integers(1, 4), renumbered=st.booleans())
def test_any_removal_but_of_the_tail_is_found(chain, first, count, renumbered):
    engine, rows = chain
    rest = [dict(row) for row in rows[first + count :]]
    if not rest:
        return
    if renumbered:
        for row in rest:
            row["seq"] -= count
    broken = "changed" if renumbered and len(rest) == 1 else "removed"
    check_tampered(engine, rows, [*rows[:first], *rest], broken, first + 1)


@given(pair=st.sets(st.integers(0, 11), min_size=2, max_size=2))
def test_any_swap_is_found(chain, pair):
    engine, rows = chain
    low, high = sorted(pair)
    tampered = [dict(row) for row in rows]
    tampered[low]["seq"], tampered[high]["seq"] = rows[high]["seq"], rows[low]["seq"]
    check_tampered(engine, rows, tampered, "reordered", low + 1)


@given(pair=st.sets(st.integers(0, 11), min_size=2, max_size=2))
def test_what_two_rows_say_cannot_be_exchanged(chain, pair):
    engine, rows = chain
    low, high = sorted(pair)
    tampered = [dict(row) for row in rows]
    for name in ("data", "ticket"):
        tampered[low][name], tampered[high][name] = rows[high][name], rows[low][name]
    check_tampered(engine, rows, tampered, "changed", low + 1)


@given(place=st.integers(0, 11))
def test_any_insertion_is_found(chain, place):
    engine, rows = chain
    false = dict(rows[place]) | {"id": 4711, "actor": "eve"}
    later = [dict(row) | {"seq": row["seq"] + 1} for row in rows[place:]]
    check_tampered(engine, rows, [*rows[:place], false, *later], "inserted", place + 1)


def test_cutting_the_tail_is_seen_against_a_head_that_was_noted(log):
    sealed(log)
    head = verify(log).head
    write(log, 2)
    seal(log)
    assert verify(log, expect=head).broken is None
    unguarded(log)
    with log.begin() as conn:
        conn.execute(sa.delete(TABLE).where(TABLE.c.seq >= 8))
    assert verify(log).broken is None
    assert verify(log, expect=head).broken.what == "cut"


def test_an_erasure_keeps_the_chain_and_says_which_rows_it_blanked(log):
    sealed(log)
    head = verify(log).head
    write(log, 2)
    with unit_of_work(log, NOW) as unit:
        blanked = blank(unit.conn, TABLE.c.ticket <= 1)
        unit.record(ERASED, "shop", actor="ann", rule="on request", events=[list(each) for each in blanked])
    for _ in range(2):  # while the erasure itself is not sealed, and after
        found = verify(log, expect=head)
        assert (found.broken, found.erased) == (None, 2)
        seal(log)
    kept = [row for row in rows_of(log) if row["ticket"] in {0, 1}]
    assert [row["data"] for row in kept] == [{"why": MARK, "before": "open", "after": n} for n in (0, 1, 0, 1)]
    assert [row["salt"] for row in kept[:2]] == [None, None]


def test_blanking_a_row_without_an_erasure_is_a_change(log):
    sealed(log)
    with log.begin() as conn:
        blank(conn, TABLE.c.ticket == 3)
    broken = verify(log).broken
    assert (broken.what, broken.seq) == ("changed", 4)


def test_writing_something_new_into_an_erased_row_is_a_change(log):
    sealed(log)
    with unit_of_work(log, NOW) as unit:
        blanked = blank(unit.conn, TABLE.c.ticket == 3)
        unit.record(ERASED, "shop", events=[list(each) for each in blanked])
        made_up = {"why": "nothing of the kind", "before": "open", "after": 3}
        unit.conn.execute(sa.update(TABLE).where(TABLE.c.ticket == 3).values(data=made_up))
    broken = verify(log).broken
    assert (broken.what, broken.seq) == ("changed", 4)


def test_many_writers_and_sealers_make_one_chain(databases):
    url = databases.fresh("store", migrate)
    engines = [open_engine(url, durable=False) for _ in range(3)]
    errors: list[BaseException] = []

    def work(engine):
        try:
            for _ in range(10):
                write(engine, 5)
                seal(engine)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test must see it
            errors.append(error)

    threads = [threading.Thread(target=work, args=(engine,)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seal(engines[0])
    found = verify(engines[0])
    for engine in engines:
        engine.dispose()
    assert errors == []
    assert (found.rows, found.unsealed, found.broken) == (150, 0, None)
