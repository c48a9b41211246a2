"""The desk's key figures over a window: how fast, how well, and what buyers say of it.

One pass over the tickets that were first answered or solved in the window gives the whole and every division of it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core.clocks import Calendar, Clock, ClockState, Metric
from aftersail.core.contract import Direction, Instant, MessageKind, Record
from aftersail.core.desk.surveys import SurveyKind
from aftersail.core.insight.figures import UNGRADED
from aftersail.core.insight.measures import Share, Times, TimesSum
from aftersail.core.insight.solved import solved_within
from aftersail.core.policy import PackLibrary, PackNotFoundError
from aftersail.core.remedies import RemedyKind
from aftersail.core.store import tables

FIRST_RESPONSE_GOAL: Final = timedelta(hours=4)
SOLVE_GOAL: Final = timedelta(hours=48)
ONE_TOUCH_GOAL: Final = 85
"""Percent; more than this."""

UNOWNED: Final = "nobody"
"""Under which name tickets without an owner are counted."""

_SATISFIED: Final = 4
_PROMOTER: Final = 9
_PASSIVE: Final = 7
_TENTH: Final = Decimal("0.1")

Calendars = Callable[[str, int, str], Calendar | None]
"""Gives the calendar of a pack's version by its id; None where that pack is not there any more."""


class Measured(Record):
    """One span between two events of a ticket, in two measures that are never mixed.

    Attributes:
        elapsed: on the wall clock, closed hours and pauses included.
        business: open time of the calendar that the ticket's own clock names, without its pauses; only tickets whose
            clock names a calendar are counted.
    """

    elapsed: Times
    business: Times


class Satisfaction(Record):
    """What buyers answered in the window.

    Attributes:
        satisfied: 4 or 5 of 5.
        average: of 1 to 5, rounded half up to a tenth; None where nobody answered.
    """

    satisfied: Share
    average: Decimal | None


class Promoters(Record):
    """Would buyers recommend the shop.

    Attributes:
        promoters: 9 and 10.
        detractors: 0 to 6.
        score: percent of promoters less percent of detractors, -100 to 100; None where nobody answered.
    """

    answers: int
    promoters: int
    detractors: int
    score: Decimal | None


class Kpis(Record):
    """Key figures of one group of tickets.

    Attributes:
        first_response: from filing to the first answer, of tickets first answered in the window. A mere
            acknowledgement is no answer. `within` is under 4 hours.
        solve: from filing to the solution, of tickets resolved or closed in the window and not opened again: one that
            was opened again counts once, at its last solution. `within` is under 48 hours.
        one_touch: solved with exactly one answer, of those solved with any. What was solved without an answer counts
            in neither.
        first_contact: solved without another word of the buyer after the first answer, of the same.
        breaches: clocks whose due instant passed unmet in the window, by metric, however late that was noticed.
        in_time: clocks met in the window and in time, by metric.
        goals: whether the product's goals are met: first answers under 4 hours and solutions under 48 hours on average
            (elapsed), more than 85 % solved with one touch; None where there is nothing to measure.
    """

    first_response: Measured
    solve: Measured
    one_touch: Share
    first_contact: Share
    csat: Satisfaction
    nps: Promoters
    breaches: dict[str, int]
    in_time: dict[str, int]
    goals: dict[str, bool | None]


class KpiReport(Record):
    """Key figures of a window [since, until), as a whole and divided four ways.

    Attributes:
        by_agent: by the ticket's owner; `nobody` where it has none.
    """

    since: Instant
    until: Instant
    whole: Kpis
    by_channel: dict[str, Kpis]
    by_reason: dict[str, Kpis]
    by_agent: dict[str, Kpis]
    by_tier: dict[str, Kpis]


def calendars_of(packs: PackLibrary) -> Calendars:
    """Look calendars up in the packs that are there."""

    def find(pack_id: str, version: int, calendar: str) -> Calendar | None:
        try:
            return packs.get(pack_id, version).calendar(calendar)
        except (PackNotFoundError, KeyError):
            return None

    return find


def no_calendar(pack_id: str, version: int, calendar: str) -> None:
    """Know no calendar, for whoever asks for elapsed time only."""
    del pack_id, version, calendar


def kpi_report(conn: sa.Connection, since: datetime, until: datetime, calendars: Calendars) -> KpiReport:
    """Work out the key figures; `until` must not lie in the future.

    Raises:
        ValueError: the window ends before it begins.
    """
    if until < since:
        raise ValueError(f"the window ends ({until.isoformat()}) before it begins ({since.isoformat()})")
    groups = _Groups()
    _add_tickets(conn, since, until, calendars, groups)
    _add_clocks(conn, since, until, groups)
    _add_answers(conn, since, until, groups)
    return KpiReport(
        since=since,
        until=until,
        whole=groups.whole.result(),
        **{f"by_{name}": groups.division(name) for name in _DIVISIONS},
    )


# -- adding up ---------------------------------------------------------------------------------------------------------

_DIVISIONS: Final[Mapping[str, sa.ColumnElement[Any]]] = {
    "channel": tables.ticket.c.channel,
    "reason": tables.ticket.c.reason,
    "agent": sa.func.coalesce(tables.ticket.c.owner, UNOWNED),
    "tier": sa.func.coalesce(tables.ticket.c.tier, UNGRADED),
}
_KEYS: Final = [column.label(name) for name, column in _DIVISIONS.items()]


class _Group:
    """Everything counted of one group of tickets."""

    def __init__(self) -> None:
        self.first = TimesSum(FIRST_RESPONSE_GOAL), TimesSum(FIRST_RESPONSE_GOAL)
        self.solve = TimesSum(SOLVE_GOAL), TimesSum(SOLVE_GOAL)
        self.answered = self.one_touch = self.first_contact = 0
        self.scores: dict[SurveyKind, Counter[int]] = {kind: Counter() for kind in SurveyKind}
        self.breaches: Counter[str] = Counter()
        self.in_time: Counter[str] = Counter()

    def result(self) -> Kpis:
        first, solve = _measured(self.first), _measured(self.solve)
        one_touch = Share.make(self.one_touch, self.answered)
        return Kpis(
            first_response=first,
            solve=solve,
            one_touch=one_touch,
            first_contact=Share.make(self.first_contact, self.answered),
            csat=_satisfaction(self.scores[SurveyKind.CSAT]),
            nps=_promoters(self.scores[SurveyKind.NPS]),
            breaches=dict(sorted(self.breaches.items())),
            in_time=dict(sorted(self.in_time.items())),
            goals={
                "first_response": _under(first.elapsed, FIRST_RESPONSE_GOAL),
                "solve": _under(solve.elapsed, SOLVE_GOAL),
                "one_touch": one_touch.above(ONE_TOUCH_GOAL),
            },
        )


class _Groups:
    """The whole and its divisions."""

    def __init__(self) -> None:
        self.whole = _Group()
        self._divided: dict[str, dict[str, _Group]] = {name: defaultdict(_Group) for name in _DIVISIONS}

    def of(self, row: Any) -> Iterable[_Group]:
        """Every group a row belongs to."""
        yield self.whole
        for name, groups in self._divided.items():
            yield groups[getattr(row, name)]

    def division(self, name: str) -> dict[str, Kpis]:
        """One division, by name."""
        return {value: group.result() for value, group in sorted(self._divided[name].items())}


def _measured(sums: tuple[TimesSum, TimesSum]) -> Measured:
    elapsed, business = sums
    return Measured(elapsed=elapsed.result(), business=business.result())


def _under(times: Times, goal: timedelta) -> bool | None:
    return None if times.average_seconds is None else timedelta(seconds=times.average_seconds) < goal


def _satisfaction(scores: Counter[int]) -> Satisfaction:
    answers = scores.total()
    satisfied = sum(count for score, count in scores.items() if score >= _SATISFIED)
    total = sum(score * count for score, count in scores.items())
    average = (Decimal(total) / answers).quantize(_TENTH, ROUND_HALF_UP) if answers else None
    return Satisfaction(satisfied=Share.make(satisfied, answers), average=average)


def _promoters(scores: Counter[int]) -> Promoters:
    answers = scores.total()
    promoters = sum(count for score, count in scores.items() if score >= _PROMOTER)
    detractors = sum(count for score, count in scores.items() if score < _PASSIVE)
    net = Decimal(100 * (promoters - detractors)) / answers if answers else None
    score = None if net is None else net.quantize(_TENTH, ROUND_HALF_UP)
    return Promoters(answers=answers, promoters=promoters, detractors=detractors, score=score)


# -- reading -----------------------------------------------------------------------------------------------------------


def _add_tickets(conn: sa.Connection, since: datetime, until: datetime, calendars: Calendars, groups: _Groups) -> None:
    ticket = tables.ticket
    solved = solved_within(since, until)
    answers = _answers(since, until, solved).subquery()
    counted = sa.or_(
        sa.and_(answers.c.first >= since, answers.c.first < until),
        solved.c.at.is_not(None),
    )
    message = tables.message
    heard = (message.c.direction == Direction.INBOUND, message.c.kind == MessageKind.MESSAGE)
    more = sa.exists().where(message.c.ticket == ticket.c.id, message.c.sent_at > answers.c.first, *heard)
    columns = ("id", "filed_at", "pack_id", "pack_version")
    rows = sa.select(
        *(ticket.c[name] for name in columns),
        *_KEYS,
        solved.c.at.label("solved_at"),
        answers.c.first,
        answers.c.number,
        more.label("more"),
    )
    joined = ticket.outerjoin(answers, answers.c.ticket == ticket.c.id).outerjoin(
        solved, solved.c.ticket == ticket.c.id
    )
    found = conn.execute(rows.select_from(joined).where(counted)).all()
    clocks = _clocks(conn, [row.id for row in found])
    for row in found:
        if row.first is not None and since <= row.first < until:
            _add_times(row, row.first, clocks.get((row.id, Metric.FIRST_RESPONSE)), calendars, groups, "first")
        if row.solved_at is not None:
            _add_times(row, row.solved_at, clocks.get((row.id, Metric.RESOLUTION)), calendars, groups, "solve")
            if row.number:
                for group in groups.of(row):
                    group.answered += 1
                    group.one_touch += row.number == 1
                    group.first_contact += not row.more


def _answers(since: datetime, until: datetime, solved: sa.CTE) -> sa.Select[Any]:
    """Select first answer and number of answers of what may count in the window; an acknowledgement is no answer."""
    message, remedy, ticket = tables.message, tables.remedy, tables.ticket
    written = sa.select(message.c.ticket).where(message.c.sent_at >= since, message.c.sent_at < until)
    receipt = sa.exists().where(
        remedy.c.ticket == message.c.ticket,
        remedy.c.kind == RemedyKind.REPLY,
        remedy.c.stops_clocks.is_(False),
        sa.func.coalesce(remedy.c.external_id, remedy.c.key) == message.c.external_id,
    )
    first, number = sa.func.min(message.c.sent_at).label("first"), sa.func.count().label("number")
    sent = (message.c.direction == Direction.OUTBOUND, message.c.kind == MessageKind.MESSAGE)
    filed = message.c.sent_at >= ticket.c.filed_at
    joined = message.join(ticket, message.c.ticket == ticket.c.id)
    return (
        sa.select(message.c.ticket, first, number)
        .select_from(joined)
        .where(message.c.ticket.in_(written.union(sa.select(solved.c.ticket))), *sent, filed, sa.not_(receipt))
        .group_by(message.c.ticket)
    )


_CHUNK: Final = 500


def _clocks(conn: sa.Connection, found: list[int]) -> dict[tuple[int, str], Clock]:
    """Read the clocks that say what business time is to a ticket: its oldest of each metric that names a calendar."""
    table = tables.clock
    metrics = (Metric.FIRST_RESPONSE, Metric.RESOLUTION)
    clocks: dict[tuple[int, str], Clock] = {}
    for begin in range(0, len(found), _CHUNK):
        of_tickets = table.c.ticket.in_(found[begin : begin + _CHUNK])
        rows = sa.select(table.c.ticket, table.c.metric, table.c.body).where(of_tickets, table.c.metric.in_(metrics))
        for row in conn.execute(rows.order_by(table.c.id)):
            key = (row.ticket, row.metric)
            if key not in clocks and row.body.get("calendar"):
                clocks[key] = Clock.model_validate(row.body)
    return clocks


def _add_times(row: Any, end: datetime, clock: Clock | None, calendars: Calendars, groups: _Groups, which: str) -> None:
    business = None
    if clock is not None and clock.calendar is not None and row.pack_id is not None:
        calendar = calendars(row.pack_id, row.pack_version, clock.calendar)
        business = _business(calendar, clock, row.filed_at, end) if calendar else None
    for group in groups.of(row):
        elapsed_sum, business_sum = getattr(group, which)
        elapsed_sum.add(max(end - row.filed_at, timedelta()))
        if business is not None:
            business_sum.add(business)


def _business(calendar: Calendar, clock: Clock, begin: datetime, end: datetime) -> timedelta:
    """Open time from begin to end, without what the clock stood still."""
    halts = [(max(halt.since, begin), min(halt.until or end, end)) for halt in clock.pauses]
    halted = sum((calendar.open_time(a, b) for a, b in halts if b > a), timedelta())
    return max(calendar.open_time(begin, end) - halted, timedelta())


def _add_clocks(conn: sa.Connection, since: datetime, until: datetime, groups: _Groups) -> None:
    """Count verdicts: a breach where its due instant lies, be it noticed yet or not."""
    clock = tables.clock
    overdue = sa.and_(clock.c.state == ClockState.RUNNING, clock.c.breached_at.is_(None))
    breached = sa.func.coalesce(clock.c.breached_at, sa.case((overdue, clock.c.due_at)))
    met = sa.and_(clock.c.state == ClockState.MET, clock.c.breached_at.is_(None), clock.c.met_at < until)
    verdict = sa.case((sa.and_(breached >= since, breached < until), "breaches"), else_="in_time").label("verdict")
    decided = sa.or_(sa.and_(breached >= since, breached < until), sa.and_(met, clock.c.met_at >= since))
    joined = clock.join(tables.ticket, clock.c.ticket == tables.ticket.c.id)
    told = sa.select(*_KEYS, clock.c.metric, verdict).select_from(joined).where(decided).subquery()
    counted = sa.select(told, sa.func.count().label("number")).group_by(*told.c)
    for row in conn.execute(counted):
        for group in groups.of(row):
            getattr(group, row.verdict)[row.metric] += row.number


def _add_answers(conn: sa.Connection, since: datetime, until: datetime, groups: _Groups) -> None:
    survey = tables.survey
    joined = survey.join(tables.ticket, survey.c.ticket == tables.ticket.c.id)
    given = sa.and_(survey.c.answered_at >= since, survey.c.answered_at < until)
    for row in conn.execute(sa.select(*_KEYS, survey.c.kind, survey.c.score).select_from(joined).where(given)):
        for group in groups.of(row):
            group.scores[SurveyKind(row.kind)][row.score] += 1


def satisfied_share(conn: sa.Connection, since: datetime, until: datetime) -> Share:
    """How many of the buyers who answered in the window were satisfied."""
    survey = tables.survey
    satisfied = sa.func.count().filter(survey.c.score >= _SATISFIED).label("satisfied")
    given = (survey.c.kind == SurveyKind.CSAT, survey.c.answered_at >= since, survey.c.answered_at < until)
    row = conn.execute(sa.select(satisfied, sa.func.count().label("answers")).where(*given)).one()
    return Share.make(row.satisfied, row.answers)
