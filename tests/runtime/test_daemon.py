"""The daemon as a process: it stops when told, and one database has one of it."""

from __future__ import annotations

import re
import signal
import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from aftersail.core.contract import Money, RefundRequest
from aftersail.core.policy import PackError
from aftersail.core.runtime.app import App
from aftersail.core.runtime.daemon import Daemon, DaemonError, Role
from aftersail.core.runtime.secrets import SecretStore
from aftersail.core.runtime.settings import ChannelSettings, Settings
from aftersail.core.store import tables
from aftersail.core.store.engine import reading
from tests.faults.shop import TOKEN, open_shop
from tests.web.filling import Filling


def wait_for(shop, daemon, text, seconds=40):
    """Wait until the daemon's log says something, or the daemon has ended."""
    over = threading.Event()
    for _ in range(int(seconds * 20)):
        if (shop.config.parent / "daemon.log").exists() and text in shop.log():
            return
        assert daemon.poll() is None, shop.log()
        over.wait(0.05)
    raise AssertionError(shop.log())


def test_one_daemon_per_database_and_it_stops_when_told(tmp_path):
    with open_shop(tmp_path) as shop:
        first = shop.start()
        try:
            wait_for(shop, first, "daemon_started")
            second = shop.start()
            assert second.wait(40) == 1
            log = shop.log()
            assert re.search(rf"Error: another aftersail daemon \(pid {first.pid}\) runs on .*aftersail\.db", log)
            assert f"kill {first.pid}" in log
            first.send_signal(signal.SIGTERM)
            assert first.wait(10) == 0
        finally:
            first.kill()
            first.wait()
        assert "daemon_stopped" in shop.log()
        assert "Traceback" not in shop.log()


def test_no_secret_comes_to_the_log(tmp_path):
    with open_shop(tmp_path) as shop:
        shop.mail.change_password("another")
        SecretStore(tmp_path).put("shop", {"access_token": SecretStr("shpat_wrong")})
        shop.run_until_idle()
        log = shop.log()
        assert log.count("channel_needs_attention") == 2
        assert "aftersail channel renew mail" in log
        assert "aftersail channel renew shop" in log
        for secret in ("correct horse", "another\n", "shpat_wrong", TOKEN):
            assert secret not in log


def test_a_broken_pack_is_told_before_any_work_begins(desk, tmp_path):
    app = desk.open(shop=ChannelSettings(connector="scripted"))
    (tmp_path / "mine.yaml").write_text("id: starter2\nversion: one\n")
    app.settings = app.settings.model_copy(update={"packs": tmp_path, "pack": "starter2"})
    with pytest.raises(PackError, match=r"mine\.yaml:2:10: "):
        Daemon(app).run(until_idle=True)
    assert desk.channel().synced_at is None


@pytest.mark.parametrize("connector", ["fragile", "gone"])
def test_a_refund_whose_channel_cannot_be_built_waits_and_says_why(desk, clock, connector):
    app = desk.open(shop=ChannelSettings(connector=connector))
    filling = Filling(app.engine, clock.now())
    ticket = filling.ticket()
    amount = Money.of("5.00", "EUR")
    body = RefundRequest(key="k1", order_id="o-1", amount=amount, planned_at=clock.now()).model_dump(mode="json")
    values = {"amount": amount.amount, "currency": "EUR", "body": body, "why": "broken", "planned_at": clock.now()}
    filling.remedy(ticket, "k1", **values, state="approved", approved_by="ada", approved_at=clock.now())
    app.outbox.work("k1")
    with reading(app.engine).connect() as conn:
        row = conn.execute(sa.select(tables.remedy)).one()
    assert row.state == "approved"
    assert row.next_at is not None
    assert row.next_at > clock.now()
    assert row.next_at <= clock.now() + timedelta(hours=1)
    assert row.detail
    assert desk.channel().attention


def test_f13_the_daemon_looks_at_the_figures_every_five_minutes(desk, clock):
    app = desk.open()
    filling = Filling(app.engine, clock.now())
    filling.channel("shop", active=False, due_at=None)
    for _ in range(10):
        answered = {"asked_at": clock.now(), "answered_at": clock.now() - timedelta(minutes=1), "score": 1}
        filling.add(tables.survey, ticket=filling.ticket(state="closed"), kind="csat", **answered)
    daemon = Daemon(app)
    seen = []
    for _ in range(7):
        daemon._tick(clock.now())
        with reading(app.engine).connect() as conn:
            (row,) = conn.execute(sa.select(tables.alarm.c.metric, tables.alarm.c.seen_at))
        seen.append((row.metric, row.seen_at))
        clock.advance(60)
    assert len(desk.events("alarm_raised")) == 1
    first = seen[0][1]
    assert seen == [("satisfaction", first)] * 5 + [("satisfaction", first + timedelta(minutes=5))] * 2


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ALL])
def test_a_role_of_a_fleet_is_refused_on_sqlite(tmp_path, role):
    with App(Settings(database=f"sqlite:///{tmp_path}/desk.db"), tmp_path, plugins=False) as app:
        app.migrate()
        with pytest.raises(DaemonError, match="needs PostgreSQL; run without --role"):
            Daemon(app, role=role).run()
