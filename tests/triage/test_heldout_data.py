"""The shape of the held-out messages: enough of each, each once, in its own script, and unknown to the phrase packs.

What triage makes of them is a figure of the benchmarks, never a test: a test would have phrases written to please it.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from aftersail.core.policy.reasons import Reason
from aftersail.core.triage import LANGUAGES
from aftersail.core.triage import loader as phrase_loader
from aftersail.core.triage.folding import UNSPACED, fold

DATA = Path(__file__).parents[2] / "benchmarks" / "data" / "triage"
DEVELOPMENT = Path(__file__).with_name("sentences")
TRAINING = Path(__file__).parents[2] / "training" / "triage"
FEW_ALLOWED = {Reason.COMPLAINT, Reason.OTHER}
EACH = 9
ALIKE = 0.6
SCRIPTS = {"ru": ("CYRILLIC",), "ar": ("ARABIC",), "ja": ("HIRAGANA", "KATAKANA", "CJK"), "zh": ("CJK",)}
SCRIPTS["ko"] = ("HANGUL",)


def listed(language):
    return YAML(typ="safe").load((DATA / f"{language}.yaml").read_text(encoding="utf-8"))


def tokens(text, language):
    folded = fold(text, language)
    return {*map("".join, pairwise(folded))} if language in UNSPACED else set(folded.split())


def alike(one, other):
    return len(one & other) / len(one | other)


def scripts(text):
    plain = re.sub(r"[A-Za-z\d-]*\d[A-Za-z\d-]*", " ", text)
    return Counter(unicodedata.name(char).split("-")[0].split()[0] for char in plain if char.isalpha())


def strings(node):
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from strings(value)
    elif isinstance(node, list):
        for value in node:
            yield from strings(value)


def known(language):
    """Everything phrases were written from or written as, or weights were fitted to."""
    for folder in (phrase_loader.SHIPPED, DEVELOPMENT, TRAINING):
        yield from strings(YAML(typ="safe").load((folder / f"{language}.yaml").read_text(encoding="utf-8")))


def test_there_is_a_file_for_every_language_and_no_other():
    assert {path.stem for path in DATA.glob("*.yaml")} == set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_entry_has_one_known_label_and_nothing_else(language):
    for item in listed(language):
        assert set(item) <= {"text", "subject", "reason", "escalation"}, item
        assert item["text"] == item["text"].strip() != "", item
        assert item["reason"] in set(Reason), item
        assert item.get("escalation", True) is True, item


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_has_enough_messages(language):
    counts = Counter(item["reason"] for item in listed(language))

    assert {reason: counts[reason] for reason in set(Reason) - FEW_ALLOWED if counts[reason] < EACH} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_about_one_message_in_twelve_threatens(language):
    items = listed(language)

    assert len(items) / 20 <= sum("escalation" in item for item in items) <= len(items) / 8


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_message_stands_twice(language):
    counts = Counter(fold(item["text"], language) for item in listed(language))

    assert [text for text, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_messages_of_a_reason_are_nearly_the_same(language):
    by_reason = defaultdict(list)
    for item in listed(language):
        by_reason[item["reason"]].append(item["text"])

    pairs = (pair for texts in by_reason.values() for pair in combinations(texts, 2))
    assert [pair for pair in pairs if alike(*(tokens(text, language) for text in pair)) > ALIKE] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_is_in_the_script_of_its_language(language):
    own = SCRIPTS.get(language, ("LATIN",))
    for item in listed(language):
        found = scripts(item["text"])
        assert sum(found[name] for name in own) > found.total() / 2, item["text"]
        if language == "zh":
            assert not found["HIRAGANA"] + found["KATAKANA"], item["text"]
        if language == "ja":
            assert found["HIRAGANA"] + found["KATAKANA"], item["text"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_message_stands_word_for_word_among_phrases_development_sentences_or_training(language):
    seen = {fold(text, language) for text in known(language)}

    copied = sum(fold(item["text"], language) in seen for item in listed(language))
    assert copied == 0, "reword the held-out message, not the phrase; only a number is shown, to keep them unseen"


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_message_is_nearly_one_that_weights_were_fitted_to(language):
    training = YAML(typ="safe").load((TRAINING / f"{language}.yaml").read_text(encoding="utf-8"))
    taught = [tokens(text, language) for text in strings(training)]

    held = [tokens(item["text"], language) for item in listed(language)]
    near = sum(any(alike(one, other) > ALIKE for other in taught) for one in held)
    assert near == 0, "reword the training message; only a number is shown, to keep the held-out ones unseen"
