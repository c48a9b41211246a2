"""The packs that are shipped: they load, hold the promised numbers, and say what they should in every language."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aftersail.core.clocks import Metric
from aftersail.core.contract import Money
from aftersail.core.desk.templates import render
from aftersail.core.packs import FOLDER
from aftersail.core.policy import Decision, Facts, Flag, Pack, PackLibrary, Reason, check, decide
from aftersail.core.policy.engines import RustCelEngine


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
    shipped = {path.stem for path in FOLDER.rglob("*.yaml") if not path.stem.endswith(".examples")}
    assert set(library.ids()) == shipped
    assert {path.parent.name for path in FOLDER.rglob("*.yaml")} == {"packs", "law", "market", "seller"}


def test_a_pack_of_ones_own_is_checked_among_the_shipped_ones(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    head = "id: mine\nversion: 1\ntitle: Mine\neffective_from: 2026-01-01\ncurrency: USD\n"
    mine.write_text(f"{head}extends: [law-eu, market-amazon]\n", encoding="utf-8")
    assert check(mine, among=[FOLDER]) == []
    assert "law-eu" in check(mine)[0].message
    mine.write_text(f"{head}extends: [law-eu2]\n", encoding="utf-8")
    (problem,) = check(mine, among=[FOLDER])
    assert "law-eu" in problem.fix


def test_packs_may_stand_in_folders_and_those_with_a_dot_are_left_alone(tmp_path: Path) -> None:
    def write(path: Path, pack_id: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        head = f"id: {pack_id}\nversion: 1\ntitle: One\neffective_from: 2026-01-01\ncurrency: USD\n"
        path.write_text(head, encoding="utf-8")

    write(tmp_path / "top.yaml", "top")
    write(tmp_path / "law" / "there" / "deep.yml", "deep")
    write(tmp_path / ".git" / "old.yaml", "old")
    (tmp_path / "law" / "back").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "law" / "notes.txt").write_text("no pack", encoding="utf-8")
    assert PackLibrary([tmp_path]).ids() == ("deep", "top")
    assert PackLibrary([tmp_path / "top.yaml"]).ids() == ("top",)


def test_a_file_is_checked_with_its_neighbours_and_not_with_what_lies_deeper(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("id: mine\nversion: 1\ntitle: M\neffective_from: 2026-01-01\ncurrency: USD\nextends: [deep]\n")
    (tmp_path / "sub").mkdir()
    deep = "id: deep\nversion: 1\ntitle: D\neffective_from: 2026-01-01\ncurrency: USD\n"
    (tmp_path / "sub" / "deep.yaml").write_text(deep)
    assert len(check(mine)) == 1
    (tmp_path / "deep.yaml").write_text(deep)
    assert check(mine) == []


def test_the_starters_tiers_have_the_durations_of_tiers_b(
    starter: Pack, facts_of: Callable[..., Facts], at: datetime
) -> None:
    seen: dict[str, tuple[int, int]] = {}
    for reason in Reason:
        decision = decide(starter, facts_of(ticket__reason=reason), at)
        assert decision.tier is not None
        lengths = {
            target.metric: target.duration // timedelta(hours=1)
            for target in decision.targets
            if target.source.name == "starter"
        }
        seen[decision.tier] = (lengths[Metric.FIRST_RESPONSE], lengths[Metric.RESOLUTION])
    assert seen == {"urgent": (2, 24), "defect": (4, 48), "advice": (8, 72)}


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
