"""`aftersail sync` with accounts, servers and mails that are not as they should be."""

from __future__ import annotations

import pytest

from aftersail.core.runtime.settings import load_settings
from tests.cli.letters import buy, letter
from tests.faults.shop import TOKEN


def numbers(desk):
    return sorted(row["subject"] for row in desk.json("inbox"))


def test_sync_brings_everything_in_once(open_desk, shop):
    buy(shop, 2001)
    shop.mail.deliver(letter(2001))
    said = open_desk.json("sync")
    assert said["failed"] == {}
    brought = {report["channel"]: report["new"] for report in said["synced"]}
    assert brought["mail"] == {"messages": 1}
    assert brought["shop"]["orders"] == 1
    again = {report["channel"]: report["new"] for report in open_desk.json("sync")["synced"]}
    assert again["mail"] == {"messages": 0}
    assert len(open_desk.json("inbox")) == 1


def test_progress_goes_to_stderr(open_desk, shop):
    shop.mail.deliver(letter(2001))
    result = open_desk("sync", "--channel", "mail")
    assert result.stdout == ""
    assert "mail: 1 pages, 1 new messages" in result.stderr


def test_one_channel_that_fails_keeps_no_other_from_being_synced(open_desk, shop):
    buy(shop, 2001)
    password = shop.mail.password
    shop.mail.deliver(letter(2001))
    shop.mail.change_password("another")
    result = open_desk("sync", code=1)
    assert "Error: mail: AuthExpired: " in result.stderr
    assert "refuses the login of 'help@shop.example'" in result.stderr
    assert result.stderr.rstrip().endswith("run: aftersail channel renew mail")
    assert password not in result.output
    rows = {row["id"]: row for row in open_desk.json("channel", "list")}
    assert rows["shop"]["synced_at"] is not None
    shop.mail.change_password(password)
    assert open_desk.json("sync")["failed"] == {}
    assert len(open_desk.json("inbox")) == 1


def test_json_of_a_failure_parses_and_ends_with_code_one(open_desk, shop):
    shop.mail.change_password("another")
    said = open_desk.json("sync", code=1)
    assert list(said["failed"]) == ["mail"]
    assert [report["channel"] for report in said["synced"]] == ["shop"]


def test_a_server_that_cannot_be_reached(open_desk, shop):
    settings = load_settings(open_desk.config).channels["mail"].settings
    text = open_desk.config.read_text()
    open_desk.config.write_text(text.replace(f"imap_port: {settings['imap_port']}", "imap_port: 9"))
    result = open_desk("sync", code=1)
    assert "Error: mail: Unavailable: " in result.stderr
    assert "127.0.0.1:9 cannot be reached" in result.stderr
    assert "channel_failed" in result.stderr
    open_desk.config.write_text(text)
    assert open_desk.json("sync")["failed"] == {}


@pytest.mark.parametrize("whole", [0, 3])
def test_a_mailbox_that_drops_in_the_middle_of_a_fetch_loses_nothing(open_desk, shop, whole):
    wanted = [f"Order #{number}" for number in range(2001, 2009)]
    for number in range(2001, 2009):
        shop.mail.deliver(letter(number))
    shop.mail.drop_imap_after(whole)
    first = open_desk("sync", "--channel", "mail", code=1 if whole == 0 else 0)
    assert len(numbers(open_desk)) >= whole
    if whole == 0:
        assert "Unavailable" in first.stderr
    open_desk("sync", "--channel", "mail")
    assert numbers(open_desk) == wanted


def test_a_mail_of_ten_megabytes_comes_in_whole(open_desk, shop):
    mail = letter(2001)
    mail.add_attachment(b"\x00\xff" * 5_000_000, maintype="application", subtype="octet-stream", filename="film.bin")
    shop.mail.deliver(mail)
    shop.mail.deliver(letter(2002))
    assert open_desk.json("sync", "--channel", "mail")["synced"][0]["new"] == {"messages": 2}
    assert numbers(open_desk) == ["Order #2001", "Order #2002"]


BROKEN_MAILS = {
    "broken charset": b'Content-Type: text/plain; charset="no-such-charset"\r\n\r\nThe lamp is br\xf6ken \xff\xfe.',
    "wrong charset": b'Content-Type: text/plain; charset="utf-8"\r\n\r\nDie Lampe ist zerst\xf6rt \xff.',
    "broken encoding": b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!not base64",
    "unclosed multipart": b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n--x\r\nSubject: part\r\n\r\nhi',
    "no body": b"\r\n",
    "broken subject": b"Subject: =?utf-8?b?///?= =?x?q?a?=\r\n\r\nhello",
}


@pytest.mark.parametrize("broken", BROKEN_MAILS.values(), ids=BROKEN_MAILS)
def test_a_broken_mail_without_message_id_stops_nothing(open_desk, shop, broken):
    head = b"From: Buyer <b@example.com>\r\nTo: help@shop.example\r\nDate: Mon, 05 Jan 2026 09:00:00 +0000\r\n"
    shop.mail.deliver(head + broken)
    shop.mail.deliver(letter(2002))
    report = open_desk.json("sync", "--channel", "mail")["synced"][0]
    assert report["new"] == {"messages": 2}
    assert report["skipped"] == []
    assert open_desk.json("sync", "--channel", "mail")["synced"][0]["new"] == {"messages": 0}
    assert len(open_desk.json("inbox")) == 2


@pytest.mark.slow  # the connector tries a read again before it gives up
@pytest.mark.parametrize("fault", [500, 429, "reset_before"])
def test_a_shop_that_fails_is_told_and_tried_again(open_desk, shop, fault):
    buy(shop, 2001)
    shop.shop.fail_next("AftersailOrders", fault, times=50, headers={"Retry-After": "1"} if fault == 429 else None)
    result = open_desk("sync", code=1)
    assert "Error: shop: " in result.stderr
    assert "mail" not in result.stdout
    shop.shop.heal()
    assert open_desk.json("sync")["failed"] == {}


def test_a_token_that_was_taken_back_names_the_command(open_desk, shop):
    shop.shop.fail_next("*", 401, times=5)
    said = open_desk.fails("sync", "--channel", "shop")
    assert said.rstrip().endswith("run: aftersail channel renew shop")
    assert TOKEN not in said
    shop.shop.heal()
    open_desk("sync", "--channel", "shop")


def test_an_unknown_channel_is_told_before_any_is_synced(open_desk, shop):
    assert "there is no channel 'post'" in open_desk.fails("sync", "--channel", "post", "--channel", "mail")
    assert all(row["synced_at"] is None for row in open_desk.json("channel", "list"))


def test_a_broken_pack_stops_the_sync_with_its_place(open_desk, tmp_path):
    (tmp_path / "packs").mkdir()
    (tmp_path / "packs" / "mine.yaml").write_text("id: mine\nversion: one\n")
    open_desk.config.write_text(open_desk.config.read_text().replace("pack: starter", "pack: mine\npacks: packs"))
    for command in ("sync", "run"):
        assert f"{tmp_path / 'packs' / 'mine.yaml'}:2:10: " in open_desk.fails(command)
