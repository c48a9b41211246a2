"""The daemon counts clocks again by itself once other opening hours hold."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from aftersail.core.clocks import Basis, Metric, Source, SourceKind, Target, start
from aftersail.core.desk.clock_rows import columns
from aftersail.core.jobs import PostponeJobError
from aftersail.core.runtime import recounting
from aftersail.core.runtime.app import App
from aftersail.core.runtime.daemon import Daemon
from aftersail.core.runtime.recounting import Recounting
from aftersail.core.runtime.settings import Settings
from aftersail.core.store import tables
from aftersail.core.store.engine import reading
from tests.runtime.test_packs import put_in_force
from tests.web.filling import Filling

HOURS = "Mo-Su 08:00-22:00"
BEGINS = "effective_from: 2023-11-01"
TARGET = Target(
    metric=Metric.RESOLUTION,
    duration=timedelta(hours=12),
    basis=Basis.BUSINESS_TIME,
    calendar="desk",
    source=Source(kind=SourceKind.OWN, name="own"),
    row="all",
)


@pytest.fixture
def app(desk, tmp_path):
    folder = tmp_path / "packs"
    folder.mkdir()
    with App(Settings(database=desk.url, packs=folder), tmp_path, plugins=False, now=desk.clock.now) as opened:
        yield opened


def other_hours(app, tmp_path, version, hours, begins):
    """Put a version in force whose desk is open at other hours."""
    put_in_force(app, tmp_path, version, **{HOURS: hours, BEGINS: f"effective_from: {begins.isoformat()}"})
    app.refresh_packs()


def jobs(app):
    return app.jobs.list(job=recounting.JOB)


def tickets(app, count):
    """Open some tickets, each with a running clock."""
    filling = Filling(app.engine, app.now())
    filling.channel("shop", active=False, due_at=None)
    first = filling.ticket()
    clock = start(TARGET, app.packs.in_force("starter", app.now()).calendar("desk"), app.now())
    table = tables.ticket
    with app.engine.begin() as conn:
        row = dict(conn.execute(sa.select(table).where(table.c.id == first)).one()._mapping)
        row |= {"due_at": clock.due_at, "pack_id": "starter", "pack_version": 1, "filed_at": app.now()}
        conn.execute(sa.update(table).where(table.c.id == first).values(due_at=clock.due_at, pack_version=1))
        if count > 1:
            conn.execute(sa.insert(table), [row | {"id": first + number} for number in range(1, count)])
        conn.execute(sa.insert(tables.clock), [columns(clock) | {"ticket": first + each} for each in range(count)])
    return clock


def due_times(app):
    with reading(app.engine).connect() as conn:
        return list(conn.scalars(sa.select(tables.clock.c.due_at).order_by(tables.clock.c.id)))


def history(app):
    with reading(app.engine).connect() as conn:
        table = tables.event
        return list(conn.scalars(sa.select(table.c.ticket).where(table.c.kind == "clocks_recomputed")))


def test_clocks_are_counted_again_once_whenever_other_hours_hold(app, tmp_path, clock):
    """Not for a version that says the same, not before its time, and again for the way back."""
    daemon = Daemon(app)
    counted = []

    def tick():
        clock.advance(1)
        daemon._tick(app.now())
        counted.append(len(jobs(app)))

    tick()
    tick()
    put_in_force(app, tmp_path, 2)
    tick()
    other_hours(app, tmp_path, 3, "Mo-Fr 08:00-22:00", app.now() + timedelta(hours=1))
    tick()
    clock.advance(3600)
    tick()
    tick()
    other_hours(app, tmp_path, 4, HOURS, app.now() + timedelta(seconds=1))
    tick()
    assert counted == [1, 1, 1, 1, 2, 2, 3]
    assert Recounting(app, lambda: False).hand_over() is False  # another process finds it done


def test_a_holiday_more_by_a_release_of_the_library_counts_too(app, monkeypatch):
    assert Recounting(app, lambda: False).hand_over() is True
    assert Recounting(app, lambda: False).hand_over() is False
    monkeypatch.setattr(recounting, "version", lambda name: {"holidays": "99.0"}[name])
    assert Recounting(app, lambda: False).hand_over() is True


def test_what_is_left_when_the_process_ends_is_done_by_the_next_one(app, tmp_path, clock, logged):
    before = tickets(app, 450).due_at
    clock.advance(60)
    other_hours(app, tmp_path, 2, "Mo-Su 10:00-20:00", app.now())
    with pytest.raises(PostponeJobError):
        Recounting(app, lambda: True).run()
    moved = sum(due != before for due in due_times(app))
    assert 0 < moved < 450
    assert len(history(app)) == moved
    Recounting(app, lambda: False).run()
    assert before not in due_times(app)
    assert len(set(due_times(app))) == 1
    assert sorted(history(app)) == sorted(set(history(app)))
    assert len(history(app)) == 450
    (told,) = [line for line in logged if line["event"] == "clocks_recomputed"]
    assert (told["tickets"], told["clocks"], told["moved"]) == (450, 450, 450 - moved)


def test_the_daemon_does_it(app, tmp_path, clock):
    before = tickets(app, 1).due_at
    clock.advance(60)
    other_hours(app, tmp_path, 2, "Mo-Su 10:00-20:00", app.now())
    Recounting(app, lambda: False).hand_over()
    Daemon(app, poll_seconds=0.05).run(until_idle=True)
    (after,) = due_times(app)
    assert after > before
    (job,) = jobs(app)
    assert job.state == "done"
