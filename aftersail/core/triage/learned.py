"""What labelled messages taught of each language: how likely each reason is, given a text and the phrases found in it.

A linear model over pieces of words, pairs of words and phrases: small enough to ship, quick enough for every message,
and able to say which words made it think so. `training/triage` fits it.
"""

from __future__ import annotations

import bisect
import itertools
import math
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ahocorasick

from aftersail.core.policy.reasons import Reason
from aftersail.core.triage.folding import UNSPACED
from aftersail.core.triage.matching import Hit
from aftersail.core.triage.sentence import Sentence

SHIPPED = Path(__file__).parent / "weights"
REASONS = tuple(reason.value for reason in Reason)

_SIZES = range(3, 6)
_SIZES_UNSPACED = range(1, 4)
_MOST_EVIDENCE = 2.0
_QUOTED = 5
_PLACES = {reason: place for place, reason in enumerate(REASONS)}


def pieces(sentence: Sentence, language: str) -> set[str]:
    """What of a sentence may become a feature: words, pairs of words, and three to five letters within one.

    One to three characters stand for words where those are not spaced. Each is a part of `Sentence.folded`.
    """
    folded = sentence.folded
    if language in UNSPACED:
        return {folded[at : at + size] for size in _SIZES_UNSPACED for at in range(len(folded) - size + 1)}
    words = folded.split()
    found = {f" {one} {other} " for one, other in itertools.pairwise(words)}
    for word in (f" {word} " for word in words):
        found |= {word, *(word[at : at + size] for size in _SIZES for at in range(len(word) - size + 1))}
    return found


def evidence(hits: Iterable[tuple[Hit, float]]) -> dict[int, float]:
    """How much the phrases say for each reason, at most 2: outright by its place in `REASONS`, as hints behind those.

    Args:
        hits: phrases with the factor of the field they stand in.
    """
    found: dict[int, float] = {}
    for hit, factor in hits:
        if hit.section in _PLACES:
            place = _PLACES[hit.section] + len(REASONS) * hit.hint
            found[place] = min(found.get(place, 0.0) + hit.weight * factor, _MOST_EVIDENCE)
    return found


class Vocabulary:
    """The features of a language, found in one pass over a text. Thread-safe."""

    def __init__(self, features: Sequence[str]) -> None:
        self._features = features
        self._automaton = ahocorasick.Automaton()
        for number, feature in enumerate(features):
            self._automaton.add_word(feature, number)
        self._automaton.make_automaton()

    def find(self, sentences: Sequence[Sentence]) -> dict[int, int]:
        """The features that occur, each with the last character of one place in all the sentences, a line each."""
        lines = "\n".join([sentence.folded for sentence in sentences])
        return {number: last for last, number in self._automaton.iter(lines)}

    def span(self, number: int, last: int) -> tuple[int, int]:
        """Where a feature that was found begins and ends."""
        return last + 1 - len(self._features[number]), last + 1


class Learned:
    """The fitted weights of one language. Thread-safe.

    Attributes:
        lessons: the hash of the messages and phrases that they were fitted to.
    """

    def __init__(self, stored: Mapping[str, Any]) -> None:
        import numpy  # noqa: PLC0415, ICN001 - only a desk that reads messages needs it

        self.lessons = str(stored["lessons"])
        self._vocabulary = Vocabulary(str(stored["features"]).split("\n"))
        rarity = stored["rarity"].astype("f4")[:, None]
        weights = stored["weights"] * (rarity * stored["scale"])
        # Beside its weights stands the square of a feature's rarity: one sum gives both the odds and a text's length.
        self._table = numpy.hstack([weights, rarity * rarity])
        self._evidence = stored["evidence"].astype("f4")
        self._bias = stored["bias"].astype("f4")

    def rank(self, sentences: Sequence[Sentence], hits: Sequence[tuple[Hit, float]]) -> Ranking:
        """Tell how likely each reason is; a text without any known feature leaves them nearly equal."""
        found = self._vocabulary.find(sentences)
        total = self._bias
        for place, weight in evidence(hits).items():
            total = total + self._evidence[place] * weight
        if found:
            summed = self._table[list(found)].sum(axis=0)
            total = total + summed[:-1] / math.sqrt(summed[-1])
        odds = [math.exp(each) for each in total.tolist()]
        whole = sum(odds)
        likely = {reason: each / whole for reason, each in zip(REASONS, odds, strict=True)}
        return Ranking(likely, self, sentences, found)

    def words(self, reason: str, sentences: Sequence[Sentence], found: Mapping[int, int]) -> str:
        """The words of the sentence that speaks most for a reason; empty where none does."""
        starts = list(itertools.accumulate((len(sentence.folded) + 1 for sentence in sentences), initial=0))
        for_it: dict[int, list[tuple[float, int, int]]] = {}
        shares = self._table[list(found), _PLACES[reason]].tolist()
        for share, (number, last) in zip(shares, found.items(), strict=True):
            if share > 0:
                place = bisect.bisect_right(starts, last) - 1
                begin, end = self._vocabulary.span(number, last)
                for_it.setdefault(place, []).append((share, begin - starts[place], end - starts[place]))
        if not for_it:
            return ""
        loudest = max(for_it, key=lambda place: sum(share for share, _, _ in for_it[place]))
        strongest = sorted(for_it[loudest], reverse=True)[:_QUOTED]
        return sentences[loudest].quote((begin, end) for _, begin, end in strongest)


@dataclass(frozen=True)
class Ranking:
    """How likely each reason is for one text.

    Attributes:
        likely: by reason, 0 to 1, in sum 1.
    """

    likely: dict[str, float]
    _learned: Learned
    _sentences: Sequence[Sentence]
    _found: Mapping[int, int]

    def words(self, reason: str) -> str:
        """The words of the sentence that speaks most for a reason; empty where none does."""
        return self._learned.words(reason, self._sentences, self._found)


class Lessons:
    """The fitted weights by language, each loaded at its first use. Thread-safe."""

    def __init__(self, folder: Path = SHIPPED) -> None:
        self._folder = folder
        self._known: dict[str, Learned | None] = {}
        self._lock = threading.Lock()

    def of(self, language: str) -> Learned | None:
        """What is known of a language; None where nothing is."""
        with self._lock:
            if language not in self._known:
                path = self._folder / f"{language}.npz"
                self._known[language] = _load(path) if path.is_file() else None
            return self._known[language]


def _load(path: Path) -> Learned:
    import numpy as np  # noqa: PLC0415 - only a desk that reads messages needs it

    with np.load(path, allow_pickle=False) as stored:
        return Learned(stored)
