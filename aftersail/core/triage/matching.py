"""One language's phrases as one automaton, and what they find in a text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import ahocorasick

from aftersail.core.triage.grammar import Rule, weigh
from aftersail.core.triage.sentence import Sentence

_MOST = 12
"""Places of one part that are tried in one sentence: a text that repeats a word without end must not take long."""

_Span = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A phrase that stands in a text: the pack's section, whether it only hints, its weight, and where."""

    section: str
    hint: bool
    weight: float
    sentence: Sentence
    spans: tuple[_Span, ...]

    @property
    def words(self) -> str:
        """The words of the text that matched, as written."""
        return self.sentence.quote(self.spans)


@dataclass(frozen=True)
class _Match:
    """A rule that a sentence fulfils: one span per part, and a bit for every place that its parts cover."""

    number: int
    section: str
    hint: bool
    spans: tuple[_Span, ...]
    covered: int


class PhrasePack:
    """The phrases of one language. Reading is thread-safe.

    A match whose words all belong to a longer match of another section is dropped, so that "not received" silences
    "received"; sections named `ignore` silence in the same way and say nothing themselves, and hints silence nothing.
    """

    def __init__(self, language: str, rules: Iterable[Rule]) -> None:
        self.language = language
        self._rules = tuple(rules)
        numbers: dict[tuple[str, ...], int] = {}
        self._parts = tuple(
            tuple(numbers.setdefault(part, len(numbers)) for part in rule.parts) for rule in self._rules
        )
        users: dict[int, set[int]] = defaultdict(set)
        for number, parts in enumerate(self._parts):
            for part in parts:
                users[part].add(number)
        # A rule is looked at only when its rarest part stands in the sentence, not at every "not".
        self._keyed: dict[int, list[int]] = defaultdict(list)
        for number, parts in enumerate(self._parts):
            self._keyed[min(parts, key=lambda part: (len(users[part]), part))].append(number)
        owners: dict[str, list[int]] = defaultdict(list)
        for literals, number in numbers.items():
            for literal in literals:
                owners[literal].append(number)
        self._automaton = ahocorasick.Automaton()
        for literal in sorted(owners):
            inner = (len(literal) - literal.startswith(" "), literal.endswith(" "))
            self._automaton.add_word(literal, (*inner, tuple(owners[literal])))
        if owners:
            self._automaton.make_automaton()
        self._empty = not owners

    def find(self, sentences: Iterable[Sentence]) -> tuple[Hit, ...]:
        """Every phrase of a text, each once, in the order of the pack."""
        best: dict[int, Hit] = {}
        for sentence in sentences:
            for number, hit in self._find_in(sentence):
                if number not in best or hit.weight > best[number].weight:
                    best[number] = hit
        return tuple(best[number] for number in sorted(best))

    def _find_in(self, sentence: Sentence) -> list[tuple[int, Hit]]:
        if self._empty:
            return []
        places: dict[int, list[_Span]] = {}
        for last, (length, space, owners) in self._automaton.iter(sentence.folded):
            span = (last + 1 - length, last + 1 - space)
            for part in owners:
                places.setdefault(part, []).append(span)
        matches = [
            match
            for part in places
            for number in self._keyed.get(part, ())
            if (match := self._match(number, places, sentence))
        ]
        return [
            (match.number, self._hit(match, sentence))
            for match in matches
            if match.section != "ignore" and not _silenced(match, matches)
        ]

    def _match(self, number: int, places: dict[int, list[_Span]], sentence: Sentence) -> _Match | None:
        listed = []
        for part in self._parts[number]:
            if part not in places:
                return None
            listed.append(places[part])
        rule = self._rules[number]
        if rule.gaps:
            chain = _chain([spans[:_MOST] for spans in listed], rule.gaps, sentence)
            return _Match(number, rule.section, rule.hint, chain, _bits(chain)) if chain else None
        longest = tuple(max(spans, key=_length) for spans in listed)
        covered = _bits(span for spans in listed for span in spans)
        return _Match(number, rule.section, rule.hint, longest, covered)

    def _hit(self, match: _Match, sentence: Sentence) -> Hit:
        weight = weigh(sum(sentence.size(begin, end) for begin, end in match.spans))
        return Hit(section=match.section, hint=match.hint, weight=weight, sentence=sentence, spans=match.spans)


def _length(span: _Span) -> int:
    return span[1] - span[0]


def _bits(spans: Iterable[_Span]) -> int:
    covered = 0
    for begin, end in spans:
        covered |= (1 << end) - (1 << begin)
    return covered


def _silenced(match: _Match, matches: list[_Match]) -> bool:
    for other in matches:
        if other.hint or other.section == match.section or match.covered & ~other.covered:
            continue
        if other.section == "ignore" or other.covered != match.covered:
            return True
    return False


def _chain(
    listed: list[list[_Span]], gaps: tuple[int, ...], sentence: Sentence, after: _Span | None = None
) -> tuple[_Span, ...]:
    """One span per part, each close behind the one before, long ones first; empty where there is no such row."""
    spans, *others = listed
    for span in sorted(spans, key=_length, reverse=True) if len(spans) > 1 else spans:
        if after and (after[1] > span[0] or sentence.words_between(after[1], span[0]) > gaps[-len(listed)]):
            continue
        if not others:
            return (span,)
        if rest := _chain(others, gaps, sentence, span):
            return (span, *rest)
    return ()
