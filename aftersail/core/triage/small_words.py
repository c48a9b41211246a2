"""Small words and letters that tell near languages apart where a text is too short for statistics."""

from __future__ import annotations

import re
from collections.abc import Iterator

_WORDS = {
    "en": "the and my is it not was to of have you please this with i",
    "de": "der das und ich nicht ist mein meine ein eine mit auf aber bitte sie wurde noch bei",
    "fr": "le les je est pas mon ma des vous et une pour avec mais du il",
    "es": "el los las y mi muy pero hay cada una del por favor con se esta quiero tengo",
    "it": "il gli non mio mia sono della per ho perche questo vorrei una del con potete",
    "pt": "o os nao meu minha uma um com foi ainda voces muito mas quero tenho ao e por favor",
    "nl": "het een en ik niet mijn van dit maar nog heb wordt naar graag",
    "sv": "och jag inte ar ett att ni mycket fran nar hur vad fick den har",
    "da": "og jeg ikke er et at af jeres hvornar hvad hvordan meget kan sende med den har",
    "pl": "nie sie jest i w czy prosze moj moja moje do jak na z",
    "cs": "se je ze jsem na muj moje prosim kdy ale uz ve od jak mi co",
    "tr": "bir ve bu icin ne degil ama cok var yok",
}
_LETTERS = {
    "es": "ñ¿¡",
    "pt": "ãõ",
    "de": "ßäöü",
    "da": "æøå",
    "sv": "åäö",
    "pl": "łżśąęźń",
    "cs": "řěůčž",
    "tr": "ğış",
    "fr": "êèœ",
    "it": "ìòù",
}
_PLAIN = str.maketrans("áàâãäåçéèêěëíìîïñóòôõöøúùûüýčďłńřšśťůžźżąęğış", "aaaaaaceeeeeiiiinoooooouuuuycdlnrsstuzzzaegis")
_WORD = re.compile(r"[^\W\d_]+")


def _owners(texts: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
    listed: dict[str, list[str]] = {}
    for language, marks in texts.items():
        for mark in marks:
            listed.setdefault(mark, []).append(language)
    return {mark: tuple(languages) for mark, languages in listed.items()}


_BY_WORD = _owners({language: words.split() for language, words in _WORDS.items()})
_BY_LETTER = _owners({language: list(letters) for language, letters in _LETTERS.items()})


def pointers(text: str) -> Iterator[str]:
    """Languages that the small words and letters of a text point at: one entry for each word or letter and language.

    Case does not matter, and for words accents do not either.
    """
    lowered = text.casefold()
    for word in set(_WORD.findall(lowered.translate(_PLAIN))):
        yield from _BY_WORD.get(word, ())
    if not lowered.isascii():
        for letter in set(lowered):
            yield from _BY_LETTER.get(letter, ())
