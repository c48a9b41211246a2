"""What must fit together in a pack: rows that name each other, templates and their variables, money and authority."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import Final

import minijinja
from pydantic import ValidationError

from aftersail.core.clocks import Basis
from aftersail.core.contract import Money
from aftersail.core.policy.compiled import Pack, target_of
from aftersail.core.policy.document import Document, Path
from aftersail.core.policy.facts import nearest
from aftersail.core.policy.pack import TEMPLATE_VARIABLES, Action, ClockRow, PackFile, RuleRow, TargetRow, TemplateText
from aftersail.core.policy.problems import Problem

AUTOMATION: Final = "automation"
"""The role under `authority` that aftersail itself acts in."""

MAX_OPTIONS: Final = 3
"""A reply offers at most so many numbered options: more of them put an upset buyer off."""

_OPTION = re.compile(r"^\s*(?:\d{1,2}[.)、]|[-*•])\s", re.MULTILINE)
_ASKED = re.compile(r"\{%-?\s*(?:if|elif)\s+(?:not\s+)?([A-Za-z_]\w*)\s*-?%\}")


def cross_check(document: Document, own: PackFile, merged: PackFile, parents: Sequence[Pack]) -> list[Problem]:
    """Find what does not fit together.

    Args:
        document: the child's file, where problems are shown.
        own: what the file itself says.
        merged: the same with its parents' rows.
        parents: the packs it extends.
    """
    return [
        *_parent_problems(document, own, parents),
        *_double_problems(document, own),
        *_target_problems(document, own, merged),
        *_rule_problems(document, own, merged),
        *_template_problems(document, own, merged),
        *_money_problems(document, own, merged),
    ]


def template_engine() -> minijinja.Environment:
    """Return an engine that is strict about undefined variables, bounded in work, and reads no other template."""
    return minijinja.Environment(undefined_behavior="strict", fuel=50_000, trim_blocks=True, lstrip_blocks=True)


@lru_cache(maxsize=512)
def variables_of(source: str) -> frozenset[str]:
    """List the variables a template speaks of.

    Raises:
        minijinja.TemplateError: it does not parse.
    """
    return frozenset(template_engine().undeclared_variables_in_str(source))


@lru_cache(maxsize=512)
def optional_variables(source: str) -> frozenset[str]:
    """List the variables a template asks about with `{% if name %}`: they may be unknown."""
    return frozenset(_ASKED.findall(source))


def _parent_problems(document: Document, own: PackFile, parents: Sequence[Pack]) -> Iterable[Problem]:
    for at, parent in enumerate(parents):
        if parent.currency != own.currency:
            message = f"{parent.id} counts in {parent.currency}, this pack in {own.currency}"
            yield document.problem(("extends", at), message, f"write currency: {parent.currency}")


def _double_problems(document: Document, own: PackFile) -> Iterable[Problem]:
    for section, ids in (("rules", [row.id for row in own.rules]), ("targets", [row.id for row in own.targets])):
        counts = Counter(ids)
        for at, row_id in enumerate(ids):
            if counts[row_id] > 1 and ids.index(row_id) != at:
                message = f"`{row_id}` is the id of another row too"
                yield document.problem((section, at, "id"), message, f"write another id, such as {row_id}-{at + 1}")


def _target_problems(document: Document, own: PackFile, merged: PackFile) -> Iterable[Problem]:
    tiers = {row.tier for row in merged.tiers}
    for at, row in enumerate(own.targets):
        for tier in row.when.tier or ():
            if tier not in tiers:
                yield document.problem(
                    ("targets", at, "when", "tier"), f"no tier is called {tier}", _meant(tier, tiers, "tiers")
                )
        for number, clock in enumerate(row.clocks):
            path: Path = ("targets", at, "clocks", number)
            if clock.calendar is None and clock.basis is not Basis.ELAPSED:
                fix = f"add calendar: {next(iter(merged.calendars), 'desk')}"
                yield document.problem(path, f"{clock.basis} needs a calendar", fix)
            elif clock.calendar is not None and clock.calendar not in merged.calendars:
                fix = _meant(clock.calendar, merged.calendars, "calendars")
                yield document.problem((*path, "calendar"), f"no calendar is called {clock.calendar}", fix)
            else:
                yield from _clock_problems(document, path, row, clock)


def _clock_problems(document: Document, path: Path, row: TargetRow, clock: ClockRow) -> Iterable[Problem]:
    try:
        target_of(row, clock, "")
    except ValidationError as error:
        for detail in error.errors():
            wrong, _, fix = detail["msg"].removeprefix("Value error, ").partition("; ")
            yield document.problem(path, wrong, fix)


def _rule_problems(document: Document, own: PackFile, merged: PackFile) -> Iterable[Problem]:
    for at, row in enumerate(own.rules):
        if row.refunds and row.asks:
            fix = "keep one of them; a refund beyond the authority limit asks a person by itself"
            yield document.problem(("rules", at, "then"), "the rule pays and asks a person", fix)
        if len(row.refunds) > 1:
            yield document.problem(("rules", at, "then"), "the rule pays twice", "keep one refund")
        for number, action in enumerate(row.then):
            yield from _reply_problems(document, row, ("rules", at, "then", number), action, merged)


def _reply_problems(
    document: Document, rule: RuleRow, path: Path, action: Action, merged: PackFile
) -> Iterable[Problem]:
    if action.reply is None:
        return
    name = action.reply.template
    place = (*path, "reply", "template")
    if name not in merged.templates:
        fix = _meant(name, merged.templates, "templates")
        yield document.problem(place, f"no template is called {name}", fix)
    elif not rule.refunds and "refund_amount" in _known_variables(merged.templates[name].values()):
        message = f"{name} names refund_amount, but this rule pays nothing"
        yield document.problem(place, message, "add a refund to the rule or choose another template")


def _known_variables(texts: Iterable[TemplateText]) -> set[str]:
    found: set[str] = set()
    for text in texts:
        try:
            found |= variables_of(text.subject) | variables_of(text.text)
        except minijinja.TemplateError:
            continue  # reported where the template stands
    return found


def _template_problems(document: Document, own: PackFile, merged: PackFile) -> Iterable[Problem]:
    if own.default_language not in own.languages:
        fix = f"write one of {', '.join(own.languages)}"
        yield document.problem(("default_language",), f"{own.default_language} is not among `languages`", fix)
    for name, texts in merged.templates.items():
        lacking = [language for language in own.languages if language not in texts]
        if lacking:
            fix = f"add {lacking[0]}: with subject and text, or take it out of `languages`"
            path = ("templates", name)
            yield document.problem(path, f"{name} is not written in {', '.join(lacking)}", fix, at_key=True)
    for name, texts in own.templates.items():
        for language, text in texts.items():
            for part, source in (("subject", text.subject), ("text", text.text)):
                yield from _text_problems(document, ("templates", name, language, part), source)


def _text_problems(document: Document, path: Path, source: str) -> Iterable[Problem]:
    try:
        variables = variables_of(source)
        template_engine().add_template("text", source)
    except minijinja.TemplateError as error:
        yield document.problem(path, f"the template does not parse: {error.message.splitlines()[0]}")
        return
    for name in sorted(variables - TEMPLATE_VARIABLES):
        guess = nearest(name, TEMPLATE_VARIABLES)
        fix = f"did you mean {guess}?" if guess else f"there are {', '.join(sorted(TEMPLATE_VARIABLES))}"
        yield _at_word(document, path, name, f"no variable is called {name}", fix)
    if len(_OPTION.findall(source)) > MAX_OPTIONS:
        yield document.problem(path, f"the reply offers more than {MAX_OPTIONS} options", "leave the weakest out")


def _at_word(document: Document, path: Path, word: str, message: str, fix: str) -> Problem:
    """Point at the first line from `path` on that has the word: a block text begins below its key."""
    line, column = document.places[path].value
    for number in range(line, len(document.lines)):
        at = document.lines[number].find(word, column if number == line else 0)
        if at >= 0:
            return document.at(number, at, message, fix)
    return document.problem(path, message, fix)


def _money_problems(document: Document, own: PackFile, merged: PackFile) -> Iterable[Problem]:
    if own.rates is not None and own.currency in own.rates.values:
        place = ("rates", "values", own.currency)
        yield document.problem(place, f"{own.currency} is the pack's own currency", "take it away", at_key=True)
    for role, limit in own.authority.items():
        yield from _rate_problems(document, ("authority", role), limit, merged)
    for at, row in enumerate(own.rules):
        for number, action in enumerate(row.then):
            if action.refund is None:
                continue
            path = ("rules", at, "then", number, "refund")
            if AUTOMATION not in merged.authority:
                fix = f'add authority: {{{AUTOMATION}: "20.00 {own.currency}"}}'
                yield document.problem(path, "the rule pays, but nothing says how much it may", fix)
            if action.refund.amount is not None:
                yield from _rate_problems(document, (*path, "amount"), action.refund.amount, merged)


def _rate_problems(document: Document, path: Path, money: Money, merged: PackFile) -> Iterable[Problem]:
    if merged.converted(money, merged.currency) is None:
        yield document.problem(path, f"there is no rate for {money.currency}", "add it under rates: values:")


def _meant(word: str, words: Collection[str], plural: str) -> str:
    guess = nearest(word, tuple(words))
    if guess:
        return f"did you mean {guess}?"
    return f"there are {', '.join(sorted(words))}" if words else f"this pack has no {plural}"
