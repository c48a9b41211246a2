"""Rules of one priority that would do two things to one ticket: told when the pack loads, where the words tell it.

What the words do not tell is found when it happens, and then a person decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, groupby

from aftersail.core.policy.compiled import Rule
from aftersail.core.policy.constraints import Asked, asked_of, surely_meet
from aftersail.core.policy.document import Document
from aftersail.core.policy.pack import RuleRow
from aftersail.core.policy.problems import Problem


def conflict_check(document: Document, rules: Sequence[Rule], own: Sequence[RuleRow]) -> Iterator[Problem]:
    """Find pairs that surely meet in some ticket and contradict each other, one of them in this file.

    Args:
        document: the file.
        rules: all rules of the pack, its parents' too, highest priority first.
        own: the rows of the file, in its order.
    """
    places = {row.id: at for at, row in enumerate(own)}
    for _, group in groupby(rules, key=lambda rule: rule.row.priority):
        acting = [_Acting.of(rule) for rule in group]
        for one, other in combinations([act for act in acting if act.remedies or act.owners], 2):
            first, later = sorted((one, other), key=lambda act: places.get(act.rule.row.id, -1))
            what = _contradiction(one, other) if later.rule.row.id in places else None
            if what is not None and surely_meet(one.asked, other.asked):
                names = f"{later.rule.row.id} and {first.rule.row.id} ({first.rule.where})"
                place = ("rules", places[later.rule.row.id], "priority")
                message = f"{names} can both match, and {what}"
                yield document.problem(place, message, "give one of them a higher priority")


@dataclass(frozen=True)
class _Acting:
    """A rule with what matters here."""

    rule: Rule
    remedies: tuple[str, ...]
    owners: frozenset[str]

    @classmethod
    def of(cls, rule: Rule) -> _Acting:
        owners = frozenset(str(action.assign) for action in rule.row.then if action.assign is not None)
        return cls(rule, rule.remedies, owners)

    @cached_property
    def asked(self) -> Asked:
        return asked_of(self.rule.condition)


def _contradiction(one: _Acting, other: _Acting) -> str | None:
    if one.remedies and other.remedies:
        return "both give the buyer something"
    owners = one.owners | other.owners
    return f"they give the ticket to {' and to '.join(sorted(owners))}" if len(owners) > 1 else None
