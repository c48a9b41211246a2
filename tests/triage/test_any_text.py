"""Whatever a buyer types: one spelling for the search, never an error, always the same answer."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersail.core.policy.reasons import Reason
from aftersail.core.triage import LANGUAGES, UNKNOWN, PhraseBook, Triage, detect
from aftersail.core.triage.folding import fold
from aftersail.core.triage.sentence import Sentence

AGAIN = Triage(PhraseBook.shipped())
"""Another instance, so that nothing is merely remembered."""

TEXT = st.text(max_size=300) | st.lists(
    st.sampled_from(
        ["not", "received", "arrived", "broken", "refund", "?", "nicht", "届いていません", "(", "*", "\u0301"]
    ),
    max_size=40,
).map(" ".join)


@pytest.mark.parametrize(
    ("written", "plain", "language"),
    [
        ("ＲＥＦＵＮＤ　ｐｌｅａｓｅ", "refund please", "en"),  # noqa: RUF001 - full width is what is tested
        ("It’s DAMAGED!!!", "its damaged", "en"),  # noqa: RUF001 - a typographic apostrophe
        ("reçu, cassé", "recu casse", "fr"),
        (unicodedata.normalize("NFD", "déçu"), "decu", "fr"),
        ("Größe", "grosse", "de"),
        ("ﾊﾟｿｺﾝ が 届かない", "パソコンが届かない", "ja"),
        ("還沒收到 貨", "还没收到货", "zh"),
        ("İADE \u0131s\u0131", "iade isi", "tr"),
        ("Ёлка", "елка", "ru"),
        ("الفاتورة؟", "الفاتوره ?", "ar"),
    ],
)
def test_one_spelling(written, plain, language):
    assert fold(written, language) == plain


@pytest.mark.parametrize(
    "text",
    ["MY PARCEL NEVER ARRIVED", "my parcel never arrived", "Ｍｙ ｐａｒｃｅｌ ｎｅｖｅｒ ａｒｒｉｖｅｄ"],  # noqa: RUF001 - as above
)
def test_spelling_does_not_change_the_reason(triage, text):
    assert triage.assess(subject="", text=text, language_hint="en").reason == "not_received"


@pytest.mark.parametrize("text", ["Die Lieferung ist beschaedigt.", "Die Lieferung ist beschadigt."])
def test_german_without_umlauts_is_understood(triage, text):
    assert triage.assess(subject="", text=text, language_hint="de").reason == "damaged"


@given(text=TEXT, language=st.sampled_from(LANGUAGES))
def test_a_sentence_folds_word_by_word_as_it_does_in_one_piece(text, language):
    sentence = Sentence(text, language)
    folded = sentence.folded
    assert folded.strip() == fold(text, language)
    begin, end = len(folded) - len(folded.lstrip()), len(folded.rstrip())
    assert begin >= end or sentence.quote([(begin, end)])


@given(
    subject=st.text(max_size=60),
    text=TEXT,
    hint=st.none() | st.sampled_from([*LANGUAGES, "de-AT", "pt_BR", "xx", ""]),
    code=st.none() | st.text(max_size=10) | st.just("DEFECTIVE"),
    connector=st.none() | st.text(max_size=10) | st.just("shopify"),
)
def test_it_never_raises_and_always_answers_the_same(subject, text, hint, code, connector):
    asked = {"subject": subject, "text": text, "language_hint": hint, "reason_code": code, "connector": connector}
    first = Triage.shipped().assess(**asked)
    assert first == AGAIN.assess(**asked)
    assert first.language in {*LANGUAGES, UNKNOWN}
    assert first.reason in set(Reason)
    assert 0 <= first.confidence <= 1
    assert (first.reason == "other") == (first.confidence == 0)
    assert first.escalation == bool(first.escalation_because)


@given(text=st.text(max_size=200))
def test_detection_is_sure_of_nothing_it_does_not_know(text):
    language, sure = detect(text)
    assert language in {*LANGUAGES, UNKNOWN}
    assert 0 <= sure <= 1


def test_a_text_without_any_stop_is_read_in_time(triage):
    text = "not " * 2500 + "arrived " * 1250
    assert triage.assess(subject="", text=text).reason in set(Reason)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("再不处理我就打12315。", "zh"),
        ("注文番号A-1001の領収書希望", "ja"),
        ("iPhone 15 Pro Max用ですか", "ja"),
        ("領収書希望 123", "ja"),
        ("Galaxy S24 Ultra 能用吗", "zh"),
    ],
)
def test_numbers_and_brands_beside_signs_do_not_hide_the_language(text, language):
    assert detect(text)[0] == language


@pytest.mark.parametrize(("hint", "language"), [(None, "und"), ("es", "es"), ("es-MX", "es"), ("de", "und")])
def test_the_marketplace_s_language_tips_a_close_call(hint, language):
    assert detect("Por favor, cancelen mi pedido.", hint)[0] == language
