"""Every mistake in a pack file is named with its place and its fix, and nothing but PackError is ever raised."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersail.core.contract import Money
from aftersail.core.policy import PackError, PackLibrary, PackNotFoundError, Problem, check, decide, make_facts
from aftersail.core.policy.document import MAX_BYTES, read_document
from aftersail.core.policy.loader import build_pack, read_draft
from tests.policy.samples import F27, HEAD, TEMPLATES

GOOD = HEAD + TEMPLATES + F27


def problems(text: str) -> list[Problem]:
    try:
        build_pack(read_draft(text.encode(), "p.yaml"), ())
    except PackError as error:
        return list(error.problems)
    return []


def swapped(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new, 1)


def test_a_good_pack_has_no_problems() -> None:
    assert problems(GOOD) == []


@pytest.mark.parametrize(
    ("text", "pointed_at", "message", "fix"),
    [
        (swapped("priority: 100", "prioritee: 100"), "prioritee", "`prioritee` is no key here", "priority"),
        (swapped("currency: USD", "currency: usd"), "usd", "pattern", "capitals"),
        (swapped("version: 1", "version: true"), "true", "integer", "version: 1"),
        (swapped("version: 1\n", ""), "id:", "`version` is missing", "version: 1"),
        (swapped("title: A test", "id: other\ntitle: A test"), "id: other", "a second time", "keep one"),
        (swapped("claim.amount <", "claim.amont <"), "claim.amont", "no such fact", "claim.amount"),
        (swapped("amount < 20", 'amount < "199.99"'), '"199.99"', "text is compared with money", "without quotes"),
        (swapped("template: soothing", "template: sothing"), "sothing}", "no template", "soothing"),
        (swapped("template: soothing", "template: zzz"), "zzz", "no template", "there are hello, soothing"),
        (swapped("percent: 50", "percent: 150"), "150", "less than or equal", ""),
        (swapped("{percent: 50}", "{}"), "{}", "share or an amount", "percent"),
        (
            swapped("- refund: {percent: 50}", "- refund: {percent: 50}\n        flag: x"),
            "refund:",
            "one thing",
            "list",
        ),
        (swapped('"20.00 USD"', '"20 dollars"'), '"20 dollars"', "no amount", "20.00 USD"),
        (swapped('"20.00 USD"', '"20.001 USD"'), '"20.001', "finer", "2 decimals"),
        (swapped('"20.00 USD"', '"20.00 SEK"'), '"20.00 SEK"', "no rate for SEK", "rates"),
        (swapped('authority: {automation: "20.00 USD"}\n', ""), "{percent", "nothing says how much", "authority"),
        (swapped("EUR: 1.10", "USD: 1.10"), "USD: 1.10", "own currency", "take it away"),
        (swapped("EUR: 1.10", "EUR: 0"), "0,", "greater than 0", ""),
        (swapped("effective_from: 2026-01-01", "effective_from: tomorrow"), "tomorrow", "no date", "2026-11-22"),
        (swapped("{{ buyer_name }},", "{{ buyer_nam }},"), "buyer_nam ", "no variable", "buyer_name"),
        (swapped("{{ buyer_name }},", "{{ buyer_name },"), '"Dear', "does not parse", ""),
        (GOOD + "languages: [en, de]\n", "soothing:", "not written in de", "add de"),
        (GOOD + "languages: [de]\ndefault_language: en\n", "en\n", "not among", "de"),
        (GOOD + "default_language: [1]\n", "[1]", "string", ""),
        (GOOD + "tiers: [{tier: a, when: }]\n", "", "the condition is empty", "true"),
        (GOOD + "tiers: [{tier: a, when: {al: [order.known]}}]\n", "{al", "all, any and not", "all:"),
        (GOOD + 'tiers: [{tier: a, when: "order.known && order.knwn"}]\n', "order.knwn", "no such fact", "order.known"),
        (GOOD + "targets: [{id: t, clocks: []}]\n", "[]", "at least 1", ""),
        (
            GOOD + "targets: [{id: t, clocks: [{metric: first_respons, duration: 4h, basis: elapsed}]}]\n",
            "first_respons",
            "",
            "first_response",
        ),
        (
            GOOD + "targets: [{id: t, clocks: [{metric: resolution, duration: 4, basis: elapsed}]}]\n",
            "4, b",
            "no duration",
            "15m",
        ),
        (
            GOOD + "targets: [{id: t, clocks: [{metric: resolution, duration: 4h, basis: business_time}]}]\n",
            "{metric",
            "needs a calendar",
            "calendar",
        ),
        (
            GOOD
            + "calendars: {desk: {timezone: UTC, hours: 24/7}}\n"
            + "targets: [{id: t, clocks: [{metric: resolution, duration: 4h, basis: business_time, calendar: dsk}]}]\n",
            "dsk",
            "no calendar is called dsk",
            "desk",
        ),
        (
            GOOD
            + "calendars: {d: {timezone: UTC, hours: 24/7}}\n"
            + "targets: [{id: t, clocks: [{metric: resolution, duration: 4h, basis: business_days, calendar: d}]}]\n",
            "{metric",
            "whole days",
            "",
        ),
        (GOOD + "calendars: {desk: {timezone: Europe/Berln, hours: 24/7}}\n", "{timezone", "no time zone", "Berlin"),
        (GOOD + "calendars: {desk: {timezone: UTC, hours: 'off'}}\n", "{timezone", "no open hour", "Mo-Fr"),
        (
            GOOD
            + "targets: [{id: t, when: {tier: x}, clocks: [{metric: resolution, duration: 4h, basis: elapsed}]}]\n",
            "x}",
            "no tier is called x",
            "",
        ),
        (swapped("{percent: 50}", "{percent: 50}\n      - ask_person: {why: x}"), "- refund", "pays and asks", "keep"),
        (swapped("{percent: 50}", "{percent: 50}\n      - refund: {percent: 9}"), "- refund", "pays twice", "keep"),
        (GOOD.replace("      - refund: {percent: 50}\n", ""), "soothing}", "pays nothing", "refund"),
        (GOOD + F27.removeprefix("rules:\n"), "small-defect", "another row", "small-defect-2"),
        (
            GOOD.replace('"Dear {{ buyer_name }}"', '"1. a\\n2. b\\n3. c\\n4. d"'),
            '"1. a',
            "more than 3 options",
            "",
        ),
        ("- a\n- b\n", "- a", "a pack must be a mapping", ""),
        ("", "", "empty", "id:"),
        ("a: [1\n", "", "no YAML", ""),
        ("a: *x\n", "*x", "no YAML", ""),
        ("a: &x 1\nb: *x\n", "&x", "no anchors", "write the value out"),
        ("a: !!python/object:os.system x\n", "!!python", "no kind of value", ""),
        ("{<<: {a: 1}}\n", "<<", "plain word", ""),
        ("[" * 60 + "]" * 60, "[", "too deeply", ""),
        ("? [1, 2]\n: 3\n", "[1, 2]", "plain word", ""),
        ("--- a\n--- b\n", "---", "no YAML", ""),
    ],
)
def test_a_mistake_is_shown_where_it_stands_with_its_fix(text: str, pointed_at: str, message: str, fix: str) -> None:
    problem, *_ = problems(text)
    line = (text.splitlines() or [""])[problem.line - 1] + "\n"
    assert line[problem.column - 1 :].startswith(pointed_at)
    assert message in problem.message
    assert fix in problem.fix


def test_a_problem_reads_as_place_line_caret_and_fix() -> None:
    (problem,) = problems(swapped("claim.amount < 20", "claim.amont < 20"))
    place, source, caret, fix = str(problem).splitlines()
    assert place == "p.yaml:17:13: no such fact: claim.amont"
    assert source.endswith('all: [claim.amont < 20, ticket.reason == "minor_defect"]')
    assert source[caret.index("^")] == "c"
    assert fix.strip() == "fix: did you mean claim.amount?"


def test_all_problems_are_told_at_once() -> None:
    text = swapped("claim.amount", "claim.amont").replace('"minor_defect"', '"minor"')
    assert len(problems(text)) == 2


def test_norway_stays_a_country_and_rates_stay_exact() -> None:
    document = read_document(b"country: NO\nflag: yes\nrate: 1.10\nday: 2026-11-22\n", "p.yaml")
    assert document.data == {"country": "NO", "flag": "yes", "rate": Decimal("1.10"), "day": "2026-11-22"}
    assert str(document.data["rate"]) == "1.10"


def test_a_file_that_is_too_large_is_not_even_parsed() -> None:
    (problem,) = problems("#" * (MAX_BYTES + 1))
    assert "limit" in problem.message


def test_a_file_in_another_encoding_is_refused_at_its_line() -> None:
    with pytest.raises(PackError) as caught:
        read_draft("id: a\ntitle: Rückgabe\n".encode("latin-1"), "p.yaml")
    assert caught.value.problems[0].line == 2


_LINES = GOOD.splitlines(keepends=True)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_file_raises_anything_but_pack_error(content: bytes) -> None:
    with suppress(PackError):
        build_pack(read_draft(content, "p.yaml"), ())


@given(st.data())
def test_no_damaged_pack_raises_anything_but_pack_error(data: st.DataObject) -> None:
    """Cut, doubled and swapped pieces of a good pack reach further into the loader than noise does."""
    lines = list(_LINES)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        old = lines[at]
        new = data.draw(
            st.sampled_from(["", old * 2, old.upper(), old.replace(":", ": -", 1), old[len(old) // 2 :], "  " + old])
            | st.sampled_from(
                [old.replace(word, other) for word in old.split() for other in ("null", "-1", "[]", "{}", "é")] or [""]
            )
        )
        lines[at] = new
    try:
        build_pack(read_draft("".join(lines).encode(), "p.yaml"), ())
    except PackError as error:
        for problem in error.problems:
            assert problem.line >= 1
            assert problem.message


class TestLibrary:
    @pytest.fixture
    def write(self, tmp_path: Path) -> Callable[..., Path]:
        def write(name: str, **changes: str) -> Path:
            text = GOOD
            for key, value in changes.items():
                lines = text.splitlines()
                kept = [line for line in lines if not line.startswith(f"{key}:")]
                text = "\n".join([*kept, f"{key}: {value}", ""])
            path = tmp_path / name
            path.write_text(text, encoding="utf-8")
            return path

        return write

    def problems(self, folder: Path) -> list[Problem]:
        with pytest.raises(PackError) as caught:
            PackLibrary([folder])
        return list(caught.value.problems)

    def test_vector_27_a_request_is_judged_by_the_version_in_force_when_it_was_filed(
        self, write: Callable[..., Path], tmp_path: Path
    ) -> None:
        write("1.yaml")
        write("2.yaml", version="2", effective_from="2026-12-01T00:00:00Z")
        library = PackLibrary([tmp_path])
        start = datetime(2026, 12, 1, tzinfo=UTC)
        assert library.in_force("mine", datetime(2026, 11, 30, 23, 59, 59, 999999, tzinfo=UTC)).version == 1
        assert library.in_force("mine", start).version == 2
        assert library.latest("mine").version == 2
        assert library.get("mine", 1).version == 1
        assert library.versions("mine") == (1, 2)
        with pytest.raises(PackNotFoundError, match="begins at 2026-01-01"):
            library.in_force("mine", datetime(2025, 12, 31, tzinfo=UTC))

    def test_f26_new_rules_are_for_what_is_filed_after_they_begin_and_earlier_requests_keep_the_old(
        self, write: Callable[..., Path], tmp_path: Path, facts_of: Callable[..., object]
    ) -> None:
        write("1.yaml")
        path = write("2.yaml", version="2", effective_from="2023-11-01T00:00:00+08:00")
        path.write_text(path.read_text(encoding="utf-8").replace("percent: 50", "percent: 100"), encoding="utf-8")
        write("1.yaml", effective_from="2020-01-01")
        library = PackLibrary([tmp_path])
        start, late = datetime(2023, 10, 31, 16, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
        for filed, amount in ((start - timedelta(microseconds=1), "5.00"), (start, "10.00")):
            # However late it is judged, and however often.
            decision = decide(library.in_force("mine", filed), facts_of("10.00 USD"), late)
            assert decision.refund is not None
            assert decision.refund.amount == Money.of(amount, "USD")

    def test_an_unknown_pack_or_version_names_what_there_is(self, write: Callable[..., Path], tmp_path: Path) -> None:
        write("1.yaml")
        library = PackLibrary([tmp_path])
        with pytest.raises(PackNotFoundError, match="did you mean mine"):
            library.latest("mina")
        with pytest.raises(PackNotFoundError, match="it has 1"):
            library.get("mine", 7)

    def test_a_version_means_one_thing(self, write: Callable[..., Path], tmp_path: Path) -> None:
        write("1.yaml")
        write("1-again.yaml")
        assert PackLibrary([tmp_path]).versions("mine") == (1,)
        write("1-changed.yaml", title="Another")
        (problem, *_) = self.problems(tmp_path)
        assert "says something else" in problem.message
        assert "version: 2" in problem.fix

    def test_the_hash_is_of_what_a_pack_says(self, write: Callable[..., Path], tmp_path: Path) -> None:
        path = write("1.yaml")
        before = PackLibrary([tmp_path]).latest("mine").hash
        path.write_text("# a comment\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
        assert PackLibrary([tmp_path]).latest("mine").hash == before
        path.write_text(path.read_text(encoding="utf-8").replace("< 20", "< 21"), encoding="utf-8")
        assert PackLibrary([tmp_path]).latest("mine").hash != before

    def child(self, folder: Path, extends: str, body: str = "", currency: str = "USD") -> None:
        text = (
            f"id: child\nversion: 1\ntitle: C\neffective_from: 2026-01-01\ncurrency: {currency}\nextends: {extends}\n"
        )
        (folder / "child.yaml").write_text(text + body, encoding="utf-8")

    def test_a_child_has_its_parents_rows_and_its_own_go_first(
        self, write: Callable[..., Path], tmp_path: Path, facts_of: Callable[..., object]
    ) -> None:
        write("1.yaml")
        self.child(
            tmp_path,
            "[mine]",
            "rules:\n  - {id: small-defect, priority: 1, when: true, then: [{refund: {percent: 10}}]}\n"
            "  - {id: more, priority: 0, when: true, then: [{tag: seen}]}\n",
        )
        pack = PackLibrary([tmp_path]).latest("child")
        assert pack.parents == ("mine@1",)
        assert [rule.row.id for rule in pack.rules] == ["small-defect", "more"]
        assert set(pack.templates) == {"soothing", "hello"}
        decision = decide(pack, facts_of("10.00 USD"), datetime(2026, 6, 1, tzinfo=UTC))
        assert decision.refund is not None
        assert decision.refund.amount == Money.of("1.00", "USD")
        assert decision.trace.rows[0].where == "child.yaml:8"

    def test_a_parent_without_a_version_is_the_one_in_force(self, write: Callable[..., Path], tmp_path: Path) -> None:
        write("1.yaml")
        write("2.yaml", version="2", effective_from="2026-12-01")
        self.child(tmp_path, "[mine]")
        library = PackLibrary([tmp_path])
        before, after = datetime(2026, 11, 30, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
        assert library.in_force("child", before).parents == ("mine@1",)
        assert library.in_force("child", after).parents == ("mine@2",)
        assert library.in_force("child", before).hash == library.get("child", 1).hash
        self.child(tmp_path, "['mine@1']")
        assert PackLibrary([tmp_path]).in_force("child", after).parents == ("mine@1",)

    @pytest.mark.parametrize(
        ("extends", "message"),
        [
            ("[child]", "extends itself: child extends child"),
            ("[mina]", "no pack is called mina"),
            ("['mine@9']", "has no version 9"),
            ("['mine@x']", "has no version x"),
            ("[late]", "begins at 2026-12-01"),
        ],
    )
    def test_a_parent_that_cannot_be_is_refused(
        self, write: Callable[..., Path], tmp_path: Path, extends: str, message: str
    ) -> None:
        write("1.yaml")
        write("late.yaml", id="late", effective_from="2026-12-01")
        self.child(tmp_path, extends)
        (problem, *_) = self.problems(tmp_path)
        assert message in problem.message
        assert (problem.file, problem.line) == (str(tmp_path / "child.yaml"), 6)

    def test_a_ring_of_parents_is_refused(self, write: Callable[..., Path], tmp_path: Path) -> None:
        write("1.yaml", extends="[child]")
        self.child(tmp_path, "[mine]")
        assert any("child extends mine extends child" in problem.message for problem in self.problems(tmp_path))

    def test_a_parent_in_another_currency_is_refused(self, write: Callable[..., Path], tmp_path: Path) -> None:
        write("1.yaml")
        self.child(tmp_path, "[mine]", currency="EUR")
        assert any("counts in USD, this pack in EUR" in problem.message for problem in self.problems(tmp_path))

    def test_check_tells_a_files_own_problems(self, write: Callable[..., Path], tmp_path: Path) -> None:
        path = write("1.yaml")
        assert check(path) == []
        assert check(tmp_path) == []
        self.child(tmp_path, "[mina]")
        assert check(path) == []
        assert [problem.line for problem in check(tmp_path / "child.yaml")] == [6]
        assert len(check(tmp_path)) == 1
        assert "cannot be read" in check(tmp_path / "none.yaml")[0].message
        with pytest.raises(PackError, match="cannot be read"):
            PackLibrary([tmp_path / "none"])


def test_facts_are_checked_against_the_catalogue() -> None:
    with pytest.raises(ValueError, match=r"did you mean order\.total"):
        make_facts({"order.totl": Money.of("1", "USD")})
    with pytest.raises(ValueError, match="is not money"):
        make_facts(order__total="1")
    with pytest.raises(ValueError, match="is none of"):
        make_facts(ticket__reason="minor_defct")
    with pytest.raises(ValueError, match="is not instant"):
        make_facts(order__placed_at=datetime(2026, 1, 1))  # noqa: DTZ001 - naive on purpose
    assert dict(make_facts(buyer__orders=33, buyer__refunds=10)) == {
        "buyer.orders": 33,
        "buyer.refunds": 10,
        "buyer.refund_rate_percent": 31,
    }
    assert "order.total" not in make_facts(order__total=None)
