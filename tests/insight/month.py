"""November 2025 of a small desk, whose figures are worked out by hand in `test_kpis.py`.

The desk is open 08:00-22:00 in Berlin, which in November is 07:00-21:00 UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from aftersail.core.clocks import Basis, Clock, Metric, Source, SourceKind, Target, meet, pause, resume, start, tick
from aftersail.core.store import tables
from tests.web.filling import PACKS, Filling

SINCE = datetime(2025, 11, 1, tzinfo=UTC)
UNTIL = datetime(2025, 12, 1, tzinfo=UTC)
OWN = Source(kind=SourceKind.OWN, name="desk")
DESK = PACKS.get("starter", 1).calendar("desk")


def on(day: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    return SINCE + timedelta(days=day - 1, hours=hour, minutes=minute, seconds=second)


def clock(metric: Metric, at: datetime, hours: int) -> Clock:
    target = Target(
        metric=metric, duration=timedelta(hours=hours), basis=Basis.BUSINESS_TIME, calendar="desk", source=OWN
    )
    return start(target, DESK, at)


def answer(filling: Filling, ticket: int, at: datetime, channel: str = "shop", **values: object) -> None:
    row = {"direction": "outbound", "author": "ada", "external_id": f"a-{ticket}-{at.isoformat()}"} | values
    filling.message(ticket, "We look at it.", channel, sent_at=at, **row)


def survey(filling: Filling, ticket: int, at: datetime, **scores: int) -> None:
    for kind, score in scores.items():
        filling.add(tables.survey, ticket=ticket, kind=kind, asked_at=at, answered_at=at, score=score)


def fill_november(filling: Filling) -> dict[str, int]:
    """Write the month; returns its tickets by name."""
    filling.channel("shop")
    filling.channel("amazon-de")
    made = {}

    # Broken: answered after 3 h, closed after 24 h (14 h of them open), one answer and no further word.
    broken = made["broken"] = filling.ticket(filed_at=on(2, 9), state="closed", closed_at=on(3, 9), owner="ada")
    answer(filling, broken, on(2, 12))
    filling.clock(broken, meet(clock(Metric.FIRST_RESPONSE, on(2, 9), 4), on(2, 12)))
    filling.clock(broken, meet(clock(Metric.RESOLUTION, on(2, 9), 24), on(3, 9)))
    survey(filling, broken, on(4, 9), csat=5, nps=10)

    # Lost: filed at closing time, answered after 11 h (1 h open), closed after 72 h (3 days of 14 h, 2 h paused).
    lost = {"reason": "not_received", "tier": "urgent", "owner": "ben", "state": "closed", "closed_at": on(5, 21)}
    made["lost"] = ticket = filling.ticket(filed_at=on(2, 21), **lost)
    answer(filling, ticket, on(3, 8))
    answer(filling, ticket, on(4, 8))
    filling.clock(ticket, meet(clock(Metric.FIRST_RESPONSE, on(2, 21), 2), on(3, 8)))
    halted = resume(pause(clock(Metric.RESOLUTION, on(2, 21), 24), on(4, 9)), DESK, on(4, 11))
    filling.clock(ticket, meet(halted, on(5, 21)))
    survey(filling, ticket, on(6, 9), csat=2, nps=6)

    # Question: a receipt at once, answered after 1 h, closed after 10 h, the buyer wrote again. No clock.
    question = {"reason": "other", "tier": None, "state": "closed", "closed_at": on(10, 19)}
    made["question"] = ticket = filling.ticket("amazon-de", filed_at=on(10, 9), **question)
    filling.remedy(ticket, "receipt", kind="reply", state="settled", external_id="<receipt>", stops_clocks=False)
    answer(filling, ticket, on(10, 9, 0, 5), "amazon-de", external_id="<receipt>")
    answer(filling, ticket, on(10, 10), "amazon-de")
    filling.message(ticket, "And the invoice?", "amazon-de", sent_at=on(10, 11))
    survey(filling, ticket, on(11, 9), csat=4, nps=9)

    # Late: filed in October, answered after exactly 4 h, at the first instant of the month; still open.
    made["late"] = ticket = filling.ticket(filed_at=on(1, 0) - timedelta(hours=4), owner="ben", tier="urgent")
    answer(filling, ticket, on(1, 0))

    # Empty: closed after 1 h without an answer.
    filling.ticket(filed_at=on(20, 0), state="closed", closed_at=on(20, 1), owner="ada")

    # Next month: filed in November, everything else in December; its clock ran out a second before midnight.
    made["next"] = ticket = filling.ticket(filed_at=on(30, 22), state="closed", closed_at=on(31, 8), owner="ada")
    answer(filling, ticket, UNTIL)
    due = clock(Metric.NEXT_RESPONSE, on(29, 20), 4).model_copy(update={"due_at": UNTIL - timedelta(seconds=1)})
    filling.clock(ticket, meet(tick(due, on(31, 6))[0], on(31, 7)))
    survey(filling, ticket, UNTIL, csat=1)

    # Two clocks that nobody has ticked: one ran out in the month, one before it.
    for ran_out in (on(25, 12), on(1, 0) - timedelta(seconds=1)):
        unticked = clock(Metric.RESOLUTION, ran_out - timedelta(days=3), 4).model_copy(update={"due_at": ran_out})
        filling.clock(made["late"], unticked)

    # Money back.
    settled = {"state": "settled", "settled_at": on(12, 12)}
    filling.remedy(broken, "r1", **settled, amount=Decimal("12.50"))
    filling.remedy(broken, "r2", **settled, amount=Decimal("7.50"), booked=Decimal("7.40"))
    filling.remedy(made["lost"], "r3", **settled, amount=Decimal(2400), currency="JPY")
    filling.remedy(made["question"], "r4", state="refused", amount=Decimal(3))
    filling.remedy(made["lost"], "r5", state="settled", settled_at=UNTIL, amount=Decimal(99))
    replied = {"kind": "reply", "amount": None, "currency": None, "approved_by": "ada"}
    filling.remedy(broken, "p1", **settled, **replied)
    filling.remedy(made["lost"], "p2", **settled, **(replied | {"approved_by": "automation"}))
    return made
