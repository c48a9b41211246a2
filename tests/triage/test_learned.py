"""What labelled messages taught: the weights are those of the messages as they stand, and words taught are quoted."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from aftersail.core.policy.reasons import Reason
from aftersail.core.triage import LANGUAGES, Triage
from aftersail.core.triage.folding import fold
from aftersail.core.triage.learned import REASONS, SHIPPED, Lessons, pieces
from aftersail.core.triage.sentence import read

TRAINING = Path(__file__).parents[2] / "training"


@pytest.fixture(scope="module")
def lessons():
    spec = importlib.util.spec_from_file_location("lessons", TRAINING / "lessons.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["lessons"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["lessons"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_weights_are_those_of_the_messages_and_phrases_as_they_stand(lessons, language):
    fitted_to = lessons.fingerprint(lessons.lessons(language), lessons.phrases(language))
    assert Lessons().of(language).lessons == fitted_to, "run make weights"


def test_so_are_the_weights_of_the_extra(lessons):
    with np.load(SHIPPED / "semantic.npz") as stored:
        told = (lesson for language in LANGUAGES for lesson in lessons.lessons(language))
        assert str(stored["lessons"]) == lessons.fingerprint(told), "run make weights"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_is_taught_and_no_message_twice(lessons, language):
    told = lessons.lessons(language)
    counts = Counter(lesson.reason for lesson in told)
    assert all(counts[reason] >= 20 for reason in Reason), counts
    folded = Counter(fold(lesson.text, language) for lesson in told)
    assert [text for text, count in folded.items() if count > 1] == []


def test_where_no_phrase_says_it_the_taught_words_are_the_ground(triage):
    text = "There should be four wheels and I count three."
    found = triage.assess(subject="", text=text)
    assert found.reason == "missing_parts"
    assert found.because.endswith("(en, learned)")
    quoted = found.because.split('"')[1].replace("…", " ").split()
    assert quoted
    assert set(quoted) <= set(text.strip(".").split())


def test_all_reasons_together_are_certain():
    sentences = read("The lamp arrived broken. Where is my invoice?", "en")
    ranking = Lessons().of("en").rank(sentences, [])
    assert sum(ranking.likely.values()) == pytest.approx(1)
    assert tuple(ranking.likely) == REASONS


def test_a_text_of_no_known_word_is_other():
    ranking = Lessons().of("en").rank(read("zzzz qqqq", "en"), [])
    assert max(ranking.likely, key=ranking.likely.get) == Reason.OTHER
    assert ranking.words("damaged") == ""


def test_a_language_without_weights_is_read_by_phrases_alone(tmp_path):
    assert Lessons(tmp_path).of("en") is None


@pytest.mark.parametrize(("language", "text"), [("en", "It's a lamp"), ("ja", "届きません")])
def test_every_piece_stands_in_the_folded_sentence(language, text):
    (sentence,) = read(text, language)
    found = pieces(sentence, language)
    assert found
    assert all(piece in sentence.folded for piece in found)


def test_threads_that_begin_together_agree():
    def ask(_):
        return Triage.shipped().assess(subject="", text="My parcel never arrived.")

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
