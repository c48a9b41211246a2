"""Grading, assigning, extending, merging, paying and appealing, as people at the desk call it."""

from __future__ import annotations

import pytest

from tests.cli.letters import complain, letter

PEOPLE = """\
desk:
  manager: mia
  solutions: own.yaml
  teams:
    berlin: {lead: sue}
  agents:
    - {id: ann, team: berlin, skills: [technical]}
    - {id: bob, team: berlin}
    - {id: sue, team: berlin, role: supervisor}
    - {id: mia, role: admin}
"""

OWN = """\
solutions:
  - id: lamp-shade
    title: The shade came loose
    reasons: [damaged]
    steps: [Send a new shade.]
    templates: [no_such_template]
    remedies: [missing_part]
"""


def flat(text):
    """A text without the lines and frames that a terminal of 80 columns needs."""
    return " ".join(text.replace("│", " ").split())


class People:
    """Calls commands in somebody's name."""

    def __init__(self, desk, monkeypatch):
        self.desk = desk
        self._monkeypatch = monkeypatch

    def __call__(self, who, *arguments, code=0):
        self._monkeypatch.setenv("LOGNAME", who)
        return flat(self.desk(*arguments, code=code).stdout)

    def fails(self, who, *arguments, code=1):
        self._monkeypatch.setenv("LOGNAME", who)
        return flat(self.desk.fails(*arguments, code=code))


@pytest.fixture
def people(open_desk, shop, tmp_path, monkeypatch):
    """A desk of four, and one buyer whose lamp of 80 USD arrived broken: ticket 1, order 3001."""
    text = open_desk.config.read_text(encoding="utf-8")
    open_desk.config.write_text(text + PEOPLE, encoding="utf-8")
    (tmp_path / "own.yaml").write_text(OWN, encoding="utf-8")
    complain(shop, 3001)
    open_desk("sync", "--channel", "shop", "--channel", "mail")
    return People(open_desk, monkeypatch)


def show(people, number="1"):
    return people.desk.json("ticket", "show", number)


def test_f05_grade(people):
    assert show(people)["tier"] == "defect"
    assert people("ann", "ticket", "grade", "1", "--tier", "urgent", "--language", "de").startswith(
        "ticket 1: tier urgent"
    )
    assert people("ann", "ticket", "grade", "1", "--tier", "urgent") == "ticket 1 was graded so before"
    view = show(people)
    assert (view["tier"], view["language"], view["graded"]) == ("urgent", "de", {"tier": "urgent", "language": "de"})
    assert [event["actor"] for event in view["events"] if event["kind"] == "regraded"] == ["ann"]
    assert "did you mean 'urgent'?" in people.fails("ann", "ticket", "grade", "1", "--tier", "urgnt")
    assert "give --tier, --reason or --language" in people.fails("ann", "ticket", "grade", "1", code=2)


def test_what_is_seen_of_a_return_is_written_down_once(people):
    assert people("ann", "return", "seen", "1", "proof", "--at", "2026-01-02T10:00:00+01:00").startswith("ticket 1: ")
    people("ann", "return", "seen", "1", "back")
    told = [event["kind"] for event in show(people)["events"]]
    assert [kind for kind in told if kind in {"return_proof", "goods_back"}] == ["return_proof", "goods_back"]
    assert "is known already" in people.fails("ann", "return", "seen", "1", "back")
    assert "is no instant" in people.fails("ann", "return", "seen", "1", "proof", "--at", "yesterday", code=2)


def test_f10_extend(people, shop):
    said = ("--reason", "parts", "--report", "One day more.", "--tell-buyer", "We need one day more.")
    assert "a report to the marketplace or the manager is missing" in people.fails(
        "ann", "ticket", "extend", "1", "--by", "24h", *said[:2], *said[4:]
    )
    before = next(clock["due_at"] for clock in show(people)["clocks"] if clock["metric"] == "resolution")
    assert people("ann", "ticket", "extend", "1", "--by", "1d", *said) == (
        "planned: the due time moves once the buyer's notice has left"
    )
    assert "until the buyer's notice has left" in people("ann", "ticket", "show", "1")
    shop.run_until_idle()
    assert b"We need one day more." in b"".join(mail.content for mail in shop.mail.sent)
    view = show(people)
    (event,) = [event for event in view["events"] if event["kind"] == "clock_extended"]
    assert (event["data"]["before"], event["actor"]) == (before, "ann")
    assert (
        next(clock["due_at"] for clock in view["clocks"] if clock["metric"] == "resolution") == event["data"]["after"]
    )
    assert "no duration; write a number and a unit" in people.fails(
        "ann", "ticket", "extend", "1", "--by", "tomorrow", *said, code=2
    )
    assert "is none of: first_response" in people.fails(
        "ann", "ticket", "extend", "1", "--by", "1d", "--metric", "joy", *said, code=2
    )


def test_f34_assign_and_escalate(people):
    assert show(people)["owner"] == "ann"
    assert "Owner" in people("ann", "inbox")
    assert people("ann", "ticket", "assign", "1", "--to", "bob", "--why", "holiday") == "ticket 1 belongs to bob"
    assert people("bob", "ticket", "escalate", "1", "--to", "technical", "--why", "wiring") == "ticket 1 belongs to ann"
    assert people("ann", "ticket", "escalate", "1", "--why", "angry") in {
        "ticket 1 belongs to sue",
        "ticket 1 belongs to mia",
    }
    assert people("ann", "ticket", "assign", "1").startswith("ticket 1 belongs to ")
    assert "'zoe' cannot own tickets" in people.fails("ann", "ticket", "assign", "1", "--to", "zoe")


def test_f30_what_usually_helps_is_shown(people):
    shown = people("ann", "ticket", "show", "1")
    assert "What usually helps" in shown
    assert shown.index("The shade came loose (missing_part)") < shown.index("It arrived broken or does not work")
    assert "template no_such_template, which the pack in use does not have" in shown
    (people.desk.config.parent / "own.yaml").write_text(OWN.replace("steps", "stops"))
    assert "own.yaml:5:5: `stops` is no key here" in people.fails("ann", "ticket", "show", "1")


def test_f30_an_agent_over_the_limit_is_blocked_and_routed(people, shop):
    (planned,) = people.desk.json("refund", "list", "--state", "planned")
    assert planned["money"] == "80.00 USD"
    assert "waits for a" not in people("ann", "refund", "reject", planned["key"], "--why", "part of it will do")
    assert people("ann", "refund", "issue", "1", "30.00 USD", "--reason", "shade").startswith("approved: 30.00 USD on")
    assert people("ann", "refund", "issue", "1", "30.00 USD", "--reason", "shade").startswith(
        "planned before: 30.00 USD"
    )
    assert "EUR cannot be refunded on an order in USD" in people.fails(
        "ann", "refund", "issue", "1", "3.00 EUR", "--reason", "shade"
    )
    assert "is too much: only 80.00 USD" in people.fails("ann", "refund", "issue", "1", "81 USD", "--reason", "shade")
    assert 'as in "12.50 USD", or: all' in people.fails("ann", "refund", "issue", "1", "30", "--reason", "x", code=2)
    assert "zoe may pay nothing at this desk" in people.fails("zoe", "refund", "issue", "1", "1 USD", "--reason", "x")
    waits = people("ann", "refund", "issue", "1", "75 USD", "--reason", "angry")
    assert "75.00 USD" in waits
    assert "waits for a supervisor, because with what was approved on this order before, 105.00 USD" in waits
    (planned,) = people.desk.json("refund", "list", "--state", "planned")
    assert "not approved, it waits for a supervisor now" in people.fails("ann", "refund", "approve", planned["key"][:8])
    assert "approve_refund: for a supervisor" in people("ann", "ticket", "show", "1")
    assert people("sue", "refund", "approve", planned["key"][:8]).startswith("approved: 75.00 USD on order")


def test_states_and_merging(people, shop):
    shop.mail.deliver(
        letter(
            3002,
            text="Hello, me again, is anybody there?",
            sender="Buyer 3001 <buyer3001@example.com>",
            subject="Hello",
        )
    )
    people.desk("sync", "--channel", "mail")
    assert people("ann", "ticket", "set", "1", "need_info") == "ticket 1 is need_info now"
    assert people("ann", "ticket", "set", "1", "need_info") == "ticket 1 was need_info before"
    assert "states are: open, waiting, need_info" in people.fails("ann", "ticket", "set", "1", "lost", code=2)
    assert "`aftersail ticket merge` names both" in people.fails("ann", "ticket", "set", "1", "merged")
    two = show(people, "2")
    one = show(people, "1")
    if two["channel"] == one["channel"]:
        assert people("ann", "ticket", "merge", "2", "1", "--yes") == "ticket 2 is part of ticket 1 now"
        assert "merged into ticket 1" in people("ann", "ticket", "show", "2")
    else:
        assert "so they stay apart" in people.fails("ann", "ticket", "merge", "2", "1", "--yes")
    assert "cannot be merged into itself" in people.fails("ann", "ticket", "merge", "1", "1", "--yes")


def test_f32_an_appeal_from_the_telephone_to_its_decision(people):
    people("ann", "ticket", "close", "1")
    assert people("ann", "appeal", "list") == "no open appeals"
    opened = people("ann", "appeal", "open", "1", "--by", "hotline", "--why", "I want the whole price back")
    assert opened.startswith("appeal 1 on ticket 1: answer due ")
    assert opened.rpartition(" ")[2] in {"sue", "mia"}
    (row,) = people.desk.json("appeal", "list")
    assert (row["kind"], row["lodged_by"], row["ticket"], row["state"]) == ("appeal", "hotline", 1, "open")
    assert "hotline" in people("ann", "appeal", "list")
    assert "ann has decided on ticket 1 before" in people.fails("ann", "appeal", "decide", "1", "grant", "--note", "x")
    assert "bob may not decide appeal 1" in people.fails("bob", "appeal", "decide", "1", "grant", "--note", "x")
    assert people("sue", "appeal", "take", "1") == "appeal 1 is under review"
    assert people("sue", "appeal", "decide", "1", "deny", "--note", "it was used") == "appeal 1 was denied"
    assert people("ann", "appeal", "list") == "no open appeals"
    assert [row["state"] for row in people.desk.json("appeal", "list", "--all")] == ["denied"]
    shown = people("ann", "ticket", "show", "1")
    assert "denied, sue: it was used" in shown
    assert "write 2026-11-22T17:30:00+01:00" in people.fails(
        "ann", "appeal", "open", "1", "--why", "x", "--filed", "yesterday", code=2
    )


def test_f33_an_objection_that_is_granted_extends_the_service(people):
    people("ann", "ticket", "close", "1")
    people("ann", "appeal", "open", "1", "--kind", "objection", "--why", "It is still broken")
    said = people("sue", "appeal", "decide", "1", "grant", "--note", "it is")
    assert said.startswith("appeal 1 was granted; the service period goes on until ")
    assert show(people)["state"] == "open"
