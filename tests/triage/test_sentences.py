"""How much of what buyers write is understood, per language."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from aftersail.core.policy.reasons import Reason
from aftersail.core.triage import LANGUAGES, UNKNOWN, detect

FILES = sorted(Path(__file__).with_name("sentences").glob("*.yaml"))
SENTENCES = {path.stem: YAML(typ="safe").load(path.read_text(encoding="utf-8")) for path in FILES}
"""What buyers write, by language and reason: whole sentences in their own wording. `escalation` threatens, `calm` uses
the same words and does not."""

ALL = [
    (language, reason, sentence)
    for language, reasons in SENTENCES.items()
    for reason, listed in reasons.items()
    if reason not in {"escalation", "calm"}
    for sentence in listed
]


def test_every_language_has_sentences_for_every_reason():
    assert set(SENTENCES) == set(LANGUAGES)
    for reasons in SENTENCES.values():
        assert set(reasons) == {*Reason, "escalation", "calm"}
    assert len({sentence for _, _, sentence in ALL}) == len(ALL)


@pytest.mark.parametrize("language", LANGUAGES)
def test_f04_nine_of_ten_sentences_get_their_reason(triage, language):
    mine = [(reason, sentence) for tongue, reason, sentence in ALL if tongue == language]
    found = [(reason, sentence, triage.assess(subject="", text=sentence)) for reason, sentence in mine]
    wrong = [(sentence, reason, each.reason, each.because) for reason, sentence, each in found if each.reason != reason]
    assert len(wrong) <= len(mine) * 0.1, wrong


def test_overall_the_reason_is_right_and_the_hint_of_the_marketplace_does_not_hurt(triage):
    alone = [triage.assess(subject="", text=sentence).reason == reason for _, reason, sentence in ALL]
    hinted = [
        triage.assess(subject="", text=text, language_hint=tongue).reason == reason for tongue, reason, text in ALL
    ]
    assert sum(alone) / len(ALL) >= 0.95
    assert sum(hinted) >= sum(alone)


def test_threats_are_found_and_false_alarms_are_rare(triage):
    threats = [text for reasons in SENTENCES.values() for text in reasons["escalation"]]
    calm = [text for reasons in SENTENCES.values() for text in reasons["calm"]] + [text for _, _, text in ALL]
    missed = [text for text in threats if not triage.assess(subject="", text=text).escalation]
    false = [text for text in calm if triage.assess(subject="", text=text).escalation]
    assert not missed
    assert len(false) / len(calm) <= 0.01, false


def _bare(text: str) -> str:
    plain = "".join(char for char in unicodedata.normalize("NFD", text) if unicodedata.category(char) != "Mn")
    return plain.translate(str.maketrans({"ł": "l", "ø": "o", "æ": "ae", "ß": "ss"}))


def test_the_language_is_right_even_without_a_hint():
    wrong = [(language, sentence) for language, _, sentence in ALL if detect(sentence)[0] != language]
    assert len(wrong) / len(ALL) <= 0.01, wrong


def test_the_language_is_right_without_accents_and_in_four_words():
    latin = [pair for pair in ALL if pair[0] not in {"ja", "zh", "ko", "ar", "ru"}]
    for shorten in (_bare, lambda text: " ".join(text.split()[:4])):
        found = [(tongue, detect(shorten(text))[0]) for tongue, _, text in latin]
        assert sum(tongue == said for tongue, said in found) / len(found) >= 0.98
        assert sum(said not in {tongue, UNKNOWN} for tongue, said in found) / len(found) <= 0.005
