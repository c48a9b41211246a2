"""One language's phrases as one automaton, and what they find in a text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import ahocorasick

from aftersail.core.triage.folding import sentences
from aftersail.core.triage.grammar import Rule, weigh
from aftersail.core.triage.sentence import Sentence

_GAP = 5


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A phrase that stands in a text: the pack's section, the words of the text that matched, the weight."""

    section: str
    words: str
    weight: float


@dataclass(frozen=True)
class _Match:
    """A rule that a sentence fulfils: one span per part, and every place that its parts cover."""

    number: int
    spans: tuple[range, ...]
    covered: frozenset[int]


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
        for part in sentences(text):
            for number, hit in self._find_in(Sentence.of(part, self.language)):
                if number not in best or hit.weight > best[number].weight:
                    best[number] = hit
        return tuple(best[number] for number in sorted(best))

    def _find_in(self, sentence: Sentence) -> list[tuple[int, Hit]]:
        if self._empty:
            return []
        spans: dict[int, dict[int, list[range]]] = defaultdict(lambda: defaultdict(list))
        for end, (literal, owners) in self._automaton.iter(sentence.folded):
            begin = end + 1 - len(literal)
            span = range(begin + literal.startswith(" "), end + 1 - literal.endswith(" "))
            for number, part in owners:
                spans[number][part].append(span)
        matches = [match for number, parts in spans.items() if (match := self._match(number, parts, sentence))]
        return [
            (match.number, self._hit(match, sentence))
            for match in matches
            if self._rules[match.number].section != "ignore" and not self._silenced(match, matches)
        ]

    def _match(self, number: int, parts: dict[int, list[range]], sentence: Sentence) -> _Match | None:
        rule = self._rules[number]
        if len(parts) < len(rule.parts):
            return None
        listed = [parts[part] for part in range(len(rule.parts))]
        if rule.ordered:
            chain = _chain(listed, sentence)
            return _Match(number, chain, frozenset().union(*chain)) if chain else None
        longest = tuple(max(spans, key=len) for spans in listed)
        return _Match(number, longest, frozenset().union(*(span for spans in listed for span in spans)))

    def _silenced(self, match: _Match, matches: list[_Match]) -> bool:
        section = self._rules[match.number].section
        for other in matches:
            rival = self._rules[other.number].section
            ignored = rival == "ignore" and match.covered <= other.covered
            if rival != section and (ignored or match.covered < other.covered):
                return True
        return False

    def _hit(self, match: _Match, sentence: Sentence) -> Hit:
        literals = tuple(sentence.folded[span.start : span.stop] for span in match.spans)
        return Hit(
            section=self._rules[match.number].section,
            words=sentence.quote(place for span in match.spans for place in span),
            weight=weigh(literals, self.language),
        )


def _chain(listed: list[list[range]], sentence: Sentence, after: range | None = None) -> tuple[range, ...]:
    """One span per part, each close behind the one before, long ones first; empty where there is no such row."""
    if not listed:
        return ()
    for span in sorted(listed[0], key=len, reverse=True):
        if after is None or (after.stop <= span.start and sentence.words_between(after.stop, span.start) <= _GAP):
            rest = _chain(listed[1:], sentence, span)
            if len(rest) == len(listed) - 1:
                return (span, *rest)
    return ()
