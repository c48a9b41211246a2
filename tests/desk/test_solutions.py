"""The library of solutions: something for every complaint, the seller's own first, mistakes with their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from aftersail.core.desk.solutions import read_solutions, shipped_solutions, solutions_for
from aftersail.core.policy import PackError, Reason
from tests.builders import NOON, PACKS

OWN = """\
solutions:
  - id: lamp-shade
    title: The shade came loose
    reasons: damaged
    steps: [Send a new shade.]
    remedies: missing_part
  - id: broken-on-arrival
    title: Ours
    reasons: [damaged]
    steps: [Call the buyer.]
"""


@pytest.mark.parametrize("reason", list(Reason))
def test_f30_there_is_a_solution_for_every_complaint(reason: Reason) -> None:
    found = solutions_for(reason)
    assert found
    assert all(solution.steps and solution.remedies for solution in found)


def test_f30_the_shipped_solutions_name_templates_of_the_shipped_pack() -> None:
    known = set(PACKS.in_force("starter", NOON).templates)
    assert {template for solution in shipped_solutions() for template in solution.templates} <= known


def test_f30_the_sellers_own_go_first_and_replace_the_shipped_ones(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(OWN)
    own = read_solutions(path)
    titles = [solution.title for solution in solutions_for("damaged", own)]
    assert titles == ["The shade came loose", "Ours"]
    assert [solution.title for solution in solutions_for("unusable", own)] == []
    assert solutions_for("invoice", own) == solutions_for("invoice")


@pytest.mark.parametrize(
    ("line", "wrong", "place", "what"),
    [
        ("remedies: missing_part", "remedy: missing_part", "6:5", "`remedy` is no key here"),
        ("reasons: damaged", "reasons: damage", "4:14", "input should be 'not_received'"),
        ("    title: Ours\n", "", "7:5", "`title` is missing"),
        ("id: broken-on-arrival", "id: lamp-shade", "7:9", "there are two solutions called lamp-shade"),
        ("remedies: missing_part", "remedies: money", "6:15", "input should be 'refund'"),
    ],
)
def test_f30_a_mistake_is_told_with_its_place(tmp_path: Path, line: str, wrong: str, place: str, what: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(OWN.replace(line, wrong))
    with pytest.raises(PackError) as error:
        read_solutions(path)
    assert f"{path}:{place}: {what}" in str(error.value)


def test_f30_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PackError, match=r"nowhere\.yaml:1:1: cannot be read: No such file"):
        read_solutions(tmp_path / "nowhere.yaml")
