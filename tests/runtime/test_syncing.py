"""What becomes of a channel after a sync: due again, backing off, or waiting for a person; and nobody else."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from aftersail.core.contract import AuthExpired, Invalid, Order, Page, RateLimited, Unavailable
from aftersail.core.jobs import JobState
from aftersail.core.runtime.channels import ChannelConfigError
from aftersail.core.runtime.settings import ChannelSettings
from aftersail.core.runtime.syncing import hand_over_syncs, make_all_due, rescue_syncs, run_sync, sync_channel
from aftersail.core.store import tables
from aftersail.core.store.unit import unit_of_work
from tests.runtime.conftest import SCRIPT

SCRIPTED = ChannelSettings(connector="scripted", poll_seconds=60)


def failing(error):
    def fetch():
        raise error

    return fetch


def hand_over(app):
    with unit_of_work(app.engine, app.now()) as unit:
        return hand_over_syncs(app, unit)


def test_a_sync_that_ends_is_due_again_after_its_interval(desk, clock):
    app = desk.open(shop=SCRIPTED)
    sync_channel(app, "shop")
    row = desk.channel()
    assert (row.synced_at, row.due_at) == (clock.now(), clock.now() + timedelta(seconds=60))
    assert (row.failures, row.attention, row.armed_at) == (0, None, None)


def test_a_sync_that_a_webhook_has_overtaken_is_done_once_more(desk, clock):
    app = desk.open(shop=SCRIPTED)
    with app.engine.begin() as conn:
        conn.execute(sa.update(tables.channel).values(due_at=None, hinted_at=clock.now()))
    sync_channel(app, "shop")
    assert (desk.channel().due_at, desk.channel().hinted_at) == (clock.now(), None)
    sync_channel(app, "shop")
    assert desk.channel().due_at == clock.now() + timedelta(seconds=60)


def test_the_newest_reason_is_why_a_person_is_needed(desk):
    app = desk.open(shop=SCRIPTED)
    for why in ("the token is refused", "the account is closed"):
        SCRIPT["shop"] = failing(AuthExpired(why))
        run_sync(app, "shop")
    assert desk.channel().attention.startswith("the account is closed")
    assert len(desk.events("channel_attention")) == 1


def test_all_channels_can_be_made_due_but_those_that_wait_for_a_reason(desk, clock):
    app = desk.open(well=SCRIPTED, limited=SCRIPTED)
    later = clock.now() + timedelta(hours=1)
    SCRIPT["limited"] = failing(RateLimited("slow down", retry_at=later))
    for name in ("well", "limited"):
        run_sync(app, name)
    make_all_due(app)
    assert (desk.channel("well").due_at, desk.channel("limited").due_at) == (clock.now(), later)


def test_failures_back_off_to_half_an_hour_and_are_told_once(desk, clock, logged):
    app = desk.open(shop=SCRIPTED)
    SCRIPT["shop"] = failing(Unavailable("nobody answers"))
    waits = []
    for _ in range(8):
        run_sync(app, "shop")
        waits.append((desk.channel().due_at - clock.now()).total_seconds() / 60)
        clock.advance(3600)
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]
    assert [line["event"] for line in logged] == ["channel_failed"]
    assert logged[0]["detail"] == "nobody answers"
    assert len(desk.events("channel_failed")) == 1
    assert desk.channel().attention is None

    del SCRIPT["shop"]
    run_sync(app, "shop")
    assert [line["event"] for line in logged] == ["channel_failed", "channel_recovered"]
    assert desk.events("channel_recovered")[0].data == {"failures": 8}
    SCRIPT["shop"] = failing(Unavailable("again"))
    run_sync(app, "shop")
    assert (desk.channel().due_at - clock.now()) == timedelta(minutes=1)
    assert [line["event"] for line in logged][-1] == "channel_failed"


def test_a_limited_channel_waits_for_the_instant_it_was_told(desk, clock):
    app = desk.open(shop=SCRIPTED)
    later = clock.now() + timedelta(minutes=47)
    SCRIPT["shop"] = failing(RateLimited("slow down", retry_at=later))
    for _ in range(3):
        run_sync(app, "shop")
        assert desk.channel().due_at == later
    clock.advance(7200)
    run_sync(app, "shop")
    assert desk.channel().due_at == clock.now()
    SCRIPT["shop"] = failing(RateLimited("slow down"))
    run_sync(app, "shop")
    assert desk.channel().due_at > clock.now()


def test_dead_credentials_ask_for_a_person_with_the_command_that_mends_them(desk, clock, logged):
    app = desk.open(shop=SCRIPTED)
    SCRIPT["shop"] = failing(Unavailable("a hiccup"))
    run_sync(app, "shop")
    SCRIPT["shop"] = failing(AuthExpired("the token is refused"))
    for _ in range(3):
        run_sync(app, "shop")
    row = desk.channel()
    assert row.attention == "the token is refused; run: aftersail channel renew shop"
    assert row.due_at == clock.now() + timedelta(minutes=15)
    assert [line["event"] for line in logged] == ["channel_failed", "channel_needs_attention"]
    assert "aftersail channel renew shop" in logged[1]["detail"]
    assert [event.data["mend"] for event in desk.events("channel_attention")] == ["aftersail channel renew shop"]
    del SCRIPT["shop"]
    run_sync(app, "shop")
    assert desk.channel().attention is None
    assert desk.channel().failures == 0


@pytest.mark.parametrize(
    ("configured", "said"),
    [
        (ChannelSettings(connector="fragile"), "no such site"),
        (ChannelSettings(connector="scripte"), "did you mean 'scripted'?"),
        (ChannelSettings(connector="scripted", settings={"sight": "x"}), "did you mean 'site'?"),
        (ChannelSettings(connector="scripted", settings={"token": "abc"}), "aftersail channel renew shop"),
    ],
)
def test_a_channel_that_cannot_be_built_waits_for_a_person_and_hurts_no_other(desk, configured, said):
    app = desk.open(shop=configured, well=SCRIPTED)
    run_sync(app, "shop")
    run_sync(app, "well")
    assert said in desk.channel().attention
    assert "abc" not in desk.channel().attention
    assert desk.channel("well").synced_at == app.now()
    assert [channel.id for channel in app.channels.available()] == ["well"]


@pytest.mark.parametrize("error", [Invalid("it refuses"), RuntimeError("a defect of the connector")])
def test_any_other_error_keeps_the_channel_going(desk, clock, error):
    app = desk.open(shop=SCRIPTED)
    SCRIPT["shop"] = failing(error)
    run_sync(app, "shop")
    assert desk.channel().failures == 1
    assert desk.channel().due_at == clock.now() + timedelta(seconds=60)


def test_a_channel_that_is_not_configured_is_named(desk):
    app = desk.open(shop=SCRIPTED)
    with pytest.raises(ChannelConfigError, match="no channel 'shpo'"):
        app.channels.get("shpo")


def test_a_channel_taken_off_is_not_synced_and_comes_back(desk, clock):
    desk.open(shop=SCRIPTED, other=SCRIPTED).close()
    app = desk.open(other=SCRIPTED)
    assert (desk.channel().active, desk.channel().due_at) == (False, None)
    assert hand_over(app) == 1
    app.close()
    desk.open(shop=SCRIPTED, other=SCRIPTED)
    assert (desk.channel().active, desk.channel().due_at) == (True, clock.now())


def test_what_is_due_is_handed_over_once(desk, clock):
    app = desk.open(shop=SCRIPTED, well=SCRIPTED)
    sync_channel(app, "well")
    assert hand_over(app) == 1
    assert hand_over(app) == 0
    assert desk.channel().armed_at == clock.now()
    assert [job.args for job in app.jobs.list()] == [{"channel": "shop"}]


def test_a_sync_whose_job_is_over_is_armed_again(desk, clock, logged):
    app = desk.open(shop=SCRIPTED)
    hand_over(app)
    clock.advance(300)
    assert rescue_syncs(app) == 0, "its job still waits"
    (job,) = app.jobs.list()
    assert app.jobs.cancel(job.job_id) is JobState.CANCELLED
    assert rescue_syncs(app) == 1
    assert desk.channel().due_at == clock.now()
    assert [line["event"] for line in logged if line["log_level"] == "warning"] == ["sync_lost"]
    assert rescue_syncs(app) == 0


def test_a_sync_that_was_just_handed_over_is_not_rescued(desk, clock):
    app = desk.open(shop=SCRIPTED)
    with app.engine.begin() as conn:
        conn.execute(sa.update(tables.channel).values(due_at=None, armed_at=clock.now()))
    clock.advance(59)
    assert rescue_syncs(app) == 0
    clock.advance(2)
    assert rescue_syncs(app) == 1, "its job was pruned long ago"


def test_a_page_that_was_stored_stays_when_the_next_one_fails(desk):
    app = desk.open(shop=SCRIPTED)
    pages = iter([Page[Order](cursor="1", more=True)])

    def fetch():
        page = next(pages, None)
        if page is None:
            raise Unavailable("gone in the middle")
        return page

    SCRIPT["shop"] = fetch
    run_sync(app, "shop")
    with app.engine.connect() as conn:
        assert conn.scalar(sa.select(tables.cursor.c.value)) == "1"
    assert desk.channel().failures == 1
