"""The system grades first, an agent grades for good."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from aftersail.core.desk.agent import answer, close_ticket
from aftersail.core.desk.clockwork import tick_clocks
from aftersail.core.desk.regrade import regrade
from aftersail.core.desk.settled import on_settled
from aftersail.core.desk.tickets import TicketError
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit
from aftersail.core.triage import corrections
from tests.builders import NOON, Desk, Script, at, letter, page


def grade(desk: Desk, **values: Any) -> Any:
    return desk.do(lambda unit: regrade(unit, desk.services, 1, actor="ann", **values))


def clocks(desk: Desk) -> dict[str, Any]:
    return {row.metric: row for row in desk.rows(tables.clock) if row.state in {"running", "met"}}


def send(desk: Desk) -> None:
    """Ann answers, and the platform takes it."""

    def work(unit: Unit) -> None:
        table = tables.remedy
        answer(unit, desk.services, 1, "We look into it.", key="k1", actor="ann")
        sent = {"state": "settled", "settled_at": unit.now, "external_id": "sent-1"}
        unit.conn.execute(sa.update(table).where(table.c.key == "k1").values(**sent))
        on_settled(unit, unit.conn.execute(sa.select(table).where(table.c.key == "k1")).one())

    desk.do(work)


@pytest.fixture
def asked(desk: Desk, shop: Script) -> Desk:
    """A question that the system grades as advice: 8 h to answer, 72 h to solve."""
    shop.messages.pages = [page(letter("m1", 0, "Is the lamp also sold in green?", thread_id="t"))]
    desk.sync()
    return desk


def test_f05_a_regrade_logs_old_new_and_actor_and_retargets_what_runs(asked: Desk) -> None:
    assert asked.rows(tables.ticket)[0].tier == "advice"
    asked.advance(30)
    grade(asked, tier="urgent")
    ticket = asked.rows(tables.ticket)[0]
    assert (ticket.tier, ticket.graded) == ("urgent", {"tier": "urgent"})
    (event,) = asked.rows(tables.event, tables.event.c.kind == "regraded")
    assert (event.actor, event.data["before"], event.data["after"]) == (
        "ann",
        {"tier": "advice"},
        {"tier": "urgent"},
    )
    now = clocks(asked)
    assert now["first_response"].due_at == NOON + timedelta(hours=2)
    assert now["resolution"].due_at == NOON + timedelta(hours=24)
    assert ticket.due_at == NOON + timedelta(hours=2)


def test_f05_vector_26_a_met_first_response_stays_met(asked: Desk) -> None:
    asked.advance(180)
    send(asked)
    before = clocks(asked)["first_response"]
    assert (before.state, before.met_at, before.breached_at) == ("met", at(180), None)
    asked.advance(30)
    grade(asked, tier="urgent")
    assert clocks(asked)["first_response"] == before
    assert clocks(asked)["resolution"].due_at == NOON + timedelta(hours=24)


def test_f05_a_higher_grade_makes_nothing_late_after_the_fact(asked: Desk) -> None:
    asked.advance(180)
    grade(asked, tier="urgent")
    first = clocks(asked)["first_response"]
    assert (first.started_at, first.due_at) == (at(180), at(300))
    asked.do(tick_clocks)
    assert [row.breached_at for row in asked.rows(tables.clock)] == [None] * len(asked.rows(tables.clock))


def test_f05_what_an_agent_has_set_outlives_the_next_message(asked: Desk, shop: Script) -> None:
    grade(asked, tier="defect", reason="wrong_item", language="nl")
    shop.messages.pages = [page(letter("m2", 5, "My parcel never arrived, where is my money?", thread_id="t"))]
    asked.advance(10)
    asked.sync()
    ticket = asked.rows(tables.ticket)[0]
    assert (ticket.tier, ticket.reason, ticket.language) == ("defect", "wrong_item", "nl")
    assert ticket.reason_because == "set by ann"
    # Read late, so that the whole conversation is understood anew.
    shop.messages.pages = [page(letter("m0", -5, "My parcel never arrived.", thread_id="t"))]
    asked.sync()
    ticket = asked.rows(tables.ticket)[0]
    assert (ticket.tier, ticket.reason, ticket.language) == ("defect", "wrong_item", "nl")
    newest = asked.rows(tables.decision)[-1]
    tiers = [row for row in newest.body["trace"]["rows"] if row["section"] == "tier"]
    assert [(row["row"], row["where"]) for row in tiers] == [("defect", "set by an agent")]


def test_f05_another_reason_gives_another_tier_by_the_packs_table(asked: Desk) -> None:
    decision = grade(asked, reason="not_received")
    assert decision.tier == asked.rows(tables.ticket)[0].tier == "urgent"
    (event,) = asked.rows(tables.event, tables.event.c.kind == "regraded")
    assert event.data["before"]["tier"] == "advice"
    assert event.data["after"] == {"reason": "not_received", "tier": "urgent"}


def test_f05_the_same_grade_again_is_no_news(asked: Desk) -> None:
    grade(asked, tier="urgent")
    assert grade(asked, tier="urgent") is None
    assert len(asked.rows(tables.event, tables.event.c.kind == "regraded")) == 1
    # The system's own grade, confirmed by an agent, is theirs from then on.
    assert grade(asked, language=asked.rows(tables.ticket)[0].language) is not None


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"tier": "urgnt"}, r"pack starter 1 knows no tier 'urgnt'; did you mean 'urgent'\?"),
        ({"reason": "zzz"}, r"aftersail knows no reason 'zzz'; one of: cancel_order, "),
        ({"language": "English"}, r"triage knows no language 'English'; one of: ar, cs, da"),
    ],
)
def test_f05_what_nobody_knows_is_refused(asked: Desk, values: dict[str, str], what: str) -> None:
    with pytest.raises(TicketError, match=what):
        grade(asked, **values)
    assert asked.rows(tables.event, tables.event.c.kind == "regraded") == []


def test_f05_what_is_closed_is_not_graded(asked: Desk) -> None:
    asked.do(lambda unit: close_ticket(unit, 1, "ann"))
    with pytest.raises(TicketError, match="ticket 1 is closed"):
        grade(asked, tier="urgent")


def test_f05_a_regrade_is_kept_as_an_example_for_triage(asked: Desk) -> None:
    (before,) = asked.rows(tables.ticket)
    grade(asked, reason="wrong_item", language="fr")
    (kept,) = asked.do(lambda unit: corrections(unit.conn))
    assert (kept.before.reason, kept.before.language) == (before.reason, before.language)
    assert (kept.after.reason, kept.after.language, kept.actor) == ("wrong_item", "fr", "ann")
    assert kept.text


def test_f12_severity_is_a_fact_of_the_ticket(desk: Desk, shop: Script) -> None:
    """The same words but for what makes it grave."""
    said = "The lamp arrived broken", "The lamp arrived broken and my child was injured by the glass"
    shop.messages.pages = [page(*(letter(f"m{n}", n, text, thread_id=f"t{n}") for n, text in enumerate(said)))]
    desk.sync()
    mild, grave = desk.rows(tables.ticket)
    assert (mild.reason, grave.reason) == ("damaged", "damaged")
    assert (mild.severity, grave.severity) == ("medium", "high")
    facts = [row.facts["claim.severity"] for row in desk.rows(tables.decision)]
    assert facts == ["medium", "high"]
