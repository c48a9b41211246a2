"""The report of one calendar month: what buyers wrote about, how fast it was solved, what was paid back, by whom."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from typing import Final

import sqlalchemy as sa

from aftersail.core.contract import Instant, Money, Record
from aftersail.core.insight.figures import Figures, exact_money, figures
from aftersail.core.insight.kpis import Calendars, KpiReport, Kpis, kpi_report
from aftersail.core.insight.measures import Share, Times
from aftersail.core.insight.watch import Alarm, alarms
from aftersail.core.remedies import RemedyKind, RemedyState
from aftersail.core.store import tables

_MONTH: Final = re.compile(r"(?P<year>\d{4})-(?P<month>0[1-9]|1[0-2])")
_DECEMBER: Final = 12
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class MonthError(ValueError):
    """No such month can be reported; the text says why."""


class TypeLine(Record):
    """One reason's part of the month.

    Attributes:
        share: of all tickets filed in the month.
        month_before: how many were filed in the month before.
    """

    reason: str
    share: Share
    month_before: int


class RefundLine(Record):
    """What was booked for one reason in one currency; amounts of different currencies are never added up."""

    reason: str
    count: int
    total: Money


class AgentLine(Record):
    """What left the house by one agent's word.

    Attributes:
        agent: who approved it; `automation` where a rule did.
        answers: answers the channels took.
        refunds: refunds the platforms booked.
    """

    agent: str
    answers: int
    refunds: int


class MonthReport(Record):
    """One month.

    Attributes:
        month: such as `2026-11`.
        zone: whose midnight begins and ends it.
        complete: False where the month is not over: then everything counts until now.
        kpis: with the average handling by reason, channel, tier and agent.
    """

    month: str
    zone: str
    since: Instant
    until: Instant
    complete: bool
    figures: Figures
    types: tuple[TypeLine, ...]
    kpis: KpiReport
    refunds: tuple[RefundLine, ...]
    agents: tuple[AgentLine, ...]
    alarms: tuple[Alarm, ...]


def month_report(
    conn: sa.Connection, month: str, now: datetime, calendars: Calendars, zone: tzinfo = UTC
) -> MonthReport:
    """Report the month that is written `2026-11`, by the wall clock of a time zone.

    Raises:
        MonthError: that is no month, or it has not begun.
    """
    since, end, before = _bounds(month, zone)
    if now <= since:
        raise MonthError(f"{month} has not begun yet")
    until = min(end, now)
    counted = figures(conn, since, until)
    last = figures(conn, before, since).by_reason
    reasons = [*counted.by_reason, *sorted(set(last) - set(counted.by_reason))]
    types = (
        TypeLine(
            reason=reason,
            share=Share.make(counted.by_reason.get(reason, 0), counted.tickets),
            month_before=last.get(reason, 0),
        )
        for reason in reasons
    )
    return MonthReport(
        month=month,
        zone=str(zone),
        since=since,
        until=until,
        complete=until == end,
        figures=counted,
        types=tuple(types),
        kpis=kpi_report(conn, since, until, calendars),
        refunds=_refunds(conn, since, until),
        agents=_agents(conn, since, until),
        alarms=alarms(conn, since, until),
    )


def _bounds(month: str, zone: tzinfo) -> tuple[datetime, datetime, datetime]:
    found = _MONTH.fullmatch(month)
    if found is None or int(found["year"]) in {0, 1, 9999}:
        raise MonthError(f"{month!r} is no month; write year and month: 2026-11")
    year, number = int(found["year"]), int(found["month"])
    after = (year + 1, 1) if number == _DECEMBER else (year, number + 1)
    before = (year - 1, _DECEMBER) if number == 1 else (year, number - 1)
    since, until, earlier = (
        datetime(*each, 1, tzinfo=zone).astimezone(UTC) for each in ((year, number), after, before)
    )
    return since, until, earlier


def _refunds(conn: sa.Connection, since: datetime, until: datetime) -> tuple[RefundLine, ...]:
    remedy, ticket = tables.remedy, tables.ticket
    paid = sa.func.sum(sa.func.coalesce(remedy.c.booked, remedy.c.amount), type_=remedy.c.amount.type).label("paid")
    number = sa.func.count().label("number")
    joined = remedy.join(ticket, remedy.c.ticket == ticket.c.id)
    rows = conn.execute(
        sa.select(ticket.c.reason, remedy.c.currency, number, paid)
        .select_from(joined)
        .where(remedy.c.kind == RemedyKind.REFUND, *_settled(since, until))
        .group_by(ticket.c.reason, remedy.c.currency)
        .order_by(remedy.c.currency, paid.desc(), ticket.c.reason)
    )
    return tuple(
        RefundLine(reason=row.reason, count=row.number, total=exact_money(row.paid, row.currency)) for row in rows
    )


def _agents(conn: sa.Connection, since: datetime, until: datetime) -> tuple[AgentLine, ...]:
    remedy = tables.remedy
    agent = remedy.c.approved_by
    answers = sa.func.count().filter(remedy.c.kind == RemedyKind.REPLY).label("answers")
    refunds = sa.func.count().filter(remedy.c.kind == RemedyKind.REFUND).label("refunds")
    rows = conn.execute(
        sa.select(agent, answers, refunds)
        .where(agent.is_not(None), *_settled(since, until))
        .group_by(agent)
        .order_by(answers.desc(), agent)
    )
    return tuple(AgentLine(agent=row.approved_by, answers=row.answers, refunds=row.refunds) for row in rows)


def _settled(since: datetime, until: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    remedy = tables.remedy
    return remedy.c.state == RemedyState.SETTLED, remedy.c.settled_at >= since, remedy.c.settled_at < until


# -- as a table --------------------------------------------------------------------------------------------------------

CSV_HEAD: Final = ("section", "name", "figure", "value", "unit")


def csv_rows(report: MonthReport) -> Iterator[tuple[str, str, str, str, str]]:
    """Write the report as one long table; what a spreadsheet would take for a formula becomes text."""
    for line in report.types:
        yield from _rows("type", line.reason, ("tickets", line.share.count, "tickets"))
        yield from _rows("type", line.reason, ("share", line.share.percent, "percent"))
        yield from _rows("type", line.reason, ("month_before", line.month_before, "tickets"))
    for refund in report.refunds:
        yield from _rows("refund", refund.reason, ("count", refund.count, "refunds"))
        yield from _rows("refund", refund.reason, ("total", refund.total.amount, refund.total.currency))
    for agent in report.agents:
        yield from _rows("agent", agent.agent, ("answers", agent.answers, "answers"))
        yield from _rows("agent", agent.agent, ("refunds", agent.refunds, "refunds"))
    kpis = report.kpis
    yield from _kpi_rows("kpi", "all", kpis.whole)
    for name in ("channel", "reason", "agent", "tier"):
        for value, each in getattr(kpis, f"by_{name}").items():
            yield from _kpi_rows(f"kpi by {name}", value, each)
    for alarm in report.alarms:
        yield from _rows("alarm", alarm.subject, (alarm.metric, alarm.raised_at.isoformat(), alarm.why))


def _kpi_rows(section: str, name: str, kpis: Kpis) -> Iterator[tuple[str, str, str, str, str]]:
    measured: list[tuple[str, Times]] = [
        ("first_response_elapsed", kpis.first_response.elapsed),
        ("first_response_business", kpis.first_response.business),
        ("solve_elapsed", kpis.solve.elapsed),
        ("solve_business", kpis.solve.business),
    ]
    for figure, times in measured:
        yield from _rows(section, name, (f"{figure}_count", times.count, "tickets"))
        yield from _rows(section, name, (f"{figure}_average", times.average_seconds, "seconds"))
        yield from _rows(section, name, (f"{figure}_within_goal", times.within.percent, "percent"))
    yield from _rows(section, name, ("one_touch", kpis.one_touch.percent, "percent"))
    yield from _rows(section, name, ("first_contact", kpis.first_contact.percent, "percent"))
    yield from _rows(section, name, ("csat", kpis.csat.satisfied.percent, "percent"))
    yield from _rows(section, name, ("nps", kpis.nps.score, "points"))
    for metric, count in kpis.breaches.items():
        yield from _rows(section, name, (f"breaches_{metric}", count, "clocks"))


def _rows(section: str, name: str, row: tuple[str, object, str]) -> Iterator[tuple[str, str, str, str, str]]:
    figure, value, unit = row
    safe = f"'{name}" if name.startswith(_FORMULA) else name
    yield section, safe, figure, "" if value is None else str(value), unit
