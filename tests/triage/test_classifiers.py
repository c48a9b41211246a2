"""Classifiers of plugins: asked only where phrases are unsure, and never able to stop intake."""

from __future__ import annotations

import pytest

from aftersail.core.contract import ReasonGuess
from aftersail.core.triage import Triage

VAGUE = "Hello there, about the thing we talked about."
CLEAR = "Please cancel my order."


class Says:
    def __init__(self, reason="damaged", confidence=0.7, name="says"):
        self.name = name
        self.guess = ReasonGuess(reason=reason, confidence=confidence, because="a hunch") if reason else None
        self.asked = []

    def classify(self, text, language):
        self.asked.append((text, language))
        return self.guess


class Raises:
    name = "raises"

    def __init__(self, error):
        self.error = error

    def classify(self, text, language):
        raise self.error


def test_it_is_asked_where_phrases_find_nothing():
    says = Says()
    found = Triage.shipped([says]).assess(subject="Hi", text=VAGUE)
    assert (found.reason, found.confidence, found.because) == ("damaged", 0.7, "says: a hunch")
    assert says.asked == [(f"Hi\n{VAGUE}", "en")]


def test_it_is_not_asked_where_phrases_are_sure():
    says = Says(confidence=1.0)
    assert Triage.shipped([says]).assess(subject="", text=CLEAR).reason == "cancel_order"
    assert says.asked == []


def test_it_is_not_asked_where_the_platform_gave_a_code():
    says = Says()
    Triage.shipped([says]).assess(subject="", text=VAGUE, reason_code="WRONG_ITEM", connector="shopify")
    assert says.asked == []


@pytest.mark.parametrize("error", [RuntimeError("broken"), SystemExit(2)])
def test_one_that_raises_hurts_no_other(error):
    found = Triage.shipped([Raises(error), Says()]).assess(subject="", text=VAGUE)
    assert found.reason == "damaged"
    assert Triage.shipped([Raises(error)]).assess(subject="", text=VAGUE).reason == "other"


@pytest.mark.parametrize("says", [Says(reason=None), Says(reason="made_up"), Says(confidence=0.1)])
def test_silence_unknown_reasons_and_weak_guesses_are_left_out(says):
    assert Triage.shipped([says]).assess(subject="", text=VAGUE).reason == "other"


def test_the_surest_wins_and_nothing_is_surer_than_one():
    sure = Says(reason="exchange", confidence=7.0, name="sure")
    found = Triage.shipped([Says(), sure]).assess(subject="", text=VAGUE)
    assert (found.reason, found.confidence) == ("exchange", 1.0)
