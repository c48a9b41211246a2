"""One language's phrases as one automaton, and what they find in a text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import ahocorasick

from aftersail.core.triage.folding import UNSPACED, fold, sentences
from aftersail.core.triage.grammar import Rule, weigh


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A phrase that stands in a text: the pack's section, the phrase as the pack writes it, its weight."""

    section: str
    phrase: str
    weight: float


@dataclass
class _Found:
    """Where a rule's parts stand in one sentence: covered positions, and per part the longest literal that matched."""

    covered: set[int] = field(default_factory=set)
    literals: dict[int, str] = field(default_factory=dict)


class PhrasePack:
    """The phrases of one language. Reading is thread-safe.

    A match whose words all belong to a longer match of another section is dropped, so that "not received" silences
    "received"; sections named `ignore` silence in the same way and say nothing themselves.
    """

    def __init__(self, language: str, rules: Iterable[Rule]) -> None:
        self.language = language
        self._rules = tuple(rules)
        owners: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for number, rule in enumerate(self._rules):
            for part, literals in enumerate(rule.parts):
                for literal in literals:
                    owners[literal].append((number, part))
        self._automaton = ahocorasick.Automaton()
        for literal in sorted(owners):
            self._automaton.add_word(literal, (literal, tuple(owners[literal])))
        if owners:
            self._automaton.make_automaton()
        self._empty = not owners

    def find(self, text: str) -> tuple[Hit, ...]:
        """Every phrase of the text, each once, in the order of the pack."""
        best: dict[int, float] = {}
        for sentence in sentences(text):
            for number, weight in self._find_in(sentence):
                best[number] = max(weight, best.get(number, 0.0))
        return tuple(
            Hit(section=self._rules[number].section, phrase=self._rules[number].phrase, weight=best[number])
            for number in sorted(best)
        )

    def _find_in(self, sentence: str) -> list[tuple[int, float]]:
        folded = fold(sentence, self.language)
        if self._empty or not folded:
            return []
        padded = folded if self.language in UNSPACED else f" {folded} "
        found: dict[int, _Found] = defaultdict(_Found)
        for end, (literal, owners) in self._automaton.iter(padded):
            begin = end + 1 - len(literal)
            covered = range(begin + literal.startswith(" "), end + 1 - literal.endswith(" "))
            for number, part in owners:
                rule = found[number]
                rule.covered.update(covered)
                rule.literals[part] = max(literal, rule.literals.get(part, ""), key=lambda item: (len(item), item))
        whole = {
            number: rule for number, rule in found.items() if len(rule.literals) == len(self._rules[number].parts)
        }
        return [
            (number, self._weight(number, rule))
            for number, rule in whole.items()
            if self._rules[number].section != "ignore" and not self._silenced(number, rule, whole)
        ]

    def _silenced(self, number: int, rule: _Found, whole: dict[int, _Found]) -> bool:
        section = self._rules[number].section
        for other, longer in whole.items():
            rival = self._rules[other].section
            ignored = rival == "ignore" and rule.covered <= longer.covered
            if rival != section and (ignored or rule.covered < longer.covered):
                return True
        return False

    def _weight(self, number: int, rule: _Found) -> float:
        fixed = self._rules[number].weight
        return weigh(tuple(rule.literals.values()), self.language) if fixed is None else fixed
