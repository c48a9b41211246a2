"""One sentence of a buyer: folded for the search, and still able to say which of its words a match covers."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from functools import cached_property, lru_cache

from aftersail.core.triage.folding import UNSPACED, fold, sentences

_EDGES = "\"'.,:;!?()[]«»“”„‚¡¿*-–—"  # noqa: RUF001 - the quotation marks and dashes buyers type
_LONGEST = 40


class Sentence:
    """A folded sentence, and where each of its characters comes from.

    Attributes:
        folded: with a space at either end where words have boundaries.
    """

    def __init__(self, text: str, language: str) -> None:
        self._text = text
        self._language = language
        self._spaced = language not in UNSPACED
        folded = fold(text, language)
        self.folded = f" {folded} " if self._spaced else folded

    def words_between(self, begin: int, end: int) -> int:
        """How many words stand between two places of `folded`; two characters are a word where none are spaced."""
        return self.folded.count(" ", begin, end) - 1 if self._spaced else (end - begin) // 2

    def size(self, begin: int, end: int) -> int:
        """How many words lie within two places; two characters are a word where none are spaced, a `?` is none."""
        if self.folded[begin:end] == "?":
            return 0
        return self.folded.count(" ", begin, end) + 1 if self._spaced else (end - begin + 1) // 2

    def quote(self, spans: Iterable[tuple[int, int]]) -> str:
        """The words that stand at these places of `folded`, as written; an ellipsis stands for words left out."""
        words, owners = self._origin
        numbers = sorted({owners[place] for begin, end in spans for place in range(begin, end)})
        said = ""
        for before, number in itertools.pairwise([numbers[0], *numbers]):
            gap = " … " if number > before + 1 else " " * self._spaced if number > before else ""
            said += gap + (words[number].strip(_EDGES) or words[number])[:_LONGEST]
        return said

    @cached_property
    def _origin(self) -> tuple[tuple[str, ...], list[int]]:
        """The words as written, single folded characters where none are spaced, and each place's word."""
        if not self._spaced:
            return tuple(self.folded), list(range(len(self.folded)))
        words = tuple(self._text.split())
        owners = [0]
        for number, word in enumerate(words):
            if piece := _fold_word(word, self._language):
                owners += [number] * (len(piece) + 1)
        return words, owners


@lru_cache(maxsize=4096)
def _fold_word(word: str, language: str) -> str:
    """As `fold`; a few thousand words are most of what buyers write."""
    return fold(word, language)


def read(text: str, language: str) -> list[Sentence]:
    """Take a text apart into its sentences."""
    return [Sentence(part, language) for part in sentences(text)]
