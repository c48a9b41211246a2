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
    """A phrase that stands in a text: the pack's section, the words of the text that matched, the weight."""

    section: str
    words: str
    weight: float


@dataclass
class _Found:
    """Where a rule's parts stand in one sentence: covered positions, and per part the longest literal and its span."""

    covered: set[int] = field(default_factory=set)
    longest: dict[int, tuple[str, range]] = field(default_factory=dict)

    def add(self, part: int, literal: str, span: range) -> None:
        self.covered.update(span)
        if part not in self.longest or len(literal) > len(self.longest[part][0]):
            self.longest[part] = literal, span


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
        best: dict[int, Hit] = {}
        for sentence in sentences(text):
            for number, hit in self._find_in(sentence):
                if number not in best or hit.weight > best[number].weight:
                    best[number] = hit
        return tuple(best[number] for number in sorted(best))

    def _find_in(self, sentence: str) -> list[tuple[int, Hit]]:
        folded, origins = _align(sentence, self.language)
        if self._empty or not folded.strip():
            return []
        found: dict[int, _Found] = defaultdict(_Found)
        for end, (literal, owners) in self._automaton.iter(folded):
            begin = end + 1 - len(literal)
            span = range(begin + literal.startswith(" "), end + 1 - literal.endswith(" "))
            for number, part in owners:
                found[number].add(part, literal, span)
        whole = {number: rule for number, rule in found.items() if len(rule.longest) == len(self._rules[number].parts)}
        return [
            (number, self._hit(number, rule, folded, origins))
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

    def _hit(self, number: int, rule: _Found, folded: str, origins: list[str]) -> Hit:
        literals = tuple(literal for literal, _ in rule.longest.values())
        fixed = self._rules[number].weight
        return Hit(
            section=self._rules[number].section,
            words=_quote(folded, origins, sorted({place for _, span in rule.longest.values() for place in span})),
            weight=weigh(literals, self.language) if fixed is None else fixed,
        )


def _align(sentence: str, language: str) -> tuple[str, list[str]]:
    """The folded sentence, with a space at either end where words have boundaries, and its words as they were written.

    The n-th written word stands behind the n-th space. Unspaced languages have no words to tell apart.
    """
    if language in UNSPACED:
        return fold(sentence, language), []
    origins: list[str] = []
    words: list[str] = []
    for origin in sentence.split():
        for word in fold(origin, language).split():
            words.append(word)
            origins.append(origin)
    return f" {' '.join(words)} ", origins


def _quote(folded: str, origins: list[str], places: list[int]) -> str:
    """What stands at these places, as the buyer wrote it; gaps become an ellipsis."""
    if not origins:
        runs = [place for place in places if place - 1 not in places]
        return "".join((" … " if place in runs[1:] else "") + folded[place] for place in places)
    numbers = sorted({folded.count(" ", 0, place) - 1 for place in places if folded[place] != " "})
    quoted: list[str] = []
    for before, number in zip([numbers[0] - 1, *numbers], numbers, strict=False):
        word = _EDGES.sub("", origins[number])[:_LONGEST_WORD]
        if before < number - 1:
            quoted.append("…")
        if not quoted or origins[before] is not origins[number]:
            quoted.append(word or origins[number])
    return " ".join(quoted)
