"""What an agent corrects is kept, and comes back as labelled examples."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aftersail.core.store.engine import open_engine
from aftersail.core.store.unit import Unit, unit_of_work
from aftersail.core.triage import CorrectionError, Labels, corrections, record_correction
from tests.builders import migrate
from tests.web.filling import Filling

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
BEFORE = Labels(reason="other", language="und", tier="C")
AFTER = Labels(reason="damaged", language="de", tier="A")


@pytest.fixture
def filling(databases):
    engine = open_engine(databases.fresh("store", migrate), durable=False)
    filling = Filling(engine, NOW)
    filling.channel("shop")
    yield filling
    engine.dispose()


def correct(filling, ticket, before=BEFORE, after=AFTER, at=NOW):
    with unit_of_work(filling.engine, at) as unit:
        return record_correction(unit, ticket, actor="ana", before=before, after=after)


def test_f04_a_correction_comes_back_with_what_the_buyer_had_written(filling):
    ticket = filling.ticket(reason="other")
    filling.message(ticket, "Die Vase ist hin.", sent_at=NOW - timedelta(hours=2))
    assert correct(filling, ticket)
    with filling.engine.connect() as conn:
        (found,) = corrections(conn)
    assert (found.ticket, found.at, found.actor) == (ticket, NOW, "ana")
    assert (found.before, found.after) == (BEFORE, AFTER)
    assert found.text == "Die Vase ist hin."


def test_f12_a_change_of_the_tier_alone_is_kept(filling):
    ticket = filling.ticket()
    after = BEFORE.model_copy(update={"tier": "B"})
    assert correct(filling, ticket, after=after)
    with filling.engine.connect() as conn:
        assert [each.after for each in corrections(conn)] == [after]


def test_what_changes_nothing_is_not_kept(filling):
    ticket = filling.ticket()
    assert not correct(filling, ticket, before=AFTER)
    with filling.engine.connect() as conn:
        assert corrections(conn) == ()


def test_they_come_in_order_and_from_an_instant_on(filling):
    ticket = filling.ticket()
    correct(filling, ticket)
    correct(filling, ticket, before=AFTER, after=BEFORE, at=NOW - timedelta(days=2))
    with filling.engine.connect() as conn:
        assert [each.after for each in corrections(conn)] == [BEFORE, AFTER]
        assert [each.after for each in corrections(conn, NOW)] == [AFTER]


@pytest.mark.parametrize(
    ("after", "said"),
    [(Labels(reason="broken", language="de"), "'broken'"), (Labels(reason="damaged", language="xx"), "'xx'")],
)
def test_a_value_that_is_none_of_ours_is_refused(filling, after, said):
    with filling.engine.begin() as conn, pytest.raises(CorrectionError, match=said):
        record_correction(Unit(conn, NOW), 1, actor="ana", before=BEFORE, after=after)
