"""A pack's own examples: given facts, the pack must decide what its author expects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from aftersail.core.clocks import start
from aftersail.core.contract import Money, Record
from aftersail.core.policy.compiled import Pack
from aftersail.core.policy.decide import decide
from aftersail.core.policy.decision import Decision
from aftersail.core.policy.document import Document, read_document
from aftersail.core.policy.document import Path as Place
from aftersail.core.policy.example_rows import ExampleFile, ExampleRow, Expected
from aftersail.core.policy.facts import FactError, Facts, make_facts, read_fact, show
from aftersail.core.policy.loader import EXAMPLES, Draft, read_file
from aftersail.core.policy.problems import PackError, Problem
from aftersail.core.policy.validation import problems_of

_NONE: Final = "none"


@dataclass(frozen=True)
class Examples:
    """The examples of one file, and where each stands."""

    document: Document
    rows: Sequence[ExampleRow]


class ExampleResult(Record):
    """How one example came out.

    Attributes:
        where: file and line.
        decided: what the pack decided, in one line; empty where the example itself cannot be read.
        problems: what is not as expected; none where the example holds.
    """

    name: str
    where: str
    decided: str
    problems: tuple[Problem, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether everything is as expected."""
        return not self.problems


def examples_beside(path: Path) -> Path:
    """Name the file where the examples of a pack file are, whether it is there or not."""
    return path.with_name(path.stem + EXAMPLES)


def read_examples(draft: Draft) -> tuple[Examples, ...]:
    """Read the examples in a pack file, and those in the file beside it.

    Raises:
        PackError: everything that is wrong with the file beside it.
    """
    found = [Examples(draft.document, draft.content.examples)] if draft.content.examples else []
    beside = examples_beside(Path(draft.document.name))
    if beside.is_file():
        document = read_document(read_file(beside), str(beside))
        try:
            found.append(Examples(document, ExampleFile.model_validate(document.data).examples))
        except ValidationError as error:
            raise PackError(problems_of(error, document)) from None
    return tuple(found)


def run_examples(pack: Pack, examples: Examples) -> tuple[ExampleResult, ...]:
    """Decide each example by the pack and compare."""
    return tuple(_run(pack, examples.document, number, row) for number, row in enumerate(examples.rows))


def _run(pack: Pack, document: Document, number: int, row: ExampleRow) -> ExampleResult:
    path: Place = ("examples", number)
    where = f"{Path(document.name).name}:{document.places[path].value[0] + 1}"
    facts, problems = _facts(document, path, row)
    if problems:
        return ExampleResult(name=row.name, where=where, decided="", problems=tuple(problems))
    at = row.at or pack.effective_from
    decision = decide(pack, facts, at)
    wrong = [
        document.problem((*path, "expect", *key), message, f"decided was: {decision.summary}")
        for key, message in _differences(pack, decision, row.expect, at)
    ]
    return ExampleResult(name=row.name, where=where, decided=decision.summary, problems=tuple(wrong))


def _facts(document: Document, path: Place, row: ExampleRow) -> tuple[Facts, list[Problem]]:
    found: dict[str, object] = {}
    problems: list[Problem] = []
    for name, plain in row.given.items():
        try:
            found[name] = read_fact(name, plain)
        except FactError as error:
            message, _, fix = str(error).partition("; ")
            problems.append(document.problem((*path, "given", name), message, fix, at_key=True))
    return make_facts(found), problems


def _differences(pack: Pack, decision: Decision, expect: Expected, at: datetime) -> Iterator[tuple[Place, str]]:
    """Yield the key below `expect` and what is wrong."""
    if expect.tier is not None and expect.tier != (decision.tier or _NONE):
        yield ("tier",), f"the tier is {decision.tier or _NONE}, not {expect.tier}"
    if expect.action is not None:
        kinds: list[str] = sorted(action.kind for action in decision.actions) or [_NONE]
        if kinds != sorted(expect.action):
            yield ("action",), f"planned is {', '.join(kinds)}, not {', '.join(sorted(expect.action))}"
    if expect.amount is not None:
        yield from _amount(decision, expect.amount)
    if expect.template is not None:
        templates = [action.template for action in decision.actions if action.kind == "reply"] or [_NONE]
        if expect.template not in templates:
            yield ("template",), f"the answer is {', '.join(templates)}, not {expect.template}"
    yield from _asks(decision, expect.asks)
    marks = [action.name for action in decision.actions if action.kind in {"flag", "tag"}]
    for mark in expect.marks:
        if mark not in marks:
            yield ("marks",), f"there is no mark {mark}, only {', '.join(marks) or _NONE}"
    yield from _due(pack, decision, expect, at)


def _due(pack: Pack, decision: Decision, expect: Expected, at: datetime) -> Iterator[tuple[Place, str]]:
    for metric, instant in expect.due.items():
        promised = [target for target in decision.targets if target.metric is metric]
        due = min((start(target, pack.calendar(target.calendar), at).due_at for target in promised), default=None)
        if due != instant:
            yield ("due", str(metric)), f"{metric} is due {show(due) if due else 'never'}, not {show(instant)}"


def _amount(decision: Decision, expected: str) -> Iterator[tuple[Place, str]]:
    refunds = [decision.refund, *(ask.proposed for ask in decision.asks)]
    amounts = [refund.amount for refund in refunds if refund is not None]
    if expected != _NONE:
        number, _, currency = expected.partition(" ")
        try:
            wanted = Money.of(number, currency)
        except (ValueError, ArithmeticError):
            yield ("amount",), f'{expected!r} is no amount; write it like "7.50 USD", or none'
            return
        if wanted in amounts:
            return
    elif not amounts:
        return
    yield ("amount",), f"the refund is {', '.join(str(amount) for amount in amounts) or _NONE}, not {expected}"


def _asks(decision: Decision, expected: bool | str | None) -> Iterator[tuple[Place, str]]:
    reasons = [ask.why for ask in decision.asks]
    if isinstance(expected, bool) and expected is not bool(reasons):
        told = f"a person is asked: {'; '.join(reasons)}" if reasons else "no person is asked"
        yield ("asks",), told
    if isinstance(expected, str) and not any(expected in reason for reason in reasons):
        yield ("asks",), f"{expected!r} is not among what a person is told: {'; '.join(reasons) or _NONE}"
