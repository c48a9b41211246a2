"""Nothing but thanks: what it is in 17 languages, and what is more than that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersail.core.triage.courtesy import is_courtesy


@pytest.mark.parametrize(
    "text",
    [
        "Thank you!", "thanks a lot :)", "Great, thank you very much.\n\nBest regards",
        "Vielen Dank!", "DANKE SCHÖN", "Merci beaucoup, bonne journée", "¡Muchas gracias!", "Grazie mille 🙏",
        "Muito obrigada", "Hartelijk dank", "Dziękuję bardzo", "Tack så mycket", "Mange tak", "Děkuji moc",
        "ありがとうございました。", "谢谢您\uff01", "謝謝", "감사합니다~", "شكرا جزيلا",
        "Çok teşekkür ederim", "Большое спасибо!",
    ],
)  # fmt: skip
def test_thanks_are_a_courtesy(text):
    assert is_courtesy(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "   ", "?", "ok?", "Thanks, but it is broken again", "Danke, wann kommt es?", "No thanks",
        "Thanks Anna, see photo",
        "Gracias por nada", "谢谢\uff0c但是还没收到", "1", "thank", "Thanks " * 60,
    ],
)  # fmt: skip
def test_any_other_word_is_more(text):
    assert not is_courtesy(text)


@given(st.text())
def test_any_text_is_read(text):
    assert is_courtesy(text) in {True, False}
