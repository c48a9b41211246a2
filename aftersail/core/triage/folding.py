"""One spelling for text and phrases, so that neither case, accents, width nor punctuation hides a match."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

UNSPACED = frozenset({"ja", "ko", "zh"})
"""Languages matched without word boundaries. Korean has spaces, but writers disagree where, so they are dropped too."""

_KANA_MARKS = frozenset("\u3099\u309a")
"""The voicing marks of kana are combining characters too, and か is another letter than が."""

_LETTERS = str.maketrans(
    {
        "ø": "o",
        "đ": "d",
        "ł": "l",
        "æ": "ae",
        "œ": "oe",
        "\u0131": "i",
        "؟": "?",
        "\u0649": "\u064a",
        "\u0629": "\u0647",
    }
)
"""Letters that Unicode does not take apart, and Arabic ones that writers mix up: alif maqsura, ta marbuta."""

_TRADITIONAL = str.maketrans(
    "東貨訂單換發錯還沒壞運費產嗎這個幾時萬為說問題鐘購買後對產貴們請謝給會來從過現開關電話號碼顏種樣條傷損裝錢額點質與圖"
    "實際適應該報務稅證寫總補遞達劃騙訴師護險處罰賠償聯繫無須僅輕線經兩頭機燒煙氣體麼樣動盡結帳單據撥屬銷卻應認詐絕間極寶",
    "东货订单换发错还没坏运费产吗这个几时万为说问题钟购买后对产贵们请谢给会来从过现开关电话号码颜种样条伤损装钱额点质与图"
    "实际适应该报务税证写总补递达划骗诉师护险处罚赔偿联系无须仅轻线经两头机烧烟气体么样动尽结帐单据拨属销却应认诈绝间极宝",
)
"""Traditional characters that occur in the phrases, to their simplified form; used for Chinese only."""

_LONGEST = 600
_KEPT = 20_000
_ENDS = re.compile(r"(?<=[?!。\uff01\uff1f؟])|[.…](?=\s|$)|[\r\n;\uff1b\u061b]+")
_APOSTROPHES = re.compile(r"(?<=\w)['\u2019\u02bc`\u00b4](?=\w)")


class _Spelling(dict[int, str]):
    """What each character becomes in one language, found at its first use: `str.translate` then folds in one pass."""

    def __init__(self, letters: Mapping[int, int | str]) -> None:
        super().__init__()
        self._letters = letters

    def __missing__(self, point: int) -> str:
        apart = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", chr(point)).casefold())
        bare = "".join(char for char in apart if char in _KANA_MARKS or unicodedata.category(char) != "Mn")
        plain = unicodedata.normalize("NFC", bare).translate(self._letters)
        found = "".join(map(_word_or_gap, plain))
        if len(self) < _KEPT:
            self[point] = found
        return found


def _word_or_gap(char: str) -> str:
    if char == "?":
        return " ? "
    return char if char.isalnum() or char in _KANA_MARKS else " "


_ANY = _Spelling(_LETTERS)
_CHINESE = _Spelling({**_LETTERS, **_TRADITIONAL})


def fold(text: str, language: str) -> str:
    """Reduce text to lower-case words with single spaces; Chinese, Japanese and Korean lose their spaces too.

    A question mark stays, as a word of its own. Accents go (`reçu`, `recu`), ligatures and full-width forms are undone.
    """
    if language == "en":
        text = _APOSTROPHES.sub("", text)
    plain = text.translate(_CHINESE if language == "zh" else _ANY)
    if not plain.isascii():
        plain = unicodedata.normalize("NFC", plain)
    return "".join(plain.split()) if language in UNSPACED else " ".join(plain.split())


def sentences(text: str) -> list[str]:
    """Split at what ends a sentence in any of the languages; a full stop inside a number or a name does not.

    What runs on for more than 600 characters is cut there, so that no text takes long to read.
    """
    parts = (part for part in _ENDS.split(text) if part.strip())
    return [part[begin : begin + _LONGEST] for part in parts for begin in range(0, len(part), _LONGEST)]
