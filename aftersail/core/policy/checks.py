"""What must fit together in a pack: rows that name each other, templates and their variables, money and authority."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

import minijinja
from pydantic import ValidationError

from aftersail.core.clocks import Basis, SourceKind
from aftersail.core.contract import Money
from aftersail.core.policy.actions import Action
from aftersail.core.policy.authority import AUTOMATION
from aftersail.core.policy.compiled import Pack, target_of
from aftersail.core.policy.document import Document, Path
from aftersail.core.policy.expressions import Condition, facts_of
from aftersail.core.policy.facts import CATALOGUE, DERIVED, FactType, nearest
from aftersail.core.policy.lines import SECTIONS
from aftersail.core.policy.pack import TEMPLATE_VARIABLES, ClockRow, PackFile, RuleRow, TargetRow, TemplateText
from aftersail.core.policy.problems import Problem, meant

MAX_OPTIONS: Final = 3
"""A reply offers at most so many numbered options: more of them put an upset buyer off."""

_OPTION = re.compile(r"^\s*(?:\d{1,2}[.)、]|[-*•])\s", re.MULTILINE)
_ASKED = re.compile(r"\{%-?\s*(?:if|elif)\s+(?:not\s+)?([A-Za-z_]\w*)\s*-?%\}")


def cross_check(
    document: Document, own: PackFile, merged: PackFile, parents: Sequence[Pack], tiers: Sequence[Condition]
) -> list[Problem]:
    """Find what does not fit together.

    Args:
        document: the child's file, where problems are shown.
        own: what the file itself says.
        merged: the same with its parents' rows.
        parents: the packs it extends.
        tiers: the conditions of the file's own tiers.
    """
    return [
        *_parent_problems(document, own, parents),
        *_double_problems(document, own),
        *_tier_problems(document, tiers),
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
    calendars: dict[str, tuple[str, object]] = {}
    for at, parent in enumerate(parents):
        path: Path = ("extends", at)
        if parent.currency != own.currency and _speaks_of_money(parent):
            message = f"{parent.id} counts in {parent.currency}, this pack in {own.currency}"
            yield document.problem(path, message, f"write currency: {parent.currency}")
        for name, row in parent.content.calendars.items():
            first, known = calendars.setdefault(name, (parent.id, row))
            if known != row:
                message = f"{first} and {parent.id} mean two things by the calendar {name}"
                yield document.problem(path, message, "one of the two packs must rename it")
            if parent.content.kind is not SourceKind.OWN and own.calendars.get(name, row) != row:
                message = f"the calendar {name} is {parent.id}'s, which counts by it"
                yield document.problem(("calendars", name), message, "choose another name", at_key=True)


def _speaks_of_money(pack: Pack) -> bool:
    """Whether a condition of the pack compares an amount, which is meant in the pack's own currency."""
    conditions = [tier.condition for tier in pack.tiers] + [rule.condition for rule in pack.rules]
    conditions += [line.condition for line in pack.rights.exceptions]
    return any(CATALOGUE[name].type is FactType.MONEY for condition in conditions for name in facts_of(condition))


def _double_problems(document: Document, own: PackFile) -> Iterable[Problem]:
    for section in ("rules", "targets", *SECTIONS):
        ids = [row.id for row in getattr(own, section)]
        counts = Counter(ids)
        for at, row_id in enumerate(ids):
            if counts[row_id] > 1 and ids.index(row_id) != at:
                message = f"`{row_id}` is the id of another row too"
                yield document.problem((section, at, "id"), message, f"write another id, such as {row_id}-{at + 1}")


def _tier_problems(document: Document, tiers: Sequence[Condition]) -> Iterable[Problem]:
    for at, condition in enumerate(tiers):
        for name in sorted(facts_of(condition) & DERIVED):
            message = f"{name} is worked out once the tier is known"
            yield document.problem(("tiers", at, "when"), message, "ask for it in a rule")


def _target_problems(document: Document, own: PackFile, merged: PackFile) -> Iterable[Problem]:
    tiers = {row.tier for row in merged.tiers}
    for at, row in enumerate(own.targets):
        for tier in row.when.tier or ():
            if tier not in tiers:
                yield document.problem(
                    ("targets", at, "when", "tier"), f"no tier is called {tier}", meant(tier, tiers, "tiers")
                )
        for number, clock in enumerate(row.clocks):
            path: Path = ("targets", at, "clocks", number)
            if clock.calendar is None and clock.basis is not Basis.ELAPSED:
                fix = f"add calendar: {next(iter(merged.calendars), 'desk')}"
                yield document.problem(path, f"{clock.basis} needs a calendar", fix)
            elif clock.calendar is not None and clock.calendar not in merged.calendars:
                fix = meant(clock.calendar, merged.calendars, "calendars")
                yield document.problem((*path, "calendar"), f"no calendar is called {clock.calendar}", fix)
            else:
                yield from _clock_problems(document, path, own, row, clock)


def _clock_problems(
    document: Document, path: Path, own: PackFile, row: TargetRow, clock: ClockRow
) -> Iterable[Problem]:
    try:
        target_of(row, clock, own)
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
            yield from _role_problems(document, ("rules", at, "then", number), action, merged)


def _reply_problems(
    document: Document, rule: RuleRow, path: Path, action: Action, merged: PackFile
) -> Iterable[Problem]:
    if action.reply is None:
        return
    name = action.reply.template
    place = (*path, "reply", "template")
    if name not in merged.templates:
        fix = meant(name, merged.templates, "templates")
        yield document.problem(place, f"no template is called {name}", fix)
    elif not rule.refunds and "refund_amount" in _known_variables(merged.templates[name].values()):
        message = f"{name} names refund_amount, but this rule pays nothing"
        yield document.problem(place, message, "add a refund to the rule or choose another template")


def _role_problems(document: Document, path: Path, action: Action, merged: PackFile) -> Iterable[Problem]:
    """Whoever is to approve must have an authority; roles that are only told or given work need none."""
    if action.approve is not None and action.approve.role not in merged.authority:
        fix = meant(action.approve.role, merged.authority, "roles under authority")
        message = f"nothing says how much the role {action.approve.role} may approve"
        yield document.problem((*path, "approve", "role"), message, fix)


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
