"""How a phrase is written in a pack, and the rule it becomes.

Examples:
    item never arrived            these words, one after the other
    (not|never) arrived           one of several, at any place
    small + (scratch|dent)        all parts in one sentence, in any order
    (not|never) > (arrived|came)  all parts in this order and close together: at most five words between two of them
    refund*                       a word that begins so; `*rechnung` one that ends so
    does + ?                      a question mark counts as a word
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from aftersail.core.triage.folding import UNSPACED, fold

_GROUP = re.compile(r"\(([^()]*)\)")
_SPELT_OUT = {
    "de": (("ä", "ae"), ("ö", "oe"), ("ü", "ue")),
    "da": (("å", "aa"), ("ø", "oe")),
}
"""How letters are typed on a keyboard that lacks them, beside the plain letter that folding leaves."""

_LIMIT = 400
_WEIGHT_STEP = 0.5
_WEIGHT_TOP = 2.0


class PhraseError(ValueError):
    """A phrase cannot be read; says what is wrong with it."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One phrase of a pack, ready to match.

    Attributes:
        section: the pack's section it stands in: a reason, `ignore`, `escalation`, `severity_high`, `severity_low`.
        parts: per part every literal that fulfils it, with spaces where a word must end.
        ordered: the parts must follow each other closely.
    """

    section: str
    parts: tuple[tuple[str, ...], ...]
    ordered: bool = False


def parse(phrase: str, section: str, language: str) -> Rule:
    """Read one phrase.

    Raises:
        PhraseError: brackets do not pair, a part is empty, a `*` stands inside, `+` and `>` are mixed, or it stands for
            too many phrases.
    """
    texts = re.split(r"\s[+>]\s", phrase)
    joins = set(re.findall(r"\s([+>])\s", phrase))
    if len(joins) > 1:
        raise PhraseError(f"{phrase!r} mixes + and >; use one of them")
    parts = tuple(_part(text.strip(), language) for text in texts)
    return Rule(section=section, parts=parts, ordered=">" in joins)


def weigh(literals: tuple[str, ...], language: str) -> float:
    """Weight of a match: 1 for one word, 1.5 for two, 2 for more. Two characters are a word where none are spaced."""
    units = 0
    for literal in literals:
        bare = literal.strip()
        units += (len(bare) + 1) // 2 if language in UNSPACED else len(bare.split())
    return min(_WEIGHT_TOP, _WEIGHT_STEP + _WEIGHT_STEP * units)


def _part(part: str, language: str) -> tuple[str, ...]:
    spelt = {literal for text in _expand(part) for literal in _spellings(text, part, language)}
    return tuple(sorted(spelt))


def _expand(part: str) -> list[str]:
    pieces = _GROUP.split(part)
    if any(bracket in piece for piece in pieces for bracket in "()"):
        raise PhraseError(f"the brackets in {part!r} do not pair")
    choices = [piece.split("|") if index % 2 else [piece] for index, piece in enumerate(pieces)]
    if any("|" in piece for piece in pieces[::2]):
        raise PhraseError(f"{part!r} has a | outside of brackets")
    texts = ["".join(choice) for choice in itertools.islice(itertools.product(*choices), _LIMIT + 1)]
    if len(texts) > _LIMIT:
        raise PhraseError(f"{part!r} stands for more than {_LIMIT} phrases; write it as several")
    return texts


def _spellings(text: str, part: str, language: str) -> list[str]:
    bare = text.strip()
    begins, ends = bare.startswith("*"), bare.endswith("*")
    bare = bare.strip("*")
    if "*" in bare:
        raise PhraseError(f"{part!r} has a * inside; put it at either end, or join parts with ' + ' or ' > '")
    variants = {bare}
    if pairs := _SPELT_OUT.get(language):
        spelt = bare.casefold()
        for letter, letters in pairs:
            spelt = spelt.replace(letter, letters)
        variants.add(spelt)
    folded = [fold(variant, language) for variant in sorted(variants)]
    if not all(folded):
        raise PhraseError(f"{part!r} is empty, or holds nothing but marks")
    if language in UNSPACED:
        return folded
    return [f"{'' if begins else ' '}{literal}{'' if ends else ' '}" for literal in folded]
