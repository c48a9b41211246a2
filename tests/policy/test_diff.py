"""What differs between two packs, in words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from aftersail.core import packs as shipped
from aftersail.core.contract import Money
from aftersail.core.policy import Pack, PackLibrary
from aftersail.core.policy.diff import ChangeKind, diff, words
from tests.policy.samples import F27, HEAD, TEMPLATES

Build = Callable[..., Pack]


def told(before: Pack, after: Pack) -> list[str]:
    return [str(change) for change in diff(before, after).changes]


def test_a_pack_differs_in_nothing_from_itself(pack_of: Build) -> None:
    found = diff(pack_of(), pack_of())
    assert (found.same, found.changes) == (True, ())
    assert str(found) == "mine@1 and mine@1 say the same"


@pytest.mark.parametrize(
    ("old", "new", "words_"),
    [
        ("percent: 50", "percent: 40", "rules small-defect, then.refund.percent: 50 becomes 40"),
        ("percent: 50", 'amount: "5.00 USD"', "rules small-defect, then.refund.amount: added 5.00 USD"),
        ("priority: 100", "priority: 90", "rules small-defect, priority: 100 becomes 90"),
        ('"20.00 USD"', '"25.00 USD"', "authority automation: 20.00 USD becomes 25.00 USD"),
        ("EUR: 1.10, ", "", "rates values, EUR: removed 1.10"),
        ("title: A test pack", "title: Another", "title: A test pack becomes Another"),
        (
            "effective_from: 2026-01-01",
            "effective_from: 2026-02-01T12:30:00+01:00",
            "effective_from: 2026-01-01 00:00 UTC becomes 2026-02-01 11:30 UTC",
        ),
    ],
)
def test_a_changed_value_is_told_with_before_and_after(pack_of: Build, old: str, new: str, words_: str) -> None:
    head, body = HEAD.replace(old, new), F27.replace(old, new)
    assert (head, body) != (HEAD, F27)
    assert words_ in told(pack_of(), pack_of(body, head=head))


def test_only_the_clause_that_changed_is_told(pack_of: Build) -> None:
    (change,) = told(pack_of(), pack_of(F27.replace("< 20", "< 30")))
    assert change == "rules small-defect, when.all: changed\n      - claim.amount < 20\n      + claim.amount < 30"


def test_a_long_text_is_told_line_by_line(pack_of: Build) -> None:
    text = "text: |\n        One\n        Two\n        {}"
    one, two = (
        TEMPLATES + f'  long:\n    en:\n      subject: "Long"\n      {text.format(line)}\n'
        for line in ("Three", "Four")
    )
    (change,) = told(pack_of(templates=one), pack_of(templates=two))
    assert change == "templates long, en.text: changed\n      - Three\n      + Four"


def test_rows_are_added_and_removed_with_what_they_say(pack_of: Build) -> None:
    more = F27 + "  - id: thanks\n    priority: 5\n    when: true\n    then: [{tag: nice}]\n"
    added = "rules thanks: added priority 5, when always, then tag nice"
    assert told(pack_of(), pack_of(more)) == [added]
    assert told(pack_of(more), pack_of()) == [added.replace("added", "removed")]


def test_the_order_of_tiers_counts_and_that_of_other_rows_does_not(pack_of: Build) -> None:
    one, two = "  - {tier: a, when: order.known}\n", "  - {tier: b, when: true}\n"
    found = diff(pack_of(f"tiers:\n{one}{two}"), pack_of(f"tiers:\n{two}{one}"))
    assert [(change.kind, change.row) for change in found.changes] == [(ChangeKind.MOVED, "b"), (ChangeKind.MOVED, "a")]
    assert str(found.changes[0]) == "tiers b: moved from place 2 to 1"
    first, second = (
        f"  - {{id: {name}, priority: 1, when: true, then: [{{tag: {name}}}]}}\n" for name in ("one", "two")
    )
    assert told(pack_of(f"rules:\n{first}{second}"), pack_of(f"rules:\n{second}{first}")) == []


def test_what_is_inherited_counts_too(tmp_path: Path) -> None:
    for version, percent in ((1, 50), (2, 60)):
        head = HEAD.replace("version: 1", f"version: {version}").replace("2026-01-01", f"2026-0{version}-01")
        body = F27.replace("percent: 50", f"percent: {percent}")
        (tmp_path / f"{version}.yaml").write_text(head + TEMPLATES + body, encoding="utf-8")
    child = "id: child\nversion: 1\ntitle: Child\neffective_from: 2026-01-01\ncurrency: USD\nextends: [mine]\n"
    (tmp_path / "child.yaml").write_text(child, encoding="utf-8")
    library = PackLibrary([tmp_path])
    january, february = (library.get("child", 1, at=datetime(2026, month, 2, tzinfo=UTC)) for month in (1, 2))
    found = diff(january, february)
    assert "extends: mine@1 becomes mine@2" in [str(change) for change in found.changes]
    assert "rules small-defect, then.refund.percent: 50 becomes 60" in [str(change) for change in found.changes]


def test_every_pair_of_shipped_packs_can_be_told_apart() -> None:
    library = PackLibrary([Path(shipped.__file__).parent])
    packs = [library.latest(pack_id) for pack_id in library.ids()]
    for before in packs:
        for after in packs:
            found = diff(before, after)
            assert found.same is (before is after)
            assert all("None" not in str(change) for change in found.changes)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(hours=48), "48h"),
        (timedelta(days=14), "14d"),
        (timedelta(minutes=90), "90m"),
        (timedelta(seconds=90), "90s"),
        (Money.of("5", "USD"), "5.00 USD"),
        (date(2026, 11, 22), "2026-11-22"),
        (True, "yes"),
        ({"percent": 50}, "percent 50"),
        ([{"a": 1, "b": [1, 2]}, "x"], "(a 1, b (1, 2)), x"),
        ([], "nothing"),
    ],
)
def test_values_are_written_as_their_author_would(value: object, text: str) -> None:
    assert words(value) == text
