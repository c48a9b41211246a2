"""Commands about clocks: counted again, tickets put aside and merged, doubtful calendars."""

from __future__ import annotations

from tests.cli.letters import letter


def test_clocks_are_counted_again_for_people_and_scripts(open_desk, shop):
    shop.mail.deliver(letter(3001))
    open_desk("sync", "--channel", "mail")
    found = open_desk.json("policy", "recompute")
    assert (found["tickets"], found["done"], found["moved"], found["busy"]) == (1, 1, 0, 0)
    assert "of 1 tickets looked at, 0 are due at another time" in open_desk("policy", "recompute").stdout


def test_a_ticket_is_put_aside_taken_up_and_merged(open_desk, shop):
    for number in (3001, 3002):
        shop.mail.deliver(letter(number))
    open_desk("sync", "--channel", "mail")
    assert "is need_info now" in open_desk("ticket", "set", "1", "need_info").stdout
    assert "was need_info before" in open_desk("ticket", "set", "1", "need_info").stdout
    assert open_desk.json("ticket", "show", "1")["state"] == "need_info"
    assert "is open now" in open_desk("ticket", "set", "1", "open").stdout
    open_desk("ticket", "merge", "1", "2", typed="n\n", code=1)
    assert "part of ticket 2" in open_desk("ticket", "merge", "1", "2", "--yes").stdout
    assert [row["id"] for row in open_desk.json("inbox")] == [2]
    assert "is merged" in open_desk.fails("ticket", "merge", "1", "2", "--yes")


def test_check_and_doctor_tell_what_is_doubtful(open_desk, tmp_path):
    pack = tmp_path / "mine.yaml"
    hours = 'calendars: {desk: {timezone: America/New_York, hours: "Mo-Su 02:30-05:00"}}'
    pack.write_text(f"id: mine\nversion: 1\ntitle: t\neffective_from: 2026-01-01\ncurrency: USD\n{hours}\n")
    said = open_desk("policy", "check", str(pack)).stdout
    assert "warning: " in said
    assert f"{pack} is right" in said
    (told,) = open_desk.json("policy", "check", str(pack))
    assert (told["warning"], told["line"]) == (True, 6)
    assert "warning: " in open_desk("policy", "check", "--strict", str(pack), code=1).stdout
    rows = {row["what"]: row for row in open_desk.json("doctor")}
    assert rows["opening hours"]["ok"] is True
