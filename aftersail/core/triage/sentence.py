"""One sentence of a buyer: folded for the search, and still able to say which of its words a match covers."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from aftersail.core.triage.folding import UNSPACED, fold

_EDGES = "\"'.,:;!?()[]«»“”„‚¡¿*-–—"  # noqa: RUF001 - the quotation marks and dashes buyers type
_LONGEST = 40


@dataclass(frozen=True)
class Sentence:
    """A folded sentence and where each of its characters comes from.

    Attributes:
        folded: with a space at either end where words have boundaries.
        words: the words as written; single folded characters in an unspaced language.
        owners: for each character of `folded` the number of its word.
        glue: what stands between two words.
    """

    folded: str
    words: tuple[str, ...]
    owners: tuple[int, ...]
    glue: str

    @classmethod
    def of(cls, text: str, language: str) -> Sentence:
        """Fold a sentence."""
        if language in UNSPACED:
            folded = fold(text, language)
            return cls(folded, tuple(folded), tuple(range(len(folded))), "")
        words = tuple(text.split())
        folded, owners = " ", [0]
        for number, word in enumerate(words):
            if piece := fold(word, language):
                folded += f"{piece} "
                owners += [number] * (len(piece) + 1)
        return cls(folded, words, tuple(owners), " ")

    def words_between(self, begin: int, end: int) -> int:
        """How many words stand between two places of `folded`; two characters are a word where none are spaced."""
        between = self.folded[begin:end]
        return len(between.split()) if self.glue else len(between) // 2

    def quote(self, places: Iterable[int]) -> str:
        """The words that stand at these places of `folded`, as written; an ellipsis stands for words left out."""
        numbers = sorted({self.owners[place] for place in places})
        said = ""
        for before, number in itertools.pairwise([numbers[0], *numbers]):
            gap = " … " if number > before + 1 else self.glue if number > before else ""
            said += gap + (self.words[number].strip(_EDGES) or self.words[number])[:_LONGEST]
        return said
