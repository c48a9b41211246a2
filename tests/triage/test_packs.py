"""Phrase packs: what a line means, and that a wrong line is named with its file, its number and the fix."""

from __future__ import annotations

import pytest

from aftersail.core.triage import LANGUAGES, PackError, PhraseBook, Triage
from aftersail.core.triage.sentence import read


def book(folder, text, language="en"):
    (folder / f"{language}.yaml").write_text(text, encoding="utf-8")
    return PhraseBook(folder)


def sections(pack, text):
    return [hit.section for hit in pack.find(read(text, "en"))]


def test_all_shipped_packs_load():
    shipped = PhraseBook.shipped()
    shipped.check()
    assert shipped.languages == LANGUAGES


@pytest.mark.parametrize(
    ("phrase", "found", "missed"),
    [
        ("item never came", "The item never came.", "The item came, never mind."),
        ("(dead|broken) lamp", "A broken lamp!", "The lamp is broken."),
        ("small + scratch", "A scratch, but small.", "Small. A scratch."),
        ("not > arrived", "It has not yet arrived.", "It arrived, I do not like it."),
        ("not > arrived", "not a b c d e arrived", "not a b c d e f arrived"),
        ("refund*", "Refunding", "A prerefund"),
        ("'*invoice'", "preinvoice", "invoices"),
        ("does + ?", "What does it do?", "What it does."),
        ("not ~ arrived", "not a b arrived", "not a b c arrived"),
        ("not ~ come > lamp", "It did not come, my nice new lamp.", "It is not what should have come: lamp."),
    ],
)
def test_how_a_phrase_reads(tmp_path, phrase, found, missed):
    pack = book(tmp_path, f"damaged:\n  - {phrase}\n").pack("en")
    assert sections(pack, found) == ["damaged"]
    assert sections(pack, missed) == []


def test_a_longer_match_of_another_section_silences_the_shorter(tmp_path):
    pack = book(tmp_path, "invoice:\n  - received\nnot_received:\n  - not received\n").pack("en")
    assert sections(pack, "I have not received it.") == ["not_received"]
    assert sections(pack, "I have received it.") == ["invoice"]


def test_ignore_silences_and_says_nothing(tmp_path):
    pack = book(tmp_path, "damaged:\n  - broken\nignore:\n  - broken english\n").pack("en")
    assert sections(pack, "Sorry for my broken English.") == []
    assert sections(pack, "It is broken.") == ["damaged"]


def test_words_are_named_once_and_stand_in_and_beside_brackets(tmp_path):
    text = "words:\n  item: lamp|vase\ndamaged:\n  - broken <item>\n  - (cup|<item>) smashed\n"
    pack = book(tmp_path, text).pack("en")
    for said in ("A broken vase.", "The lamp smashed.", "The cup smashed."):
        assert sections(pack, said) == ["damaged"]
    assert sections(pack, "A broken cup.") == []


def test_a_hint_says_less_than_a_phrase_and_more_than_nothing(tmp_path):
    def likely(section, name):
        (tmp_path / name).mkdir()
        pack = book(tmp_path / name, f"{section}:\n  - gadget\n")
        found = Triage(pack, codes=None).assess(subject="", text="There is something about the gadget: broken.")
        assert (found.reason, found.because) == ("damaged", '"gadget" (en)')
        return found.confidence

    assert likely("damaged?", "hint") < likely("damaged", "said")


def test_what_is_ignored_says_nothing(tmp_path):
    text = "damaged:\n  - glass\nignore:\n  - glass of wine\n"
    found = Triage(book(tmp_path, text)).assess(subject="", text="We had a glass of wine together.")
    assert '"glass"' not in found.because


def test_a_hint_silences_nothing(tmp_path):
    pack = book(tmp_path, "damaged?:\n  - broken glass\nunusable:\n  - broken\n").pack("en")
    assert {(hit.section, hit.hint) for hit in pack.find(read("It is broken glass.", "en"))} == {
        ("damaged", True),
        ("unusable", False),
    }


def test_a_hint_in_a_text_of_unknown_language_is_chance(tmp_path):
    found = Triage(book(tmp_path, "damaged?:\n  - glass\n")).assess(subject="", text="glass")
    assert (found.language, found.reason) == ("und", "other")


def test_a_seller_s_own_folder_adds_to_the_first(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    for folder, text in ((first, "damaged:\n  - broken\n"), (second, "damaged:\n  - kaput\n")):
        folder.mkdir()
        book(folder, text)
    found = Triage(PhraseBook(first, second)).assess(subject="", text="The lamp is kaput.")
    assert (found.reason, found.because) == ("damaged", '"kaput" (en)')


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("damaged:\n  - broken\nbroken:\n  - x\n", 3, "unknown section 'broken'"),
        ("damaged:\n  - (broken|dead\n", 2, "brackets"),
        ("damaged:\n  - broken|dead\n", 2, "outside of brackets"),
        ("damaged:\n  - bro*ken\n", 2, "inside"),
        ("damaged:\n  - '!!'\n", 2, "nothing but marks"),
        ("damaged:\n  - a + b > c\n", 2, "mixes"),
        ("damaged:\n  - a + b ~ c\n", 2, "mixes"),
        ("damaged:\n  - broken <item>\n", 2, "does not list"),
        ("words:\n  - item\n", 1, "must map"),
        ("words:\n  item: (a|b)\n", 2, "without brackets"),
        ("damaged:\n  - (a|b) + c\nunusable:\n  - (a|b) + c\n", 4, "stands for 'unusable'"),
        ("damaged:\n  - {phrase: x}\n", 2, "must be text"),
        ("damaged:\n  - [x]\n", 2, "must be text"),
        ("damaged: broken\n", 1, "no list"),
        ("damaged:\n  - broken\nunusable:\n  - broken\n", 4, "stands for 'unusable'"),
        ("damaged:\n  - a\ndamaged:\n  - b\n", 3, "stands twice"),
        ("damaged:\n  - 'open\n", 3, "not YAML"),
        ("damaged:\n  - *open\n", 2, "in quotes"),
        ("- a\n", 1, "must hold sections"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, text, line, said):
    with pytest.raises(PackError, match=said) as caught:
        book(tmp_path, text).pack("en")
    assert caught.value.line == line
    assert str(caught.value).startswith(f"{tmp_path / 'en.yaml'}:{line}: ")
    assert "; " in str(caught.value)


@pytest.mark.parametrize("name", ["xx.yaml", "en.yml"])
def test_a_file_that_would_never_be_read_is_named(tmp_path, name):
    (tmp_path / name).write_text("damaged:\n  - broken\n", encoding="utf-8")
    with pytest.raises(PackError, match="no language of ours"):
        PhraseBook(tmp_path).check()


def test_text_that_is_not_utf8_is_named(tmp_path):
    (tmp_path / "en.yaml").write_bytes(b"damaged:\n  - caf\xe9\n")
    with pytest.raises(PackError, match="UTF-8"):
        PhraseBook(tmp_path).pack("en")
