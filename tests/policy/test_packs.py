"""The packs that are shipped: they load, hold the promised numbers, and say what they should in every language."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pytest

from aftersail.core import packs
from aftersail.core.clocks import Metric
from aftersail.core.contract import Money
from aftersail.core.desk.templates import render
from aftersail.core.policy import Decision, Facts, Flag, Pack, PackLibrary, Reason, check, decide
from aftersail.core.policy.engines import RustCelEngine

FOLDER = Path(str(files(packs)))


@pytest.fixture(scope="module")
def library() -> PackLibrary:
    return PackLibrary([FOLDER])


@pytest.fixture
def starter(library: PackLibrary) -> Pack:
    return library.in_force("starter", datetime(2026, 11, 22, tzinfo=UTC))


@pytest.fixture
def by_starter(starter: Pack, facts_of: Callable[..., Facts], at: datetime) -> Callable[..., Decision]:
    def run(amount: str = "19.99 USD", **changes: object) -> Decision:
        known = {"ticket__escalation": False, "claim__kind": "message"}
        return decide(starter, facts_of(amount, **(known | changes)), at)

    return run


def test_every_shipped_pack_is_without_problems(library: PackLibrary) -> None:
    assert check(FOLDER) == []
    assert set(library.ids()) >= {"starter", "hw-tiers-a", "hw-tiers-b"}


@pytest.mark.parametrize(
    ("pack_id", "minutes"),
    [
        ("hw-tiers-a", {"urgent": (15, 240), "serious": (30, 480), "general": (120, 1440)}),
        ("hw-tiers-b", {"urgent": (120, 1440), "defect": (240, 2880), "advice": (480, 4320)}),
        ("starter", {"urgent": (120, 1440), "defect": (240, 2880), "advice": (480, 4320)}),
    ],
)
def test_the_tiers_have_the_promised_durations(
    library: PackLibrary,
    facts_of: Callable[..., Facts],
    at: datetime,
    pack_id: str,
    minutes: dict[str, tuple[int, int]],
) -> None:
    pack = library.latest(pack_id)
    seen: dict[str, tuple[int, int]] = {}
    for reason in Reason:
        decision = decide(pack, facts_of(ticket__reason=reason), at)
        assert decision.tier is not None
        lengths = {target.metric: target.duration // timedelta(minutes=1) for target in decision.targets}
        seen[decision.tier] = (lengths[Metric.FIRST_RESPONSE], lengths[Metric.RESOLUTION])
    assert seen == minutes


@pytest.mark.parametrize("amount", ["19.99 USD", "20.00 USD", "18.18 EUR", "5.00 THB"])
@pytest.mark.parametrize("reason", [Reason.MINOR_DEFECT, Reason.RETURN_REQUEST])
def test_both_engines_decide_alike(
    starter: Pack, facts_of: Callable[..., Facts], at: datetime, amount: str, reason: Reason
) -> None:
    other = PackLibrary([FOLDER], engine=RustCelEngine()).latest("starter")
    assert other.engine.name != starter.engine.name
    facts = facts_of(amount, ticket__reason=reason, ticket__escalation=False)
    assert decide(other, facts, at) == decide(starter, facts, at)


def test_a_small_defect_is_settled_with_half_and_a_kind_word(by_starter: Callable[..., Decision]) -> None:
    decision = by_starter()
    assert decision.refund is not None
    assert decision.refund.amount == Money.of("10.00", "USD")
    assert decision.reply is not None
    assert decision.reply.template == "soothing"


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": "20.00 USD"},
        {"amount": "19 EUR"},
        {"ticket__reason": "damaged", "amount": "30.00 USD"},
        {"ticket__reason": "return_request"},
        {"claim__kind": "chargeback"},
        {"claim__kind": "dispute"},
        {"ticket__escalation": True},
        {"ticket__escalation": None},
    ],
)
def test_everything_larger_goes_to_a_person(by_starter: Callable[..., Decision], changes: dict[str, object]) -> None:
    decision = by_starter(**changes)
    assert decision.refund is None
    assert decision.reply is None
    assert len(decision.asks) == 1


def test_an_escalation_is_flagged_and_asked_first(by_starter: Callable[..., Decision]) -> None:
    decision = by_starter(ticket__escalation=True)
    assert [ask.rule for ask in decision.asks] == ["escalation"]
    assert Flag(rule="escalation", name="escalated") in decision.actions


@pytest.mark.parametrize(("status", "answered"), [("in_transit", True), ("delivered", False), ("exception", False)])
def test_a_parcel_on_its_way_is_explained(by_starter: Callable[..., Decision], status: str, answered: bool) -> None:
    decision = by_starter(ticket__reason="not_received", parcel__status=status)
    assert decision.tier == "urgent"
    assert [action.kind for action in decision.actions] == (["reply"] if answered else [])


@pytest.mark.parametrize("template", ["soothing", "where_is_it", "acknowledge"])
@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "it", "pl", "ja"])
@pytest.mark.parametrize("name", ["Kim", None])
def test_every_template_is_written_in_every_language(starter: Pack, template: str, language: str, name: str) -> None:
    values = {
        "buyer_name": name,
        "order_number": "#1001",
        "refund_amount": Money.of("10.00", "USD"),
        "tracking_number": "TRACK-77",
        "shop_name": "Corner Shop",
    }
    rendered = render(starter, template, language, values)
    assert rendered.language == language
    assert "#1001" in rendered.subject
    assert rendered.text.endswith("Corner Shop\n")
    assert ("TRACK-77" in rendered.text) is (template == "where_is_it")
    assert "{" not in rendered.text
    assert "\n\n\n" not in rendered.text
