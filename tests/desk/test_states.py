"""The states of a ticket: which lead where, and what each means for clocks and for what comes in later."""

from __future__ import annotations

from itertools import product

import pytest

from aftersail.core.contract import Direction, Party
from aftersail.core.desk.agent import put_ticket
from aftersail.core.desk.tickets import OVER, TRANSITIONS, TicketError, TicketState, update_ticket
from aftersail.core.desk.views import inbox_rows
from aftersail.core.store import tables
from tests.builders import Desk, Script, letter, page

S = TicketState


@pytest.fixture
def asked(desk: Desk, shop: Script) -> Desk:
    shop.messages.pages = [page(letter("m1", 0, "It arrived broken", thread_id="t"))]
    desk.sync()
    return desk


def put(desk: Desk, state: TicketState) -> bool:
    return bool(desk.do(lambda unit: put_ticket(unit, desk.services, 1, state, "ann")))


def say(desk: Desk, shop: Script, name: str, text: str = "And?") -> None:
    desk.advance(5)
    shop.messages.pages = [
        page(letter(name, (desk.now - letter("x").sent_at).total_seconds() / 60, text, thread_id="t"))
    ]
    desk.sync()


def state(desk: Desk) -> str:
    return str(desk.rows(tables.ticket)[0].state)


def clock_states(desk: Desk) -> dict[str, str]:
    return {row.metric: row.state for row in desk.rows(tables.clock)}


def test_every_way_is_on_the_map_or_refused(asked: Desk) -> None:
    for before, after in product(S, S):
        asked.do(lambda unit, before=before: update_ticket(unit, 1, state=before))
        if after is S.MERGED:
            with pytest.raises(TicketError, match="`aftersail ticket merge` names both"):
                put(asked, after)
        elif before is after:
            assert put(asked, after) is False
        elif after in TRANSITIONS[before]:
            assert put(asked, after) is True
        else:
            with pytest.raises(TicketError, match=f"ticket 1 is {before} and cannot become {after}"):
                put(asked, after)
        assert state(asked) == (after if after in TRANSITIONS[before] and after is not S.MERGED else before)


def test_no_way_leads_out_of_merged_and_every_other_state_can_be_left() -> None:
    assert TRANSITIONS[S.MERGED] == frozenset()
    assert all(TRANSITIONS[each] for each in S if each is not S.MERGED)
    assert set(TRANSITIONS) == set(S)


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        (S.RESOLVED, {"first_response": "cancelled", "resolution": "met"}),
        (S.CLOSED, {"first_response": "cancelled", "resolution": "met"}),
        (S.SPAM, {"first_response": "cancelled", "resolution": "cancelled"}),
        (S.WAITING_CARRIER, {"first_response": "running", "resolution": "running"}),
    ],
)
def test_what_a_state_means_for_clocks(asked: Desk, to: TicketState, expected: dict[str, str]) -> None:
    put(asked, to)
    assert clock_states(asked) == expected
    with asked.engine.connect() as conn:
        shown = inbox_rows(conn, closed=False, channel=None, limit=9)
    assert bool(shown) is (to not in OVER)


@pytest.mark.parametrize("waits", [S.NEED_INFO, S.WAITING_CARRIER, S.RESOLVED, S.CLOSED, S.WAITING])
def test_the_buyers_word_opens_the_ticket_again(asked: Desk, shop: Script, waits: TicketState) -> None:
    put(asked, waits)
    say(asked, shop, "m2", "Here are the pictures")
    assert state(asked) == "open"


def test_nothing_wakes_spam(asked: Desk, shop: Script) -> None:
    put(asked, S.SPAM)
    before, clocks = asked.rows(tables.decision), asked.rows(tables.clock)
    say(asked, shop, "m2", "Buy now!!")
    assert (state(asked), asked.rows(tables.decision), asked.rows(tables.clock)) == ("spam", before, clocks)
    assert len(asked.rows(tables.message)) == 2
    put(asked, S.OPEN)
    say(asked, shop, "m3", "It really arrived broken")
    assert asked.rows(tables.clock, tables.clock.c.state == "running") != []


def test_only_the_buyer_ends_the_wait_for_the_buyer(asked: Desk, shop: Script) -> None:
    """Another shop's answer from the platform's page, read while the buyer is asked for something."""
    put(asked, S.NEED_INFO)
    asked.advance(5)
    ours = letter("a1", 4, "Which colour?", thread_id="t", direction=Direction.OUTBOUND, author=Party(name="Shop"))
    shop.messages.pages = [page(ours)]
    asked.sync()
    assert state(asked) == "need_info"
