"""Comparing packs and running their examples, as an author calls it."""

from __future__ import annotations

from pathlib import Path

import pytest

from aftersail.core import packs as shipped

STARTER = (Path(shipped.__file__).parent / "starter.yaml").read_text(encoding="utf-8")


@pytest.fixture
def draft(desk):
    """A pack of one's own upon the shipped ones."""
    text = "id: mine\nversion: 1\ntitle: Mine\neffective_from: 2026-01-01\ncurrency: USD\nextends: [starter]\n"
    path = desk.config.parent / "mine.yaml"
    path.write_text(f'{text}authority: {{automation: "5.00 USD"}}\n', encoding="utf-8")
    return path


def test_a_file_is_compared_with_what_is_in_force(desk, draft):
    shown = desk("policy", "diff", "starter", str(draft)).stdout
    assert shown.startswith("from starter@1 to mine@1:\n")
    assert "  authority automation: 20.00 USD becomes 5.00 USD\n" in shown
    assert "      + starter@1\n" in shown
    found = desk.json("policy", "diff", "starter@1", str(draft))
    assert found["same"] is False
    (change,) = [change for change in found["changes"] if change["section"] == "authority"]
    assert change == {
        "section": "authority",
        "row": "automation",
        "field": "",
        "kind": "changed",
        "before": "20.00 USD",
        "after": "5.00 USD",
    }
    assert desk("policy", "diff", "starter", "starter@1").stdout == "starter@1 and starter@1 say the same\n"


def test_what_cannot_be_compared_says_why(desk, draft):
    assert "starter has no version 9; it has 1" in desk.fails("policy", "diff", "starter", "starter@9")
    assert "did you mean starter?" in desk.fails("policy", "diff", "started", "starter")
    assert "cannot be read" in desk.fails("policy", "diff", "starter", "nowhere.yaml")
    draft.write_text(draft.read_text().replace("starter", "starters"), encoding="utf-8")
    assert f"{draft}:6:11: no pack is called starters" in desk.fails("policy", "diff", "starter", str(draft))


def test_the_examples_of_the_pack_in_use_hold(desk):
    shown = desk("policy", "test").stdout
    assert "holds  A small defect on something cheap is paid by half and answered at once (starter.examples" in shown
    assert "examples hold\n" in shown
    assert all(result["holds"] for result in desk.json("policy", "test", "starter@1"))


def test_an_example_that_does_not_hold_is_told_with_its_place(desk, draft):
    examples = draft.with_name("mine.examples.yaml")
    examples.write_text(
        "examples:\n  - name: Urgent\n    given: {ticket.reason: unusable}\n    expect: {tier: advice}\n"
        "  - name: Advice\n    given: {ticket.reason: invoice}\n    expect: {tier: advice}\n",
        encoding="utf-8",
    )
    shown = desk("policy", "test", str(draft), code=1).stdout
    assert f"{examples}:4:20: the tier is urgent, not advice\n" in shown
    assert "                       ^\n" in shown
    assert "WRONG  Urgent (mine.examples.yaml:2)" in shown
    assert "1 of 2 examples are wrong" in shown
    found = desk.json("policy", "test", str(draft), code=1)
    assert [(result["name"], result["holds"]) for result in found] == [("Urgent", False), ("Advice", True)]


def test_a_pack_without_examples_says_where_they_belong(desk, draft):
    assert "mine@1 has no examples; write some under `examples`" in desk("policy", "test", str(draft), code=1).stdout
