"""How much of what buyers write is understood, per language. Languages with few sentences promise less."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from aftersail.core.policy.reasons import Reason
from aftersail.core.triage import LANGUAGES, detect

SENTENCES = YAML(typ="safe").load(Path(__file__).with_name("sentences.yaml").read_text(encoding="utf-8"))
ALL = [
    (language, reason, sentence)
    for language, reasons in SENTENCES.items()
    for reason, listed in reasons.items()
    for sentence in listed
]


def test_every_language_has_sentences_and_every_reason_is_ours():
    assert set(SENTENCES) == set(LANGUAGES)
    assert {reason for _, reason, _ in ALL} <= set(Reason)
    assert len({sentence for _, _, sentence in ALL}) == len(ALL)


@pytest.mark.parametrize("language", LANGUAGES)
def test_three_of_four_sentences_get_their_reason(triage, language):
    wrong = []
    total = 0
    for tongue, reason, sentence in ALL:
        if tongue == language:
            total += 1
            found = triage.assess(subject="", text=sentence)
            if found.reason != reason:
                wrong.append((sentence, reason, found.reason, found.because))
    assert len(wrong) <= total * 0.25, wrong


def test_overall_the_reason_is_right_and_the_hint_of_the_marketplace_does_not_hurt(triage):
    right: dict[str, int] = defaultdict(int)
    for language, reason, sentence in ALL:
        right["alone"] += triage.assess(subject="", text=sentence).reason == reason
        right["hinted"] += triage.assess(subject="", text=sentence, language_hint=language).reason == reason
    assert right["alone"] / len(ALL) >= 0.85
    assert right["hinted"] / len(ALL) >= 0.85


def test_the_language_is_right_even_without_a_hint():
    wrong = [(language, sentence) for language, _, sentence in ALL if detect(sentence)[0] != language]
    assert len(wrong) / len(ALL) <= 0.02, wrong
