"""Which of the supported languages a text is written in."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import lru_cache
from threading import Lock
from typing import Any

from aftersail.core.triage.small_words import pointers

LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "sv", "da", "cs", "ja", "zh", "ko", "ar", "tr", "ru")
UNKNOWN = "und"
"""BCP 47's tag for an undetermined language."""

_LATIN = tuple(language for language in LANGUAGES if language not in {"ja", "zh", "ko", "ar", "ru"})
_NOISE = re.compile(r"https?://[!-~]+|[!-~]+@[!-~]+|\b[\w-]*\d[\w-]*\b", re.ASCII)
"""Addresses and numbers, in ASCII only: Chinese and Japanese stand right beside them, without a space."""

_HINT_FACTOR = 4.0
"""How much likelier the marketplace's own language is before a word is read."""

_POINTER_FACTOR = 1.5
"""How much likelier a small word or letter of its own makes a language."""

_MARGIN = 0.10
_MIN_LETTERS = 4
_MIN_LETTERS_UNHINTED = 10
_SCRIPT_SHARE = 0.3
_MAX_CHARS = 1000
_POINTED_CHARS = 200
_SYLLABLE = 3
"""Letters of an alphabet that a sign of Chinese, Japanese or Korean is worth, so that a brand name does not outweigh
them."""

_JAPANESE = re.compile(
    r"[々届払発売図価込円働対関様済増検帰歳権鉄駅験県囲団圧塩壊変実戻択読気汚帯応単戦択拡芸薬訳譲転軽辺遅]"
    r"|返品|返金|領収|未着|注文|到着|希望|至急|欠品|誤配|納品|在庫|納期|送料|送付|対応|交換|荷物|商品番号|不具合|故障中|修理"
)
"""Characters and words that a text without any kana has in Japanese and not in Chinese."""

_lock = Lock()


def detect(text: str, hint: str | None = None) -> tuple[str, float]:
    """Tell the language and how sure (0 to 1).

    A script that only one of the languages uses decides at once; Latin letters go to py3langid. `hint` is the
    marketplace's locale (`de`, `de-AT`, `pt_BR`): it makes its language likelier but never certain. The answer is
    `("und", 0.0)` for a text that is empty or too short, and `("und", share)` where two languages are too close.
    """
    expected = _base(hint)
    plain = _NOISE.sub(" ", unicodedata.normalize("NFKC", text[:_MAX_CHARS]))
    letters = _letters(plain)
    total = letters.total()
    if not total:
        return UNKNOWN, 0.0
    by_script = _from_script(plain, letters, total, expected)
    if by_script:
        return by_script
    latin = letters["latin"]
    if latin < _MIN_LETTERS or latin / total < _SCRIPT_SHARE or (latin < _MIN_LETTERS_UNHINTED and not expected):
        return UNKNOWN, 0.0
    return _from_words(plain, expected)


def _base(hint: str | None) -> str | None:
    base = re.split(r"[-_]", hint or "")[0].casefold()
    return base if base in LANGUAGES else None


def _letters(plain: str) -> Counter[str]:
    if plain.isascii():
        return Counter(latin=sum(map(str.isalpha, plain)))
    letters = Counter(map(_script, filter(str.isalpha, plain)))
    for script in ("ja", "han", "ko"):
        letters[script] *= _SYLLABLE
    return letters


@lru_cache(maxsize=4096)
def _script(char: str) -> str:
    point = ord(char)
    if 0x3040 <= point <= 0x30FF:  # noqa: PLR2004 - the Unicode block of kana
        return "ja"
    if 0x4E00 <= point <= 0x9FFF:  # noqa: PLR2004 - the Unicode block of Han
        return "han"
    name = unicodedata.name(char, "").partition(" ")[0]
    return {"HANGUL": "ko", "ARABIC": "ar", "CYRILLIC": "ru", "LATIN": "latin"}.get(name, "none")


def _from_script(plain: str, letters: Counter[str], total: int, expected: str | None) -> tuple[str, float] | None:
    han, kana = letters["han"], letters["ja"]
    if kana and (kana + han) / total >= _SCRIPT_SHARE:
        return "ja", 1.0
    if han / total >= _SCRIPT_SHARE and han >= letters["ko"]:
        return ("ja", 0.7) if expected == "ja" or (expected != "zh" and _JAPANESE.search(plain)) else ("zh", 0.9)
    for language in ("ko", "ar", "ru"):
        if letters[language] / total >= _SCRIPT_SHARE:
            return language, 1.0 if language == "ko" else 0.95
    return None


def _from_words(plain: str, expected: str | None) -> tuple[str, float]:
    shares: dict[str, float] = dict(_identifier().rank(plain))
    if expected in shares:
        shares[expected] *= _HINT_FACTOR
    for language in pointers(plain[:_POINTED_CHARS]):
        shares[language] *= _POINTER_FACTOR
    total = sum(shares.values())
    ranked = sorted(((share / total, language) for language, share in shares.items()), reverse=True)
    (best, language), (second, _) = ranked[:2]
    if best - second < _MARGIN:
        return UNKNOWN, round(best, 3)
    return language, round(best, 3)


def _identifier() -> Any:
    # The lock keeps two threads from loading the model at once: it takes about a second and 126 MB.
    with _lock:
        return _load()


@lru_cache(maxsize=1)
def _load() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415 - see above: only when a text needs it

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(_LATIN)
    return identifier
