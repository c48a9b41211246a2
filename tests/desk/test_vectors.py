"""The numbered acceptance vectors on stored tickets: what a pack, messages, people and ticks make of their clocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from aftersail.core.clocks import Clock, ClockState, Metric, Outcome, figures
from aftersail.core.desk.agent import close_ticket, put_ticket
from aftersail.core.desk.clockwork import retarget, tick_clocks
from aftersail.core.desk.merging import merge_tickets
from aftersail.core.desk.moves import move_clocks
from aftersail.core.desk.recompute import recompute_clocks
from aftersail.core.desk.services import clock_pack
from aftersail.core.desk.tickets import TicketState
from aftersail.core.desk.views import targets_in_force
from aftersail.core.policy import PackLibrary
from aftersail.core.store import tables
from tests.builders import NOON, Desk, Script, letter, page
from tests.desk.test_clockwork import SELLER

MICROSECOND = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

PACK = """
id: vectors
version: {version}
title: What the vectors promise
effective_from: {begins}
currency: USD
calendars:
  desk: {{timezone: {zone}, hours: "{hours}", closed: [{closed}]}}
tiers:
  - {{tier: urgent, when: ticket.reason == "damaged"}}
  - {{tier: plain, when: true}}
targets:
  - id: urgent
    when: {{tier: urgent}}
    clocks:
      - {{metric: first_response, duration: 15m, basis: elapsed, warn: 30m}}
  - id: everyone
    clocks:
      - {{metric: first_response, duration: {first}, basis: business_time, calendar: desk, warn: 1h}}
      - {{metric: resolution, duration: 8h, basis: business_time, calendar: desk, warn: 1h}}
{more}
"""


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


MONDAY = at("2026-11-23 09:00")

Using = Callable[..., None]


@pytest.fixture
def using(desk: Desk, shop: Script, tmp_path: Path) -> Using:
    """Let the desk judge by a pack of this kind; called again, another version of it comes into force."""
    (tmp_path / "packs").mkdir()

    def use(version: int = 1, **said: Any) -> None:
        values = {"begins": "2020-01-01", "zone": "UTC", "hours": "Mo-Fr 09:00-17:00", "closed": "", "first": "8h"}
        text = PACK.format(version=version, **(values | {"more": ""} | said))
        (tmp_path / "packs" / f"{version}.yaml").write_text(text)
        library = PackLibrary([tmp_path / "packs"])
        desk.serve(replace(desk.services, packs=library, pack_id="vectors"))

    use()
    return use


def writes(desk: Desk, shop: Script, name: str, when: datetime, text: str = "Where is it?", **more: Any) -> None:
    """The buyer (or who is named) writes, and it is read at once."""
    desk.now = max(desk.now, when)
    values = {"thread_id": "t"} | more
    shop.messages.pages.append(page(letter(name, (when - NOON) / MINUTE, text, **values)))
    desk.sync()


def put(desk: Desk, state: TicketState, when: datetime, ticket: int = 1) -> None:
    desk.now = when
    assert desk.do(lambda unit: put_ticket(unit, desk.services, ticket, state, "ann"))


def ticks(desk: Desk, when: datetime) -> list[str]:
    desk.now = when
    with desk.unit() as unit:
        tick_clocks(unit)
        return [hook.removeprefix("aftersail_clock_") for hook, _ in unit.told()]


def stored(desk: Desk, metric: Metric, ticket: int = 1, **where: Any) -> list[Clock]:
    conditions = [tables.clock.c[name] == value for name, value in where.items()]
    rows = desk.rows(tables.clock, tables.clock.c.metric == metric, tables.clock.c.ticket == ticket, *conditions)
    for row in rows:
        clock = Clock.model_validate(row.body)
        assert (row.due_at, row.state, row.breached_at) == (clock.due_at, clock.state, clock.breached_at)
    return [Clock.model_validate(row.body) for row in rows]


def only(desk: Desk, metric: Metric, ticket: int = 1, **where: Any) -> Clock:
    (clock,) = stored(desk, metric, ticket, **where)
    return clock


def solution(desk: Desk) -> Clock:
    return only(desk, Metric.RESOLUTION)


def events(desk: Desk, kind: str) -> list[Any]:
    return [row for row in desk.rows(tables.event) if row.kind == kind]


PAUSES = "pause: {states: [need_info]}"


def test_vector_06_a_holiday_added_later_recomputes_and_logs(desk: Desk, shop: Script, using: Using) -> None:
    new_york = {"zone": "America/New_York", "first": "4h"}
    using(**new_york)
    writes(desk, shop, "m1", at("2026-11-25 21:00"))  # Wednesday 16:00 in New York
    thursday, friday = at("2026-11-26 17:00"), at("2026-11-27 17:00")
    assert only(desk, Metric.FIRST_RESPONSE).due_at == thursday
    added = at("2026-11-25 23:00")
    using(2, begins=added.isoformat(), closed="2026-11-26", **new_york)
    desk.now = added + MINUTE
    report = recompute_clocks(desk.engine, desk.services, lambda: desk.now, actor="ann")
    assert (report.tickets, report.done, report.clocks, report.moved, report.busy) == (1, 1, 2, 2, 0)
    again = only(desk, Metric.FIRST_RESPONSE)
    assert (again.due_at, again.warn_at, again.started_at) == (friday, friday - HOUR, at("2026-11-25 21:00"))
    (ticket,) = desk.rows(tables.ticket)
    assert (ticket.due_at, ticket.due_metric, ticket.pack_version) == (friday, "first_response", 1)
    (event,) = events(desk, "clocks_recomputed")
    (first, _) = event.data["clocks"]
    assert (event.actor, event.ticket, first["metric"]) == ("ann", 1, "first_response")
    assert (first["before"], first["after"]) == (thursday.isoformat(), friday.isoformat())
    assert recompute_clocks(desk.engine, desk.services, lambda: desk.now).moved == 0
    assert ticks(desk, thursday + MINUTE) == []
    assert ticks(desk, friday + MINUTE) == ["breached"]


@pytest.mark.parametrize(
    ("since", "until", "due"),
    [
        ("2026-11-23 12:00", "2026-11-24 11:00", "2026-11-24 17:00"),
        ("2026-11-23 18:00", "2026-11-24 08:00", "2026-11-24 10:00"),  # wholly while the desk is closed
    ],
)
def test_vector_16_a_pause_gives_back_business_time_only(
    desk: Desk, shop: Script, using: Using, since: str, until: str, due: str
) -> None:
    using(more=PAUSES)
    writes(desk, shop, "m1", at("2026-11-23 10:00"))
    put(desk, TicketState.NEED_INFO, at(since))
    assert solution(desk).state is ClockState.PAUSED
    assert only(desk, Metric.FIRST_RESPONSE).state is ClockState.RUNNING
    put(desk, TicketState.OPEN, at(until))
    assert solution(desk).due_at == at(due)


def test_vector_17_a_paused_clock_is_never_breached(desk: Desk, shop: Script, using: Using) -> None:
    using(more=PAUSES)
    writes(desk, shop, "m1", at("2026-11-23 10:00"))
    writes(desk, shop, "a1", at("2026-11-23 11:00"), "Which colour?", **SELLER)
    assert solution(desk).due_at == at("2026-11-24 10:00")
    assert ticks(desk, at("2026-11-24 09:15")) == ["warned"]
    put(desk, TicketState.NEED_INFO, at("2026-11-24 09:30"))
    assert desk.rows(tables.ticket)[0].due_at is None
    assert ticks(desk, at("2026-11-25 12:00")) == []
    writes(desk, shop, "m2", at("2026-11-26 09:30"), "The blue one")
    (ticket,) = desk.rows(tables.ticket)
    again = solution(desk)
    assert (ticket.state, again.due_at, again.breached_at) == ("open", at("2026-11-26 10:00"), None)


def test_vector_18_short_pauses_add_up(desk: Desk, shop: Script, using: Using) -> None:
    using(more=PAUSES)
    writes(desk, shop, "m1", MONDAY)
    before = solution(desk).due_at
    for since, until in (("10:00:10", "10:00:40"), ("10:00:50", "10:30:00")):
        put(desk, TicketState.NEED_INFO, at(f"2026-11-23 {since}"))
        put(desk, TicketState.OPEN, at(f"2026-11-23 {until}"))
    again = solution(desk)
    desk_hours = clock_pack(desk.services, desk.rows(tables.ticket)[0], desk.now).calendar("desk")
    assert desk_hours is not None
    assert desk_hours.open_time(before, again.due_at) == timedelta(minutes=29, seconds=40)
    assert figures(again, desk_hours, desk.now).paused == timedelta(minutes=29, seconds=40)


def test_vector_19_solved_straight_from_a_pause(desk: Desk, shop: Script, using: Using) -> None:
    using(more=PAUSES)
    writes(desk, shop, "m1", MONDAY)
    put(desk, TicketState.NEED_INFO, at("2026-11-23 10:00"))
    desk.now = at("2026-11-24 10:00")
    assert desk.do(lambda unit: close_ticket(unit, 1, "ann"))
    done = solution(desk)
    told = figures(done, clock_pack(desk.services, desk.rows(tables.ticket)[0], desk.now).calendar("desk"), desk.now)
    assert (done.state, told.used, told.outcome) == (ClockState.MET, HOUR, Outcome.IN_TIME)


@pytest.mark.parametrize(("late", "breached"), [(timedelta(0), False), (MICROSECOND, True)])
def test_vector_20_the_due_instant_is_in_time(
    desk: Desk, shop: Script, using: Using, late: timedelta, *, breached: bool
) -> None:
    using(first="1h")
    writes(desk, shop, "m1", at("2026-11-23 11:00"))
    writes(desk, shop, "a1", at("2026-11-23 12:00") + late, **SELLER)
    met = only(desk, Metric.FIRST_RESPONSE)
    assert (met.state, met.breached_at) == (ClockState.MET, at("2026-11-23 12:00") if breached else None)


def test_vector_21_a_late_reply_between_two_ticks(desk: Desk, shop: Script, using: Using) -> None:
    using(first="1h")
    writes(desk, shop, "m1", at("2026-11-23 11:00"))
    assert ticks(desk, at("2026-11-23 11:59")) == ["warned"]
    writes(desk, shop, "a1", at("2026-11-23 12:02"), **SELLER)
    assert ticks(desk, at("2026-11-23 12:05")) == ["breached"]
    assert ticks(desk, at("2026-11-23 12:06")) == []
    late = only(desk, Metric.FIRST_RESPONSE)
    assert (late.breached_at, late.detected_at) == (at("2026-11-23 12:00"), at("2026-11-23 12:05"))
    told = figures(late, clock_pack(desk.services, desk.rows(tables.ticket)[0], desk.now).calendar("desk"), desk.now)
    assert (told.late_by, told.late_by_open, told.outcome) == (2 * MINUTE, 2 * MINUTE, Outcome.LATE)


def test_vector_22_after_downtime_no_stale_warning(desk: Desk, shop: Script, using: Using) -> None:
    using(first="1h")
    writes(desk, shop, "m1", at("2026-11-23 11:00"))
    assert ticks(desk, at("2026-11-23 15:00")) == ["breached"]
    late = only(desk, Metric.FIRST_RESPONSE)
    assert (late.breached_at, late.detected_at) == (at("2026-11-23 12:00"), at("2026-11-23 15:00"))
    assert late.warned_at is None
    assert events(desk, "clock_warned") == []


@pytest.mark.parametrize("owner", [None, "ann"])
def test_vector_23_f13_one_warning_at_the_start_to_the_agent_and_the_manager(
    desk: Desk, shop: Script, using: Using, owner: str | None
) -> None:
    writes(desk, shop, "m1", MONDAY, "It arrived broken")
    desk.do(lambda unit: unit.conn.execute(sa.update(tables.ticket).values(owner=owner)))
    desk.now = MONDAY
    with desk.unit() as unit:
        tick_clocks(unit)
        ((hook, event),) = unit.told()
    assert (hook, event.recipients) == ("aftersail_clock_warned", (owner or "team lead", "manager"))
    assert ticks(desk, MONDAY + MINUTE) == []
    (warned,) = events(desk, "clock_warned")
    assert warned.data["recipients"] == [owner or "team lead", "manager"]


@pytest.mark.parametrize(
    "text", ["Thanks!", "Vielen Dank!!", "ありがとうございます。", "Thank you very much 🙏 Best regards"]
)
def test_vector_25_thanks_after_the_end_open_no_clock(desk: Desk, shop: Script, using: Using, text: str) -> None:
    writes(desk, shop, "m1", MONDAY)
    writes(desk, shop, "a1", MONDAY + HOUR, **SELLER)
    desk.now = MONDAY + 2 * HOUR
    desk.do(lambda unit: close_ticket(unit, 1, "ann"))
    writes(desk, shop, "m2", MONDAY + 3 * HOUR, text)
    assert desk.rows(tables.ticket)[0].state == "closed"
    assert desk.rows(tables.clock, tables.clock.c.state == "running") == []
    writes(desk, shop, "m3", MONDAY + 4 * HOUR, "Thanks, but it is broken again")
    (again,) = stored(desk, Metric.NEXT_RESPONSE)
    assert (desk.rows(tables.ticket)[0].state, again.started_at) == ("open", MONDAY + 4 * HOUR)


@pytest.mark.parametrize(
    ("mode", "due"),
    [("resume", "2026-11-25 17:00"), ("restart", "2026-11-26 12:00"), ("none", None), (None, "2026-11-25 17:00")],
)
def test_vector_26_reopened_after_the_end(
    desk: Desk, shop: Script, using: Using, mode: str | None, due: str | None
) -> None:
    using(more=f"reopen: {mode}" if mode else "")
    writes(desk, shop, "m1", MONDAY)
    desk.now = at("2026-11-23 12:00")
    desk.do(lambda unit: close_ticket(unit, 1, "ann"))
    assert solution(desk).met_at == desk.now
    writes(desk, shop, "m2", at("2026-11-25 12:00"), "It happened again")
    running = [clock.due_at for clock in stored(desk, Metric.RESOLUTION, state="running")]
    assert running == ([at(due)] if due else [])
    assert len(stored(desk, Metric.RESOLUTION)) == (2 if mode == "restart" else 1)
    assert [row.data["mode"] for row in events(desk, "clocks_reopened")] == ([mode or "resume"] if due else [])
    assert ticks(desk, at("2026-11-25 12:01")) == []


def test_vector_26_f05_a_tier_raised_later_leaves_what_is_met(desk: Desk, shop: Script, using: Using) -> None:
    using(first="4h")
    writes(desk, shop, "m1", MONDAY)
    writes(desk, shop, "a1", MONDAY + 3 * HOUR, **SELLER)
    before = only(desk, Metric.FIRST_RESPONSE)
    desk.now = MONDAY + 4 * HOUR
    pack = clock_pack(desk.services, desk.rows(tables.ticket)[0], desk.now)
    faster = [target.model_copy(update={"duration": target.duration / 2}) for target in targets_in_force_of(desk)]
    desk.do(lambda unit: retarget(unit, 1, faster, pack))
    assert only(desk, Metric.FIRST_RESPONSE) == before
    assert solution(desk).due_at == MONDAY + 4 * HOUR
    (event,) = events(desk, "clocks_retargeted")
    (changed,) = event.data["clocks"]
    assert (changed["metric"], changed["before"]) == ("resolution", (MONDAY + 8 * HOUR).isoformat())
    assert changed["after"] == (MONDAY + 4 * HOUR).isoformat()


def targets_in_force_of(desk: Desk) -> tuple[Any, ...]:
    with desk.engine.connect() as conn:
        return targets_in_force(conn, 1)


def test_vector_27_the_version_of_the_first_message_holds_for_good(desk: Desk, shop: Script, using: Using) -> None:
    using(2, begins="2026-12-01", first="2h")
    second = at("2026-11-30 23:59:59")
    writes(desk, shop, "m1", second)
    writes(desk, shop, "m2", second + timedelta(seconds=1), thread_id="other")
    versions = [(row.pack_version, row.filed_at) for row in desk.rows(tables.ticket)]
    assert versions == [(1, second), (2, second + timedelta(seconds=1))]
    writes(desk, shop, "m1", second, "Where is my parcel?", revision=1)
    assert desk.rows(tables.ticket)[0].pack_version == 1
    dues = [only(desk, Metric.FIRST_RESPONSE, ticket).due_at for ticket in (1, 2)]
    assert dues == [at("2026-12-01 17:00"), at("2026-12-01 11:00")]


@pytest.mark.parametrize("mode", ["keep", "restart"])
def test_vector_28_another_team_is_never_late_at_once(desk: Desk, shop: Script, using: Using, mode: str) -> None:
    using(more=f"team_move: {mode}")
    writes(desk, shop, "m1", MONDAY)
    kept = only(desk, Metric.FIRST_RESPONSE)
    moved = desk.now = MONDAY + 3 * HOUR
    pack = clock_pack(desk.services, desk.rows(tables.ticket)[0], moved)
    quick = [
        target.model_copy(update={"duration": 15 * MINUTE, "warn_lead": None}) for target in targets_in_force_of(desk)
    ]
    desk.do(lambda unit: move_clocks(unit, 1, quick, pack, team="repairs", actor="ann"))
    assert ticks(desk, moved + MICROSECOND) == []
    (event,) = events(desk, "clocks_moved")
    assert (event.data["team"], event.data["mode"], event.actor) == ("repairs", mode, "ann")
    first = stored(desk, Metric.FIRST_RESPONSE)
    if mode == "keep":
        assert first == [kept]
    else:
        assert [(clock.state, clock.started_at, clock.breached_at) for clock in first] == [
            (ClockState.CANCELLED, MONDAY, None),
            (ClockState.RUNNING, moved, None),
        ]
        assert first[1].due_at == moved + 15 * MINUTE == desk.rows(tables.ticket)[0].due_at
        assert [change["anew"] for change in event.data["clocks"]] == [True, True]


def test_vector_28_a_target_that_would_be_over_counts_from_its_change(desk: Desk, shop: Script, using: Using) -> None:
    writes(desk, shop, "m1", MONDAY)
    changed = desk.now = MONDAY + 3 * HOUR
    pack = clock_pack(desk.services, desk.rows(tables.ticket)[0], changed)
    quick = [target.model_copy(update={"duration": 15 * MINUTE}) for target in targets_in_force_of(desk)]
    desk.do(lambda unit: retarget(unit, 1, quick, pack))
    assert [clock.state for clock in stored(desk, Metric.FIRST_RESPONSE)] == [ClockState.CANCELLED, ClockState.RUNNING]
    assert only(desk, Metric.FIRST_RESPONSE, state="running").due_at == changed + 15 * MINUTE
    assert "breached" not in ticks(desk, changed + MINUTE)


def test_vector_29_a_merged_ticket_leaves_its_earliest_unanswered_time(desk: Desk, shop: Script, using: Using) -> None:
    writes(desk, shop, "m1", MONDAY + HOUR, thread_id="one", respond_by=MONDAY + 20 * HOUR)
    writes(desk, shop, "m2", MONDAY + 2 * HOUR, thread_id="two")
    desk.now = MONDAY + 3 * HOUR
    desk.do(lambda unit: merge_tickets(unit, desk.services, 1, 2, "ann"))
    ended = desk.rows(tables.clock, tables.clock.c.ticket == 1)
    assert {row.state for row in ended} == {"merged"}
    assert [row.next_at for row in ended] == [None] * 3
    waits = only(desk, Metric.FIRST_RESPONSE, ticket=2, state="running")
    assert (waits.started_at, waits.due_at) == (MONDAY + HOUR, at("2026-11-24 10:00"))
    assert only(desk, Metric.PLATFORM_DEADLINE, ticket=2).due_at == MONDAY + 20 * HOUR
    assert only(desk, Metric.RESOLUTION, ticket=2).started_at == MONDAY + 2 * HOUR
    one, two = desk.rows(tables.ticket)
    assert (one.state, one.due_at, two.state, two.filed_at) == ("merged", None, "open", MONDAY + HOUR)
    assert (two.due_at, two.due_metric) == (MONDAY + 20 * HOUR, "platform_deadline")
    writes(desk, shop, "a1", MONDAY + 4 * HOUR, thread_id="one", **SELLER)
    assert [clock.met_at for clock in stored(desk, Metric.FIRST_RESPONSE, ticket=2, state="met")] == [MONDAY + 4 * HOUR]
    assert {row.ticket for row in desk.rows(tables.message)} == {2}
    assert desk.rows(tables.ticket)[1].state == "waiting"


def test_vector_30_the_earliest_due_counts_and_names_its_source(desk: Desk, shop: Script, using: Using) -> None:
    amazon = """
  - id: amazon
    source: {kind: marketplace, name: amazon}
    clocks: [{metric: first_response, duration: 24h, basis: elapsed}]
"""
    using(zone="Asia/Shanghai", hours="Mo-Fr 09:00-18:00", first="4h", more=amazon)
    writes(desk, shop, "m1", at("2026-11-20 09:30"))  # Friday 17:30 in Shanghai
    own, theirs = stored(desk, Metric.FIRST_RESPONSE)
    assert {own.due_at, theirs.due_at} == {at("2026-11-23 04:30"), at("2026-11-21 09:30")}
    (ticket,) = desk.rows(tables.ticket)
    assert (ticket.due_at, ticket.due_source) == (at("2026-11-21 09:30"), "marketplace: amazon")


def test_vector_32_of_100_000_open_clocks_a_tick_touches_only_what_is_due(
    desk: Desk, shop: Script, using: Using
) -> None:
    using(first="4h")
    writes(desk, shop, "m1", MONDAY)
    first = min(desk.rows(tables.clock), key=lambda row: row.next_at)
    numbers = sa.select(sa.literal(1).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(sa.select(numbers.c.n + 1).where(numbers.c.n < 100_000))
    names = ("ticket", "metric", "state", "started_at", "source", "body")
    columns = [tables.clock.c[name] for name in names]
    later = sa.type_coerce(tables.clock.c.due_at, sa.BigInteger) + 86_400_000_000 + numbers.c.n
    query = sa.select(*columns, later, later).where(tables.clock.c.id == first.id)
    desk.do(
        lambda unit: unit.conn.execute(
            sa.insert(tables.clock).from_select(
                [*names, "due_at", "next_at"], query.select_from(sa.join(tables.clock, numbers, sa.true()))
            )
        )
    )
    with desk.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.exec_driver_sql("ANALYZE clock")
    said: list[tuple[str, Any]] = []
    sa.event.listen(desk.engine, "before_cursor_execute", lambda *run: said.append((run[2], run[3])))
    desk.now = first.next_at
    assert desk.do(tick_clocks) == 1
    touched = [(text, values) for text, values in said if " clock " in f"{text} "]
    (looked_up,) = [(text, values) for text, values in touched if text.lstrip().startswith("SELECT")]
    assert len([text for text, _ in touched if text.startswith("UPDATE clock")]) == 1
    explain = "EXPLAIN QUERY PLAN " if desk.engine.dialect.name == "sqlite" else "EXPLAIN "
    with desk.engine.connect() as conn:
        plan = " ".join(str(row) for row in conn.exec_driver_sql(explain + looked_up[0], looked_up[1]))
    assert "ix_clock_next_at_due" in plan
    assert "Seq Scan" not in plan
