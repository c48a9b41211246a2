"""A platform's own code speaks before any word of the text."""

from __future__ import annotations

import pytest

from aftersail.core.triage import PackError, ReasonCodes

TABLES = ReasonCodes()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("It won't turn on at all.", "unusable"),
        ("There is a tiny scratch on the lid.", "minor_defect"),
        ("The glass was smashed.", "damaged"),
        ("Please help.", "damaged"),
        ("I want my money back, where is my parcel?", "damaged"),
    ],
)
def test_the_text_chooses_only_among_what_the_code_may_mean(triage, text, reason):
    found = triage.assess(subject="", text=text, reason_code="DEFECTIVE", connector="shopify")
    assert (found.reason, found.confidence, found.because) == (reason, 0.95, "shopify code DEFECTIVE")


@pytest.mark.parametrize(
    ("connector", "code", "reason"),
    [
        ("shopify", "WRONG_ITEM", "wrong_item"),
        ("shopify", "size_too_small", "return_request"),
        ("shopify", "PRODUCT_NOT_RECEIVED", "not_received"),
        ("shopify", "product_unacceptable", "not_as_described"),
        ("amazon", "CR-NEVER_ARRIVED", "not_received"),
        ("amazon", "amz-pg-bad_desc", "not_as_described"),
        ("ebay", "ARRIVED_DAMAGED", "damaged"),
        ("ebay", "Item Not Received", "not_received"),
    ],
)
def test_codes_are_read_in_any_spelling(triage, connector, code, reason):
    found = triage.assess(subject="", text="Please cancel my order.", reason_code=code, connector=connector)
    assert found.reason == reason


@pytest.mark.parametrize(("connector", "code"), [("shopify", "OTHER"), ("ebay", "FRAUD"), ("shopify", "NEW_CODE")])
def test_a_code_that_says_nothing_leaves_it_to_the_text(triage, connector, code):
    found = triage.assess(subject="", text="Please cancel my order.", reason_code=code, connector=connector)
    assert found.reason == "cancel_order"


def test_our_own_reasons_are_taken_from_any_connector_but_never_other():
    assert TABLES.reasons("Damaged", None) == ("damaged",)
    assert TABLES.reasons("damaged", "a_stranger") == ("damaged",)
    assert TABLES.reasons("other", None) == ()


def test_a_connector_name_cannot_leave_the_folder():
    assert TABLES.reasons("DEFECTIVE", "../codes/shopify") == ()


@pytest.mark.parametrize("connector", ["amazon", "ebay", "shopify"])
def test_shipped_tables_load(connector):
    assert TABLES.reasons("NOT_AS_DESCRIBED", connector)[0] == "not_as_described"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("codes:\n  A: damaged\n  B: dammaged\n", 3, "dammaged"),
        ("codes:\n  A: damaged\n  a: unusable\n", 3, "stands twice"),
        ("source: x\ncode:\n  A: damaged\n", 2, "'code'"),
        ("codes:\n  A: {b: c}\n", 2, "no plain name"),
    ],
)
def test_a_wrong_table_names_file_and_line(tmp_path, text, line, said):
    path = tmp_path / "shop.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PackError, match=said) as caught:
        ReasonCodes(tmp_path).reasons("A", "shop")
    assert (caught.value.path, caught.value.line) == (path, line)
    assert str(caught.value).startswith(f"{path}:{line}: ")
