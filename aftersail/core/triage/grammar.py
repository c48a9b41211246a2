"""How a phrase is written in a pack, and the rule it becomes.

Examples:
    item never arrived            these words, one after the other
    (not|never) arrived           one of several, at any place
    small + (scratch|dent)        all parts in one sentence, in any order
    (not|never) > (arrived|came)  all parts in this order and close together: at most five words between two of them
    not ~ (arrived|came)          the same, but at most two words between them; both may stand in one phrase
    <not> > arrived               the words that the pack lists as `not` under `words`, as if they stood in brackets
    refund*                       a word that begins so; `*rechnung` one that ends so
    does + ?                      a question mark counts as a word
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass

from aftersail.core.triage.folding import UNSPACED, fold

_GROUP = re.compile(r"\(([^()]*)\)")
_NAME = re.compile(r"<(\w+)>")
_GAPS = {">": 5, "~": 2}
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
        hint: it stands in a section such as `damaged?`: it points at the reason where nothing says it outright.
        gaps: how many words may stand between each part and the next; empty where the order is free.
    """

    section: str
    parts: tuple[tuple[str, ...], ...]
    gaps: tuple[int, ...] = ()
    hint: bool = False


def parse(phrase: str, section: str, language: str, words: Mapping[str, str] | None = None) -> Rule:
    """Read one phrase.

    Args:
        phrase: as in the pack.
        section: where it stands; with `?` at the end for a hint.
        language: one of the languages of triage.
        words: what `<name>` stands for: words with `|` between them.

    Raises:
        PhraseError: brackets do not pair, a part is empty, a `*` stands inside, `+` is mixed with `>` or `~`, a name is
            unknown, or it stands for too many phrases.
    """
    plain = _name_by_name(phrase, words or {})
    texts = re.split(r"\s[+>~]\s", plain)
    joins = re.findall(r"\s([+>~])\s", plain)
    if "+" in joins and set(joins) != {"+"}:
        raise PhraseError(f"{phrase!r} mixes + with > or ~; use one of them")
    parts = tuple(_part(text.strip(), language) for text in texts)
    gaps = tuple(_GAPS[join] for join in joins if join in _GAPS)
    return Rule(section=section.rstrip("?"), parts=parts, gaps=gaps, hint=section.endswith("?"))


def _name_by_name(phrase: str, words: Mapping[str, str]) -> str:
    def listed(found: re.Match[str]) -> str:
        if found[1] not in words:
            raise PhraseError(f"{phrase!r} uses <{found[1]}>, which `words` does not list")
        before = phrase[: found.start()]
        return words[found[1]] if before.count("(") > before.count(")") else f"({words[found[1]]})"

    return _NAME.sub(listed, phrase)


def weigh(words: int) -> float:
    """Weight of a match: 1 for one word, 1.5 for two, 2 for more."""
    return min(_WEIGHT_TOP, _WEIGHT_STEP + _WEIGHT_STEP * max(words, 1))


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
