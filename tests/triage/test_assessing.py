"""What triage answers where several things are said at once, and the words it gives as its ground."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("I have not received my order.", "not_received"),
        ("I never received the lamp.", "not_received"),
        ("Ich habe die Ware nicht erhalten.", "not_received"),
        ("Je n'ai pas reçu ma commande.", "not_received"),
        ("No he recibido el pedido.", "not_received"),
    ],
)
def test_not_received_beats_received(triage, text, reason):
    assert triage.assess(subject="", text=text).reason == reason


@pytest.mark.parametrize(
    "text",
    [
        "I received the shoes but they do not fit.",
        "The parcel arrived, I do not need the second one.",
        "I got my order, thanks, but I never received an invoice.",
        "I have not received my refund.",
        "Ich habe das Paket erhalten, aber die Hose passt nicht.",
        "J'ai bien reçu la robe mais elle ne me va pas.",
        "He recibido el vestido pero no me queda bien.",
        "Ho ricevuto il vestito ma non mi sta bene.",
        "Otrzymałam sukienkę, ale nie pasuje.",
        "返金がまだ届いていません。",
    ],
)
def test_what_did_arrive_is_never_called_not_received(triage, text):
    assert triage.assess(subject="", text=text).reason != "not_received"


def test_what_went_wrong_outranks_what_the_buyer_asks_for(triage):
    text = "I am very disappointed. The vase arrived broken. I want a refund or a replacement."
    assert triage.assess(subject="", text=text).reason == "damaged"


def test_the_subject_counts_less_than_the_text(triage):
    found = triage.assess(subject="Refund", text="Please cancel my order.")
    assert found.reason == "cancel_order"
    assert triage.assess(subject="Refund please", text="Order 4711").reason == "refund_request"


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("Hello, it has a (small), ugly “scratch”!", '"small … scratch" (en)'),
        ("My tent has a tiny hole.", '"tiny hole" (en)'),
        ("Die Vase ist leider BESCHÄDIGT.", '"BESCHÄDIGT" (de)'),
        ("Le carton était endommagé, hélas.", '"endommagé" (fr)'),
        ("棚に小さな赤い傷があります。", '"小さな … 傷" (ja)'),
    ],
)
def test_the_ground_is_what_the_buyer_wrote(triage, text, because):
    assert triage.assess(subject="", text=text).because == because


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Refund me or I will open a chargeback.", "chargeback"),
        ("Ich schalte meinen Anwalt ein!", "Anwalt"),
        ("Je vais contacter mon avocat.", "avocat"),
        ("Voy a poner una hoja de reclamaciones.", "hoja de reclamaciones"),
        ("Mi rivolgerò al mio avvocato.", "avvocato"),
        ("Zgłoszę sprawę do UOKiK, to moja ostatnia wiadomość.", "Zgłoszę sprawę"),
        ("消費者センターに相談します。", "消費者センター"),
    ],
)
def test_threats_are_escalations(triage, text, words):
    found = triage.assess(subject="", text=text)
    assert found.escalation
    assert words in found.escalation_because


def test_a_plain_question_is_no_escalation(triage):
    found = triage.assess(subject="", text="When will my order be delivered?")
    assert (found.escalation, found.escalation_because, found.severity) == (False, "", "medium")


def test_f12_severity_is_its_own_input(triage):
    """The words that say how bad it is change the severity and nothing else."""
    plain = triage.assess(subject="", text="The kettle does not work.")
    urgent = triage.assess(subject="", text="The kettle does not work. There was smoke!")
    calm = triage.assess(subject="", text="The kettle does not work. No rush.")
    assert [found.severity for found in (plain, urgent, calm)] == ["medium", "high", "low"]
    assert {found.reason for found in (plain, urgent, calm)} == {"unusable"}


def test_f04_item_not_received(triage):
    assert triage.assess(subject="Item NOT received", text="").reason == "not_received"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Where is my parcel?", "delivery_question"),
        ("Where is my parcel? It should have arrived last week.", "not_received"),
        ("Wo ist mein Paket?", "delivery_question"),
        ("Wo ist mein Paket? Ich warte seit drei Wochen.", "not_received"),
    ],
)
def test_where_it_is_is_a_question_until_it_is_overdue(triage, text, reason):
    assert triage.assess(subject="", text=text).reason == reason


@pytest.mark.parametrize(
    "text",
    [
        "I do not want to open a dispute, I only want to know when it comes.",
        "The case of the phone is scratched.",
        "I left you a good review.",
        "Je ne veux pas ouvrir de litige, merci de répondre.",
        "Ich gebe Ihnen eine gute Bewertung.",
    ],
)
def test_innocent_words_are_no_escalation(triage, text):
    assert not triage.assess(subject="", text=text).escalation


def test_severity(triage):
    assert triage.assess(subject="", text="The charger caught fire! Please answer.").severity == "high"
    assert triage.assess(subject="", text="No rush, but the lid has a scratch.").severity == "low"


def test_a_text_of_unknown_language_is_read_in_all_of_them(triage):
    assert triage.assess(subject="", text="12345 !!").language == "und"
    found = triage.assess(subject="", text="Retoure")
    assert (found.language, found.reason) == ("und", "return_request")


@pytest.mark.parametrize("text", ["", "   ", "???", "4711"])
def test_nothing_said_is_other(triage, text):
    found = triage.assess(subject="", text=text)
    assert (found.language, found.reason, found.confidence) == ("und", "other", 0.0)


def test_english_is_understood_on_any_marketplace(triage):
    text = "The parcel never arrived, please help me."
    assert triage.assess(subject="", text=text, language_hint="pl-PL").reason == "not_received"
