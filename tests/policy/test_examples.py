"""A pack's own examples: what holds, what does not, and where each mistake stands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from aftersail.core import packs as shipped
from aftersail.core.policy import PackError, PackLibrary
from aftersail.core.policy.examples import ExampleResult, examples_beside, read_examples, run_examples
from aftersail.core.policy.loader import Draft
from tests.policy.samples import F27, HEAD, TEMPLATES

FOLDER = Path(shipped.__file__).parent
GIVEN = """\
      ticket.reason: minor_defect
      claim.amount: "15.00 USD"
      order.refundable: "15.00 USD"
      message.authentic: true
      buyer.matches_order: true
"""
TARGETS = """\
calendars:
  desk: {timezone: Europe/Berlin, hours: "Mo-Fr 09:00-17:00"}
tiers:
  - {tier: normal, when: true}
targets:
  - id: all
    clocks:
      - {metric: first_response, duration: 2h, basis: business_time, calendar: desk}
"""

Run = Callable[..., list[ExampleResult]]


def run(library: PackLibrary, draft: Draft) -> list[ExampleResult]:
    pack = library.build(draft)
    return [result for examples in read_examples(draft) for result in run_examples(pack, examples)]


@pytest.fixture
def examples(tmp_path: Path) -> Run:
    """Run one example, with these lines under `expect`, in the pack or in the file beside it."""

    def build(expect: str, given: str = GIVEN, *, beside: bool = False, extra: str = "") -> list[ExampleResult]:
        text = f"examples:\n  - name: One\n{extra}    given:\n{given}    expect: {expect}\n"
        pack = HEAD + TEMPLATES + TARGETS + F27
        path = tmp_path / "mine.yaml"
        path.write_text(pack if beside else pack + text, encoding="utf-8")
        if beside:
            examples_beside(path).write_text(text, encoding="utf-8")
        library = PackLibrary([tmp_path])
        return run(library, library.draft("mine", 1))

    return build


def messages(results: Iterable[ExampleResult]) -> list[str]:
    return [problem.message for result in results for problem in result.problems]


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize(
    "expect",
    [
        "{tier: normal, action: [refund, reply], amount: 7.50 USD, template: soothing, asks: false}",
        "{amount: 7.50 USD}",
        "{action: [reply, refund]}",
        "{}",
    ],
)
def test_what_comes_out_as_expected_holds(examples: Run, expect: str, beside: bool) -> None:
    (result,) = examples(expect, beside=beside)
    assert result.holds
    assert result.decided.startswith("tier normal; refund 7.50 USD")
    assert result.where.startswith("mine.examples.yaml:2" if beside else "mine.yaml:")


@pytest.mark.parametrize(
    ("expect", "message"),
    [
        ("{tier: urgent}", "the tier is normal, not urgent"),
        ("{tier: none}", "the tier is normal, not none"),
        ("{action: refund}", "planned is refund, reply, not refund"),
        ("{action: none}", "planned is refund, reply, not none"),
        ("{amount: 7.49 USD}", "the refund is 7.50 USD, not 7.49 USD"),
        ("{amount: 7.50 EUR}", "the refund is 7.50 USD, not 7.50 EUR"),
        ("{amount: none}", "the refund is 7.50 USD, not none"),
        ("{amount: seven}", "'seven' is no amount; write it like \"7.50 USD\", or none"),
        ("{template: hello}", "the answer is soothing, not hello"),
        ("{template: none}", "the answer is soothing, not none"),
        ("{asks: true}", "no person is asked"),
        ("{asks: above the limit}", "'above the limit' is not among what a person is told: none"),
        ("{marks: high-risk}", "there is no mark high-risk, only none"),
        ("{due: {resolution: 2026-01-01T00:00:00Z}}", "resolution is due never, not 2026-01-01 00:00:00 UTC"),
    ],
)
def test_what_comes_out_otherwise_is_told_where_it_stands(examples: Run, expect: str, message: str) -> None:
    (result,) = examples(expect)
    (problem,) = result.problems
    assert problem.message == message
    assert problem.fix.startswith("decided was: tier normal; refund 7.50 USD")
    assert problem.source.strip().startswith("expect: {")
    assert problem.column > problem.source.index("{") + 1, "the caret stands under the value"


def test_a_refund_that_a_person_is_asked_about_counts(examples: Run) -> None:
    given = GIVEN.replace("message.authentic: true", "message.authentic: false")
    (result,) = examples("{amount: 7.50 USD, asks: not proven, action: ask_person, template: none}", given)
    assert messages([result]) == []
    (result,) = examples("{asks: false}", given)
    assert "a person is asked: the message is not proven" in messages([result])[0]


def test_due_instants_count_from_when_the_request_was_filed(examples: Run) -> None:
    friday = "    at: 2026-11-20T16:00:00+01:00\n"
    (result,) = examples("{due: {first_response: 2026-11-23T10:00:00+01:00}}", extra=friday)
    assert result.holds
    (result,) = examples("{due: {first_response: 2026-11-23T10:00:01+01:00}}", extra=friday)
    assert messages([result]) == ["first_response is due 2026-11-23 09:00:00 UTC, not 2026-11-23 09:00:01 UTC"]


@pytest.mark.parametrize(
    ("given", "message", "fix"),
    [
        ("      order.totl: 1.00 USD\n", "order.totl: no such fact", "did you mean order.total?"),
        ("      order.total: cheap\n", "order.total: 'cheap' is not money", 'write it like "19.99 USD"'),
        ("      order.total: 19.99\n", "order.total: Decimal('19.99') is not money", 'write it like "19.99 USD"'),
        ("      order.placed_at: 2026-11-22\n", "order.placed_at: '2026-11-22' is not instant", "write it like"),
        ("      ticket.reason: brokn\n", "ticket.reason: 'brokn' is none of", ""),
        ("      order.lines: true\n", "order.lines: bool is not whole number", ""),
    ],
)
def test_a_given_fact_that_cannot_be_read_is_told_where_it_stands(
    examples: Run, given: str, message: str, fix: str
) -> None:
    (result,) = examples("{}", given)
    (problem,) = result.problems
    assert problem.message.startswith(message)
    assert problem.fix.startswith(fix)
    assert problem.source == given.rstrip()
    assert problem.column == 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("examples: []\n", ":1:11: "),
        ("example: []\n", ":1:1: `example` is no key here"),
        ("examples:\n  - name: One\n    given: {}\n    expect: {teir: x}\n", ":4:14: `teir` is no key here"),
        ("examples:\n  - name: One\n    given: {}\n    expect: {due: {reply: 2026-01-01}}\n", ":4:"),
        ("examples:\n  - name: One\n    expect: {}\n", ":2:5: `given` is missing"),
    ],
)
def test_a_file_of_examples_that_is_wrong_is_refused_with_the_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(HEAD, encoding="utf-8")
    beside = examples_beside(path)
    beside.write_text(text, encoding="utf-8")
    library = PackLibrary([tmp_path])
    with pytest.raises(PackError) as caught:
        read_examples(library.draft("mine", 1))
    assert f"{beside}{message}" in str(caught.value)


def test_examples_decide_nothing_and_are_not_inherited(tmp_path: Path) -> None:
    text = "examples:\n  - {name: One, given: {ticket.reason: damaged}, expect: {tier: none}}\n"
    (tmp_path / "mine.yaml").write_text(HEAD + TEMPLATES + F27, encoding="utf-8")
    before = PackLibrary([tmp_path]).latest("mine").hash
    (tmp_path / "mine.yaml").write_text(HEAD + TEMPLATES + F27 + text, encoding="utf-8")
    child = "id: child\nversion: 1\ntitle: Child\neffective_from: 2026-01-01\ncurrency: USD\nextends: [mine]\n"
    (tmp_path / "child.yaml").write_text(child, encoding="utf-8")
    library = PackLibrary([tmp_path])
    assert library.latest("mine").hash == before
    assert len(library.draft("mine", 1).content.examples) == 1
    assert library.latest("child").content.examples == ()


def test_the_examples_of_shipped_packs_hold() -> None:
    library = PackLibrary([FOLDER])
    found = {
        pack_id: run(library, library.draft(pack_id, version))
        for pack_id in library.ids()
        for version in library.versions(pack_id)
    }
    assert messages(result for results in found.values() for result in results) == []
    assert len(found["starter"]) > 5


def test_the_examples_of_the_pages_hold_for_the_pack_of_the_pages(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "packs.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml[^\n]*\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (pack,) = [block for block in blocks if block.startswith("id:")]
    (shown,) = [block for block in blocks if block.startswith("examples:")]
    (tmp_path / "my-pack.yaml").write_text(pack, encoding="utf-8")
    examples_beside(tmp_path / "my-pack.yaml").write_text(shown, encoding="utf-8")
    library = PackLibrary([tmp_path])
    (result,) = run(library, library.draft("my-pack", 1))
    assert result.problems == ()
