"""What the daemon does for the audit log and for privacy, unasked."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from aftersail.core.desk.retention import PrivacySettings, RetentionRule
from aftersail.core.runtime.daemon import Daemon
from aftersail.core.runtime.settings import ChannelSettings
from aftersail.core.store import audit, tables
from aftersail.core.store.audit_check import verify
from aftersail.core.store.engine import reading
from tests.web.filling import Filling

SHOP = {"shop": ChannelSettings(connector="scripted")}


def reopen(desk, **channels):
    desk.app.close()
    return desk.open(**channels)


def run_until(app, met):
    """Run the daemon until something is so."""
    daemon, over = Daemon(app, poll_seconds=0.05), threading.Event()
    thread = threading.Thread(target=daemon.run)
    thread.start()
    try:
        for _ in range(600):
            if met() or not thread.is_alive():
                break
            over.wait(0.05)
    finally:
        daemon.stop()
        thread.join()
    assert met()


@pytest.mark.parametrize("compact", [False, True])
def test_the_daemon_forgets_what_is_due_and_seals_its_history(desk, clock, compact):
    app = desk.open(**SHOP)
    rule = RetentionRule(connector="scripted", after="delivered", days=30)
    privacy = PrivacySettings(retention=(rule,), compact=compact)
    app.settings = app.settings.model_copy(update={"privacy": privacy})
    filling = Filling(app.engine, clock.now())
    for number, days in (("old", 31), ("new", 29)):
        delivered = clock.now() - timedelta(days=days)
        filling.order("shop", external_id=number, number=number, delivered_at=delivered, buyer_name=f"Ada {number}")

    def forgotten():
        with reading(app.engine).connect() as conn:
            named = list(conn.scalars(sa.select(tables.orders.c.buyer_name).order_by(tables.orders.c.id)))
        return named == [None, "Ada new"]

    run_until(app, forgotten)
    found = verify(app.engine)
    assert (found.broken, found.unsealed) == (None, 0)
    (erased,) = desk.events(audit.ERASED)
    assert erased.data["rule"] == "30 days after delivered on scripted"


def test_settings_and_channels_are_written_down_before_and_after(desk):
    desk.open(**SHOP)
    reopen(desk, **SHOP)
    assert [row.data["before"] for row in desk.events("channel_set")] == [None]
    app = reopen(desk, shop=ChannelSettings(connector="scripted", poll_seconds=5))
    assert desk.events("channel_set")[-1].data == {"before": "scripted, every 60 s", "after": "scripted, every 5 s"}
    run_until(app, lambda: desk.events("settings_read"))
    app.settings = app.settings.model_copy(update={"pack": "hw-flat"})
    run_until(app, lambda: len(desk.events("settings_read")) == 2)
    first, second = desk.events("settings_read")
    assert (first.data["pack"], second.data["pack"]) == ("starter", "hw-flat")
    assert first.data["hash"] != second.data["hash"]
    reopen(desk)
    assert [row.channel for row in desk.events("channel_off")] == ["shop"]
