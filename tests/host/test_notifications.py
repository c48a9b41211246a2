"""What happened is told to every plugin, one by one; a listener that fails is logged and hurts nobody."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from aftersail.core.host import Host
from aftersail.sdk import AlarmRaised, ClockBreached, ClockWarned, ExtensionReported, TicketOpened, hookimpl
from tests.host.conftest import NOW, candidate

EVENT = TicketOpened(at=NOW, channel="shop", ticket=7, reason="damaged", tier="defect")


def listener(call):
    def listen(event):
        call(event)

    return SimpleNamespace(aftersail_ticket_opened=hookimpl(listen))


def raising(error):
    def call(event):
        raise error

    return listener(call)


@pytest.mark.parametrize("error", [ValueError("chat is down"), SystemExit(1)])
def test_one_raising_listener_hurts_nobody(error, log):
    before, after = [], []
    plugins = [
        candidate("before", listener(before.append)),
        candidate("bad", raising(error)),
        candidate("after", listener(after.append)),
    ]
    Host(plugins).notify("aftersail_ticket_opened", EVENT)
    assert before == after == [EVENT]
    (line,) = [line for line in log if line["event"] == "notification_failed"]
    assert (line["plugin"], line["hook"], line["ticket"]) == ("bad", "aftersail_ticket_opened", 7)


def test_ctrl_c_in_a_listener_is_not_swallowed():
    with pytest.raises(KeyboardInterrupt):
        Host([candidate("slow", raising(KeyboardInterrupt()))]).notify("aftersail_ticket_opened", EVENT)


def test_a_listener_need_not_take_the_event():
    heard = []
    brief = SimpleNamespace(aftersail_ticket_opened=hookimpl(lambda: heard.append("rang")))
    Host([candidate("brief", brief)]).notify("aftersail_ticket_opened", EVENT)
    assert heard == ["rang"]


def test_others_are_not_told():
    heard = []

    def listen(event):
        heard.append(event)

    other = SimpleNamespace(aftersail_reply_sent=hookimpl(listen))
    Host([candidate("other", other)]).notify("aftersail_ticket_opened", EVENT)
    assert heard == []


def test_a_refused_plugin_is_not_told():
    heard = []

    def listen(event):
        heard.append(event)

    def typo():
        return ()

    plugin = listener(listen)
    plugin.aftersail_conectors = hookimpl(typo)
    Host([candidate("bad", plugin)]).notify("aftersail_ticket_opened", EVENT)
    assert heard == []


def test_a_plugin_whose_pack_folders_fail_leaves_those_of_the_others(tmp_path, log):
    def broken():
        raise OSError("no folder")

    plugins = [
        candidate("bad", SimpleNamespace(aftersail_packs=hookimpl(broken))),
        candidate("good", SimpleNamespace(aftersail_packs=hookimpl(lambda: [tmp_path]))),
    ]
    assert Host(plugins).pack_folders() == (tmp_path,)
    assert [line["plugin"] for line in log if line["event"] == "plugin_hook_failed"] == ["bad"]


class Pager:
    """Hands on what it is told, or fails."""

    name = "pager"

    def __init__(self, error=None):
        self.told, self._error = [], error

    def notify(self, subject, text, recipients):
        if self._error:
            raise self._error
        self.told.append((subject, text, recipients))


def carrying(*notifiers):
    return SimpleNamespace(aftersail_notifiers=hookimpl(lambda: list(notifiers)))


ASKED = {"metric": "resolution", "reason": "the part is late", "report": "One day more", "recipients": ("ada",)}


@pytest.mark.parametrize(
    ("hook", "event", "subject", "text"),
    [
        (
            "aftersail_clock_breached",
            ClockBreached(
                at=NOW, channel="shop", ticket=7, metric="resolution", due_at=NOW, detected_at=NOW, recipients=("ada",)
            ),
            "Ticket 7: resolution ran out",
            "It was due at 2026-11-02 09:00 UTC, noticed at 2026-11-02 09:00 UTC.",
        ),
        (
            "aftersail_clock_warned",
            ClockWarned(at=NOW, channel="shop", ticket=7, metric="first_response", due_at=NOW, recipients=("ada",)),
            "Ticket 7: first response is due soon",
            "It is due at 2026-11-02 09:00 UTC.",
        ),
        (
            "aftersail_extension_reported",
            ExtensionReported(at=NOW, channel="shop", ticket=7, **ASKED),
            "Ticket 7: more time is asked for the resolution",
            "One day more\n\nReason: the part is late",
        ),
        (
            "aftersail_alarm_raised",
            AlarmRaised(
                at=NOW,
                channel="",
                metric="inquiries",
                subject="damaged",
                why="thrice as many",
                recipients=("ada",),
            ),
            "inquiries: damaged",
            "thrice as many",
        ),
    ],
)
def test_f10_people_are_told_by_every_notifier_though_one_fails(hook, event, subject, text, log):
    first, last = Pager(), Pager()
    plugins = [
        candidate("first", carrying(first)),
        candidate("bad", carrying(Pager(OSError("no line")), Pager(SystemExit(1)))),
        candidate("last", carrying(last)),
    ]
    Host(plugins).notify(hook, event)
    assert first.told == last.told == [(subject, text, ("ada",))]
    failed = [(line["plugin"], line["hook"]) for line in log if line["event"] == "notification_failed"]
    assert failed == [("bad", "aftersail_notifiers")] * 2


def test_people_are_not_told_what_is_for_programs():
    pager = Pager()
    Host([candidate("pager", carrying(pager))]).notify("aftersail_ticket_opened", EVENT)
    assert pager.told == []
