"""Stored history through a draft, and which version judges what: on the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from aftersail.core.contract import Message, Money
from aftersail.core.desk import history, history_workers
from aftersail.core.desk.history import simulate_history
from aftersail.core.desk.history_workers import DraftSource, simulate_long_history
from aftersail.core.packs import FOLDER
from aftersail.core.policy import Pack, PackLibrary, decide, read_facts
from aftersail.core.policy.simulation import Simulation
from aftersail.core.store import tables
from aftersail.core.store.engine import is_sqlite
from tests.builders import NOON, PACKS, Desk, Script, at, letter, migrate, page, purchase
from tests.databases import Databases

STARTER = (FOLDER / "starter.yaml").read_text(encoding="utf-8")
BEGIN = datetime(2026, 12, 1, tzinfo=UTC)
FOREVER = timedelta(days=4000)


def starter(version: int, begin: str, *changes: tuple[str, str]) -> str:
    text = STARTER.replace("version: 1", f"version: {version}").replace(
        "effective_from: 2023-11-01", f"effective_from: {begin}"
    )
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def library(folder: Path, *texts: str) -> PackLibrary:
    for number, text in enumerate(texts):
        (folder / f"{number}.yaml").write_text(text, encoding="utf-8")
    return PackLibrary([FOLDER / "law", FOLDER / "market", folder])


def read(desk: Desk, script: Script, *messages: Message) -> None:
    script.messages.pages = [page(*messages)]
    desk.sync("shop")


def sent(name: str, when: datetime, text: str = "It arrived broken", **values: Any) -> Message:
    return letter(name, text=text, **values).model_copy(update={"sent_at": when})


# -- which version judges ----------------------------------------------------------------------------------------------


@pytest.fixture
def two_versions(databases: Databases, tmp_path: Path) -> Iterator[Desk]:
    """A desk on 1 December, five minutes past midnight, with version 2 in force since midnight."""
    packs = library(tmp_path, STARTER, starter(2, "2026-12-01", ("percent: 50", "percent: 60")))
    with Desk(databases.fresh("store", migrate), BEGIN + timedelta(minutes=5), packs) as desk:
        yield desk


def versions(desk: Desk) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for row in desk.rows(tables.decision):
        found.setdefault(row.ticket, []).append(row.pack_version)
    return found


def test_vector_27_f26_a_request_is_judged_by_the_version_in_force_when_it_was_sent(two_versions: Desk) -> None:
    shop = two_versions.add("shop")
    for name, when in (
        ("old", BEGIN - timedelta(seconds=1)),
        ("last", BEGIN - timedelta(microseconds=1)),
        ("new", BEGIN),
    ):
        read(two_versions, shop, sent(name, when, thread_id=name))
    assert versions(two_versions) == {1: [1], 2: [1], 3: [2]}
    assert [row.pack_version for row in two_versions.rows(tables.ticket)] == [1, 1, 2]


def test_vector_27_f26_editing_and_writing_again_never_move_a_pinned_request(two_versions: Desk) -> None:
    shop = two_versions.add("shop")
    filed = BEGIN - timedelta(seconds=1)
    read(two_versions, shop, sent("m1", filed, thread_id="t"))
    read(
        two_versions, shop, sent("m1", BEGIN + timedelta(minutes=1), "It is a bit scratched", thread_id="t", revision=1)
    )
    read(two_versions, shop, sent("m2", BEGIN + timedelta(minutes=2), thread_id="t"))
    assert versions(two_versions) == {1: [1, 1, 1]}
    (ticket,) = two_versions.rows(tables.ticket)
    assert (ticket.filed_at, ticket.pack_version) == (filed, 1)


def test_f26_what_was_sent_before_counts_though_it_was_read_after(two_versions: Desk) -> None:
    shop = two_versions.add("shop")
    read(two_versions, shop, sent("m2", BEGIN + timedelta(minutes=1), thread_id="t"))
    read(two_versions, shop, sent("m1", BEGIN - timedelta(minutes=1), thread_id="t"))
    assert versions(two_versions) == {1: [2, 1]}
    (ticket,) = two_versions.rows(tables.ticket)
    assert (ticket.filed_at, ticket.pack_version) == (BEGIN - timedelta(minutes=1), 1)


def test_f26_a_version_that_turns_up_later_judges_nothing_again(two_versions: Desk, tmp_path: Path) -> None:
    """Even one that claims to have been in force since before."""
    shop = two_versions.add("shop")
    read(two_versions, shop, sent("m1", BEGIN, thread_id="t"))
    folder = tmp_path / "more"
    folder.mkdir()
    texts = (STARTER, starter(2, "2026-12-01", ("percent: 50", "percent: 60")), starter(3, "2026-11-01"))
    two_versions.services.packs.replace(library(folder, *texts, starter(4, "2026-12-01")))
    read(two_versions, shop, sent("m2", BEGIN + timedelta(minutes=1), thread_id="t"))
    read(two_versions, shop, sent("m3", BEGIN + timedelta(minutes=1), thread_id="other"))
    assert versions(two_versions) == {1: [2, 2], 2: [4]}


def test_f26_a_version_that_is_gone_is_told(two_versions: Desk, tmp_path: Path) -> None:
    shop = two_versions.add("shop")
    read(two_versions, shop, sent("m1", BEGIN, thread_id="t"))
    folder = tmp_path / "less"
    folder.mkdir()
    two_versions.services.packs.replace(library(folder, STARTER))
    read(two_versions, shop, sent("m2", BEGIN + timedelta(minutes=1), thread_id="t"))
    assert versions(two_versions) == {1: [2, 1]}
    (event,) = two_versions.rows(tables.event, tables.event.c.kind == "pack_gone")
    assert event.data == {"pinned": "starter@2", "judged_by": "starter@1"}


# -- history -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def worked(desk: Desk, shop: Script) -> Desk:
    """Five requests: small defects of 15 and 25 USD, something broken, a question twice, and spam-like silence."""
    texts = ("a small scratch on it", "a small scratch on it", "It arrived broken", "Where is my invoice?", "Hello")
    totals = ("15.00", "25.00", "80.00", "9.00", "9.00")
    shop.orders.pages = [page(*(purchase(f"100{n}", total) for n, total in enumerate(totals)))]
    shop.messages.pages = [
        page(*(letter(f"m{n}", -n, text, order_id=f"id-100{n}", thread_id=f"t{n}") for n, text in enumerate(texts)))
    ]
    desk.sync()
    desk.advance(60)
    read(desk, shop, letter("again", 60, "Where is it?", thread_id="t3"))
    return desk


@pytest.fixture
def draft(tmp_path: Path) -> Callable[..., Pack]:
    def build(*changes: tuple[str, str]) -> Pack:
        folder = tmp_path / f"draft-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        return library(folder, starter(2, "2030-01-01", *changes)).latest("starter")

    return build


def play(desk: Desk, pack: Pack, **wanted: Any) -> Simulation:
    span = {"since": NOON - FOREVER, "until": desk.now + timedelta(seconds=1)}
    return simulate_history(desk.engine, pack, **(span | wanted))


def test_f26_a_stored_decision_can_be_made_again_from_its_facts(worked: Desk) -> None:
    rows = worked.rows(tables.decision)
    assert len(rows) == 6
    for row in rows:
        pack = PACKS.get(row.pack_id, row.pack_version)
        assert decide(pack, read_facts(row.facts), row.at).model_dump(mode="json") == row.body


def test_f26_the_pack_that_judged_changes_nothing_when_it_is_played(worked: Desk, draft: Callable[..., Pack]) -> None:
    found = play(worked, draft())
    assert (found.requests, found.decisions, found.changed, found.unread) == (5, 6, 0, 0)
    assert all((each.earlier, each.later, each.newly, each.spared) == (0, 0, 0, 0) for each in found.deadlines)
    assert {each.metric: each.clocks for each in found.deadlines} == {
        metric: sum(row.metric == metric for row in worked.rows(tables.clock))
        for metric in {row.metric for row in worked.rows(tables.clock)}
    }


def test_f26_a_draft_shows_changed_decisions_money_and_deadlines(worked: Desk, draft: Callable[..., Pack]) -> None:
    pack = draft(
        ("claim.amount < 20", "claim.amount < 26"),
        ("claim.amount >= 20", "claim.amount >= 26"),
        ("percent: 100", "percent: 10"),
        ("duration: 4h", "duration: 30m"),
        ("warn: 1h", "warn: 10m"),
    )
    found = play(worked, pack)
    changes = {change.kind: (change.count, [each.ticket for each in change.examples]) for change in found.changes}
    numbers = {row.external_id: row.ticket for row in worked.rows(tables.message)}
    assert changes["refund_new"] == (2, sorted([numbers["m1"], numbers["m2"]]))
    assert found.changed == 3
    money = {each.by: (each.before, each.after) for each in found.money}
    assert money["automation"] == (Money.of("7.50", "USD"), Money.of("28.00", "USD"))
    assert money["person"] == (Money.of("80.00", "USD"), Money.of("0", "USD"))
    (first,) = [each for each in found.deadlines if each.metric == "first_response"]
    assert (first.clocks, first.earlier, first.breached_before) == (5, 3, 0)
    assert first.breached_after == first.newly > 0


def test_f26_nothing_is_written(worked: Desk, draft: Callable[..., Pack]) -> None:
    def everything() -> dict[str, list[Any]]:
        return {table.name: worked.rows(table) for table in tables.metadata.sorted_tables}

    statements: list[str] = []
    looking: list[bool] = []

    def note(conn: sa.Connection, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)
        if not looking:
            looking.append(False)
            asked = "PRAGMA query_only" if is_sqlite(conn) else "SHOW transaction_read_only"
            looking[0] = str(conn.exec_driver_sql(asked).scalar()) in {"1", "on"}

    before = everything()
    sa.event.listen(worked.engine, "before_cursor_execute", note)
    found = play(worked, draft(("percent: 50", "percent: 60")))
    sa.event.remove(worked.engine, "before_cursor_execute", note)
    assert found.changed == 1
    assert looking == [True], "the database itself refuses a write"
    assert {statement.split()[0] for statement in statements} <= {"SELECT", "BEGIN", "PRAGMA", "SHOW"}
    assert everything() == before


def test_history_is_read_in_batches_that_do_not_grow(
    worked: Desk, draft: Callable[..., Pack], monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = draft(("percent: 50", "percent: 60"))
    at_once = play(worked, pack)
    monkeypatch.setattr(history, "_BATCH", 2)
    told: list[tuple[int, int]] = []
    assert play(worked, pack, progress=lambda done, total: told.append((done, total))) == at_once
    assert told == [(0, 5), (2, 5), (4, 5), (5, 5)]


def test_f26_several_processes_find_what_one_finds(
    worked: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = (("percent: 50", "percent: 60"), ("duration: 4h", "duration: 30m"), ("warn: 1h", "warn: 10m"))
    content = starter(2, "2030-01-01", *changes).encode()
    source = DraftSource((FOLDER,), "draft.yaml", content)
    span = {"since": NOON - FOREVER, "until": worked.now + timedelta(seconds=1), "examples": 2}
    monkeypatch.setattr(history_workers, "_PART", 2)
    told: list[tuple[int, int]] = []
    alone = simulate_long_history(worked.engine, source, **span)
    found = simulate_long_history(
        worked.engine, source, **span, workers=2, progress=lambda done, total: told.append((done, total))
    )
    assert found == alone
    assert found.changed == 3
    assert told[-1] == (5, 5)
    assert len(told) > 2


def test_only_what_was_filed_in_the_time_counts(worked: Desk, draft: Callable[..., Pack]) -> None:
    assert play(worked, draft(), since=at(-1)).requests == 2
    assert play(worked, draft(), until=at(-1)).requests == 3
    assert play(worked, draft(), since=at(1)).requests == 0


def test_a_request_with_facts_of_another_version_is_left_out_and_told(worked: Desk, draft: Callable[..., Pack]) -> None:
    decision = tables.decision
    strange = sa.update(decision).where(decision.c.ticket == 2).values(facts={"order.colour": "red"})
    worked.do(lambda unit: unit.conn.execute(strange))
    found = play(worked, draft())
    assert (found.requests, found.unread, found.unread_examples) == (4, 1, (2,))
