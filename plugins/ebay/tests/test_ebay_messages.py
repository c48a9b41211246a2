"""Messages through the public interface, on the simulator."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aftersail.sdk import (
    Ambiguous,
    AuthExpired,
    CursorExpired,
    Direction,
    Invalid,
    RateLimited,
    Reply,
    Unavailable,
)
from aftersail.sdk.testing.context import FixedClock, make_context
from aftersail.sdk.testing.faults import Fault
from aftersail_ebay.settings import EbaySettings


def walk(connector, hook, cursor, *, limit, between=lambda: None):
    items = []
    for _ in range(300):
        page = getattr(connector, hook)(cursor=cursor, limit=limit)
        assert len(page.items) <= limit
        items += page.items
        cursor = page.cursor
        if not page.more:
            return items, cursor
        between()
    raise AssertionError("the walk does not end")


def test_a_conversation_comes_with_both_sides_its_item_and_where_to_answer(simulator, connect, clock):
    at = clock() - timedelta(hours=2)
    conversation = simulator.open_conversation("buyer_one", "Does it dim?", item="110012345678", at=at)
    simulator.write(conversation, "Yes", sender="SIM_Shop", at=at + timedelta(minutes=1))
    items, _ = walk(connect(), "fetch_messages", None, limit=10)
    question, answer = items
    assert (question.direction, question.author.external_id, question.text) == (
        Direction.INBOUND,
        "buyer_one",
        "Does it dim?",
    )
    assert (question.sent_at, question.thread_id, question.reply_to) == (at, conversation, conversation)
    assert question.link == "https://www.ebay.com/itm/110012345678"
    assert question.order_id is None
    assert answer.direction is Direction.OUTBOUND


def test_media_come_as_links_and_nothing_is_downloaded(simulator, connect):
    conversation = simulator.open_conversation("buyer_one", "See the photo")
    simulator.conversations[conversation].messages[0]["messageMedia"] = [
        {"mediaName": "lamp.jpg", "mediaType": "IMAGE", "mediaUrl": "https://media.example/lamp.jpg"}
    ]
    (message,) = walk(connect(), "fetch_messages", None, limit=10)[0]
    (attachment,) = message.attachments
    assert (attachment.content_type, attachment.url, attachment.content) == (
        "image/jpeg",
        "https://media.example/lamp.jpg",
        None,
    )


def test_an_unreadable_message_is_skipped_and_said_and_does_not_block_the_others(simulator, connect):
    conversation = simulator.open_conversation("buyer_one", "first words of the buyer")
    simulator.write(conversation, "second")
    broken = simulator.conversations[conversation].messages[0]
    broken["createdDate"] = "2026-10-30 09:00"
    page = connect().fetch_messages(cursor=None, limit=10)
    assert [message.text for message in page.items] == ["second"]
    (why,) = page.skipped
    assert broken["messageId"] in why
    assert "first words" not in why


def test_the_next_window_brings_what_was_written_since_and_goes_back_a_little(simulator, connect, clock):
    conversation = simulator.open_conversation("buyer_one", "one", at=clock() - timedelta(days=5))
    connector = connect()
    _, cursor = walk(connector, "fetch_messages", None, limit=10)
    clock.advance(timedelta(hours=1))
    items, cursor = walk(connector, "fetch_messages", cursor, limit=10)
    assert items == []
    # Written before the last window was opened, but shown by eBay only afterwards.
    simulator.write(conversation, "late", at=clock() - timedelta(minutes=5))
    items, _ = walk(connector, "fetch_messages", cursor, limit=10)
    assert "late" in {message.text for message in items}


ACTIONS = st.lists(st.sampled_from(["write_old", "write_new", "open", "archive", "nothing"]), max_size=12)


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=9),
    limit=st.integers(1, 4),
    newest_first=st.booleans(),
    actions=ACTIONS,
    data=st.data(),
)
def test_nothing_is_lost_while_buyers_write_between_the_pages(sizes, limit, newest_first, actions, data):
    from aftersail_ebay.connector import EbayConnector
    from aftersail_ebay.simulator import EbaySimulator

    clock = FixedClock()
    simulator = EbaySimulator(clock=clock)
    simulator.newest_first = newest_first
    for index, size in enumerate(sizes):
        at = clock() - timedelta(hours=50 - index)
        conversation = simulator.open_conversation(f"buyer{index}", "0", at=at)
        for number in range(1, size):
            simulator.write(conversation, str(number), at=at + timedelta(minutes=number))
    connector = EbayConnector(
        EbaySettings.model_validate(
            {
                "username": "sim_shop",
                "client_id": "sim-app",
                "client_secret": "sim-cert",
                "refresh_token": "sim-consent",
            }
        ),
        make_context(transport=simulator.transport(), clock=clock),
    )
    pending = list(actions)

    def between():
        clock.advance(timedelta(seconds=20))
        action = pending.pop() if pending else "nothing"
        living = sorted(found.id for found in simulator.conversations.values() if not found.archived)
        if action in {"write_old", "write_new"} and living:
            chosen = living[0] if action == "write_old" else data.draw(st.sampled_from(living))
            simulator.write(chosen, "while you walk")
        elif action == "open":
            simulator.open_conversation("newcomer", "hello")
        elif action == "archive" and living:
            simulator.conversations[data.draw(st.sampled_from(living))].archived = True

    first, cursor = walk(connector, "fetch_messages", None, limit=limit, between=between)
    clock.advance(timedelta(minutes=1))
    second, _ = walk(connector, "fetch_messages", cursor, limit=limit)
    fetched = {message.external_id for message in first + second}
    living = [found for found in simulator.conversations.values() if not found.archived]
    assert {message["messageId"] for found in living for message in found.messages} <= fetched


def test_a_list_in_a_new_order_at_every_call_still_ends(simulator, connect, clock):
    for index in range(7):
        simulator.open_conversation(f"buyer{index}", "hi", at=clock() - timedelta(hours=index))

    def turn():
        simulator.newest_first = not simulator.newest_first

    walk(connect(), "fetch_messages", None, limit=1, between=turn)
    assert len(simulator.calls) < 100


@pytest.mark.parametrize("cursor", ["", "garbage", "{}", '{"since":"2026-01-01","began":1,"size":0}'])
def test_an_unreadable_cursor_starts_the_window_again(connect, cursor):
    with pytest.raises(CursorExpired):
        connect().fetch_messages(cursor=cursor, limit=10)


def test_a_cursor_older_than_ebay_keeps_starts_again(simulator, connect, clock):
    _, cursor = walk(connect(), "fetch_orders", None, limit=10)
    clock.advance(timedelta(days=731))
    with pytest.raises(CursorExpired):
        connect().fetch_orders(cursor=cursor, limit=10)


# -- replies --------------------------------------------------------------------------------------------------------


def test_a_reply_goes_into_its_conversation(simulator, connect, clock):
    conversation = simulator.open_conversation("buyer_one", "Hello?")
    receipt = connect().post_reply(reply=Reply(key="k", thread_id=conversation, text="x" * 2000))
    last = simulator.conversations[conversation].messages[-1]
    assert (receipt.external_id, receipt.at) == (last["messageId"], clock())
    assert (last["senderUsername"], last["messageBody"]) == ("sim_shop", "x" * 2000)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(key="k", thread_id="C1", text="x" * 2001),
        Reply(key="k", text="no conversation"),
        Reply.model_validate(
            {
                "key": "k",
                "thread_id": "C1",
                "text": "files",
                "attachments": [{"filename": "a", "content_type": "text/plain", "size": 1, "content": b"a"}],
            }
        ),
    ],
)
def test_what_ebay_would_refuse_is_refused_before_any_request(simulator, connect, reply):
    with pytest.raises(Invalid):
        connect().post_reply(reply=reply)
    assert simulator.calls == []


def test_a_reply_into_a_conversation_that_is_gone_is_invalid(connect):
    with pytest.raises(Invalid, match="355007") as caught:
        connect().post_reply(reply=Reply(key="k", thread_id="C-gone", text="hi"))
    assert caught.value.code == "355007"


def test_a_reply_is_never_sent_twice(simulator, connect):
    conversation = simulator.open_conversation("buyer_one", "Hello?")
    simulator.fail_next("send_message", Fault.RESET_AFTER)
    with pytest.raises(Ambiguous):
        connect().post_reply(reply=Reply(key="k", thread_id=conversation, text="once"))
    assert [message["messageBody"] for message in simulator.conversations[conversation].messages].count("once") == 1


@pytest.mark.parametrize("body", [{}, [], {"messageId": ""}])
def test_a_reply_without_a_readable_receipt_may_have_been_sent(simulator, connect, body):
    conversation = simulator.open_conversation("buyer_one", "Hello?")
    simulator.fail_next("send_message", 201, body=body)
    with pytest.raises(Ambiguous):
        connect().post_reply(reply=Reply(key="k", thread_id=conversation, text="hi"))


# -- account and failures ---------------------------------------------------------------------------------------------


def test_a_missing_scope_is_a_warning_and_two_are_a_refusal(simulator, connect):
    assert connect().check_account().warnings == ()
    simulator.scopes = frozenset({"commerce.message"})
    (warning,) = connect().check_account().warnings
    assert "sell.fulfillment.readonly" in warning
    simulator.scopes = frozenset()
    with pytest.raises(AuthExpired):
        connect().check_account()


def test_a_revoked_consent_is_auth_expired(connect):
    with pytest.raises(AuthExpired, match="connect the account again"):
        connect(refresh_token="another").check_account()


def test_a_token_is_renewed_before_it_expires(simulator, connect, clock):
    connector = connect()
    connector.check_account()
    clock.advance(timedelta(hours=3))
    connector.check_account()
    assert [call.operation for call in simulator.calls].count("token") == 2
    assert all(call.status == 200 for call in simulator.calls)


def test_the_calls_of_the_day_used_up_is_no_reason_to_hammer(simulator, connect):
    error = {"errors": [{"errorId": 2001, "message": "Too many requests."}]}
    simulator.fail_next("get_conversations", 429, times=9, headers={"Retry-After": "3600"}, body=error)
    with pytest.raises(RateLimited) as caught:
        connect().fetch_messages(cursor=None, limit=10)
    assert caught.value.code == "2001"
    assert caught.value.retry_at is not None
    assert [call.operation for call in simulator.calls].count("get_conversations") == 1


@pytest.mark.parametrize("body", [[], {"conversations": {}}, {"conversations": [], "total": "many"}, "text"])
def test_an_answer_of_another_shape_is_unavailable(simulator, connect, body):
    simulator.fail_next("get_conversations", 200, times=9, body=body)
    with pytest.raises(Unavailable):
        connect().fetch_messages(cursor=None, limit=10)
