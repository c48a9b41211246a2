"""`init`, and what every command says of a settings file that is not right."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from aftersail.core.store.migrate import newest

PASSWORD = "hunter2-of-the-shop"


def write(desk, text):
    desk.config.write_text(text, encoding="utf-8")


def test_init_writes_settings_and_a_database_that_work(aftersail, tmp_path):
    said = aftersail("init").stdout
    assert "wrote" in said
    assert "channel add email" in said
    assert (tmp_path / "aftersail.db").exists()
    assert aftersail("inbox").stdout == "no open tickets\n"


def test_init_a_second_time_changes_nothing(desk):
    before = desk.config.read_bytes()
    said = desk("init").stdout
    assert "left as it is" in said
    assert newest() in said
    assert desk.config.read_bytes() == before


def test_init_in_a_folder_that_is_not_there(aftersail, tmp_path):
    aftersail.config = tmp_path / "nowhere" / "aftersail.yaml"
    assert f"{aftersail.config}: No such file or directory" in aftersail.fails("init")


def test_init_in_a_folder_that_cannot_be_written(aftersail, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=stat.S_IRUSR | stat.S_IXUSR)
    aftersail.config = folder / "aftersail.yaml"
    if os.access(folder, os.W_OK):  # root may write everywhere but here
        aftersail.config = Path("/proc/aftersail.yaml")
    said = aftersail.fails("init")
    assert said.startswith(f"Error: {aftersail.config}: ")


def test_without_a_settings_file_the_fix_is_named(aftersail):
    said = aftersail.fails("inbox")
    assert f"{aftersail.config} is not there" in said
    assert "`aftersail init` writes one" in said


def test_a_database_that_was_never_initialised_names_the_command(aftersail):
    write(aftersail, "pack: starter\n")
    assert "run: aftersail init" in aftersail.fails("inbox")


def test_typos_are_all_told_with_line_column_and_the_key_meant(desk):
    write(desk, "databse: sqlite:///a.db\nlog:\n  levle: info\nchannels:\n  mail: {connector: email, pol_seconds: 5}\n")
    said = desk.fails("inbox")
    assert f"{desk.config}:1:1: unknown key 'databse'" in said
    assert "did you mean 'database'?" in said
    assert f"{desk.config}:3:3: unknown key 'levle'" in said
    assert "did you mean 'level'?" in said
    assert f"{desk.config}:5:28: unknown key 'pol_seconds'" in said
    assert "did you mean 'poll_seconds'?" in said
    assert said.index("databse") < said.index("levle") < said.index("pol_seconds")


def test_the_caret_stands_under_the_mistake(desk):
    write(desk, "pack: starter\nlog: {level: loud}\n")
    lines = desk.fails("inbox").splitlines()
    source = next(index for index, line in enumerate(lines) if line.strip() == "log: {level: loud}")
    assert lines[source + 1].index("^") == lines[source].index("loud")


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("channels:\n  mail:\n    connector: email\n    poll_seconds: often\n", "4:19", "integer"),
        ("channels:\n  mail:\n    connector: email\n    poll_seconds: 0\n", "4:19", "greater than or equal to 1"),
        ("channels: [mail]\n", "1:11", "dictionary"),
        ("pack: [starter]\n", "1:7", "string"),
        ("log: {level: loud}\n", "1:14", "pattern"),
        ("channels:\n  mail:\n    poll_seconds: 5\n", "3:5", "'connector' is missing"),
        ("channels:\n\tmail: {connector: email}\n", "2:1", "no YAML"),
        ("pack: starter\npack: other\n", "2:1", "second time"),
        ("- pack\n", "1:1", "no settings file"),
        ("", "1:1", "empty"),
        ("channels:\n  a: {connector: email}\n  b: {connector: shopify, mailbox: A}\n", "3:36", "no channel 'A'"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(desk, text, place, what):
    write(desk, text)
    said = desk.fails("inbox")
    assert f"{desk.config}:{place}: " in said
    assert what in said
    assert "policy" not in said
    assert "my-pack" not in said


def test_a_settings_file_that_is_not_utf8(desk):
    desk.config.write_bytes("pack: stärter\n".encode("latin-1"))
    assert "save the file as UTF-8" in desk.fails("inbox")


def test_a_settings_file_that_cannot_be_read(desk, monkeypatch):
    # A mode does not stop root, who runs many tests.
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(type(desk.config), "read_bytes", refuse)
    assert f"{desk.config} cannot be read: Permission denied" in desk.fails("inbox")


@pytest.mark.parametrize(
    "text",
    [
        f"channels:\n  mail: {{connector: email, imap_password: {PASSWORD}}}\n",
        f'channels:\n  mail:\n    connector: email\n    imap_password: "{PASSWORD}\n',
        f"database: 'postgresql://shop:{PASSWORD}@db/desk\n",
        f"api_token: {PASSWORD}\n",
    ],
)
def test_a_secret_in_the_wrong_place_is_not_repeated(desk, text):
    write(desk, text)
    assert PASSWORD not in desk.fails("inbox")


def test_a_secret_in_the_settings_is_refused_with_the_fix_and_not_repeated(desk):
    write(desk, f"channels:\n  mail:\n    connector: email\n    settings: {{imap_password: {PASSWORD}}}\n")
    result = desk("sync", code=1)
    assert "aftersail channel renew mail" in result.stderr
    assert "AFTERSAIL_CHANNEL_MAIL_IMAP_PASSWORD" in result.stderr
    assert PASSWORD not in result.output


def test_a_typo_in_a_connectors_settings_names_the_field_meant(desk):
    write(desk, "channels:\n  mail:\n    connector: email\n    settings: {imap_hots: mx.shop.example}\n")
    said = desk.fails("sync")
    assert "aftersail.yaml:4:16: channel mail: imap_hots is no setting" in said
    assert "did you mean 'imap_host'?" in said
    assert "aftersail.yaml:4:15: channel mail: address is missing" in said


def test_a_database_from_a_newer_version_is_left_alone(desk, tmp_path):
    with closing(sqlite3.connect(tmp_path / "aftersail.db", isolation_level=None)) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    for command in ("inbox", "init", "run"):
        assert "upgrade aftersail" in desk.fails(command)
    with closing(sqlite3.connect(tmp_path / "aftersail.db", isolation_level=None)) as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)


def test_a_file_that_is_no_database(desk, tmp_path):
    write(desk, "database: sqlite:///notes.txt\n")
    (tmp_path / "notes.txt").write_text("these are the notes of a whole year " * 100)
    for command in ("inbox", "run", "init"):
        assert "the database cannot be used: file is not a database; " in desk.fails(command)
    assert (tmp_path / "notes.txt").read_text().startswith("these are the notes")


@pytest.mark.parametrize("command", [("inbox",), ("run",), ("sync",), ("report",)])
def test_a_postgresql_that_cannot_be_reached(desk, command):
    write(desk, f"database: postgresql://shop:{PASSWORD}@127.0.0.1:9/desk\n")
    said = desk.fails(*command)
    assert "the database cannot be used" in said
    assert "127.0.0.1" in said
    assert PASSWORD not in said


@pytest.mark.parametrize("url", ["mysql://h/d", "not a url", "sqlite:///no/such/folder/a.db"])
def test_a_database_url_that_cannot_be_used(desk, url):
    write(desk, f"database: {url}\n")
    said = desk.fails("inbox")
    assert "database" in said
    assert "write it like sqlite:///" in said or "mkdir -p" in said


def test_a_full_disk_is_told_and_the_store_stays_whole(desk, tmp_path):
    """The database may not grow: the same error that SQLite gets from a full disk."""

    def full(connection, _):
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {max(pages, 1)}")

    write(desk, "channels:\n" + "".join(f"  channel-{n:04}: {{connector: email}}\n" for n in range(800)))
    sa.event.listen(sa.Engine, "connect", full)
    try:
        said = desk.fails("channel", "list")
    finally:
        sa.event.remove(sa.Engine, "connect", full)
    assert "the database cannot be used: database or disk is full; free some space" in said
    with closing(sqlite3.connect(tmp_path / "aftersail.db", isolation_level=None)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("SELECT count(*) FROM channel").fetchone() == (0,)
    assert "channel-0799" in desk("channel", "list").stdout
