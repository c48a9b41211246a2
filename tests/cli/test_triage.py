"""`aftersail triage`."""

from __future__ import annotations

from datetime import UTC, datetime

from aftersail.core.store.engine import open_engine
from aftersail.core.store.unit import unit_of_work
from aftersail.core.triage import Labels, record_correction
from tests.web.filling import Filling

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def test_f04_corrections_are_shown_and_exported(desk, tmp_path):
    assert "nothing has been corrected" in desk("triage", "corrections").stdout
    engine = open_engine(f"sqlite:///{tmp_path / 'aftersail.db'}")
    filling = Filling(engine, NOW)
    filling.channel("shop")
    ticket = filling.ticket(reason="other")
    before, after = Labels(reason="other", language="en"), Labels(reason="damaged", language="en", tier="A")
    with unit_of_work(engine, NOW) as unit:
        record_correction(unit, ticket, actor="ana", before=before, after=after)
    engine.dispose()
    (found,) = desk.json("triage", "corrections")
    assert (found["ticket"], found["actor"]) == (ticket, "ana")
    assert found["after"] == {"reason": "damaged", "language": "en", "tier": "A"}
    shown = desk("triage", "corrections").stdout
    assert "other → damaged" in shown
    assert "none → A" in shown
    assert desk.json("triage", "corrections", "--since", "2026-01-06") == []
