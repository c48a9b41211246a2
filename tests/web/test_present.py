from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aftersail.core.web.present import countdown, told, web_link

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("away", "text"),
    [
        (timedelta(), "in under 1 min"),
        (timedelta(seconds=59), "in under 1 min"),
        (timedelta(minutes=1), "in 1 min"),
        (timedelta(hours=2, minutes=5, seconds=59), "in 2 h 5 min"),
        (timedelta(hours=2), "in 2 h"),
        (timedelta(days=1, minutes=30), "in 1 d"),
        (timedelta(days=3, hours=4, minutes=5), "in 3 d 4 h"),
        (-timedelta(seconds=1), "under 1 min late"),
        (-timedelta(hours=26), "1 d 2 h late"),
    ],
)
def test_a_countdown_has_two_units(away, text):
    assert countdown(NOW + away, NOW) == text


@pytest.mark.parametrize(
    "link",
    ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "//evil.example", "https://", "http://[", ""],
)
def test_only_web_addresses_become_links(link):
    assert web_link(link) is None


def test_a_web_address_is_a_link():
    assert web_link(" https://shop.example/orders/1 ") == "https://shop.example/orders/1"
    assert web_link(None) is None


def test_history_leaves_out_what_is_empty():
    data = {"why": "late", "due_at": None, "approved": False, "recipients": ["a", "b"], "new": {"messages": 0}}
    assert told(data) == [("why", "late"), ("approved", "no"), ("recipients", "a, b"), ("new", '{"messages": 0}')]
