"""`aftersail duty`."""

from __future__ import annotations

import pytest


def test_f22_an_estimate_is_shown_with_rate_source_and_date(desk):
    ordered = ["--from", "CN", "--to", "ie", "--value", "100.00 EUR", "--liable", "merchant"]
    said = desk("duty", *ordered).stdout
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert lines[:4] == ["duty: 3.00 EUR", "import tax: 23.69 EUR", "together: 26.69 EUR", "paid by: merchant"]
    assert any(
        line.startswith("ie-vat: 23 %; Revenue (Ireland)") and "checked 2026-11-22, verified" in line for line in lines
    )
    told = desk.json("duty", *ordered)
    assert (told["total"], told["payer"]) == ({"amount": "26.69", "currency": "EUR"}, "merchant")


def test_f22_limits_are_compared_at_the_rates_of_the_desks_pack(desk):
    told = desk.json("duty", "--from", "CN", "--to", "IE", "--value", "100.00 USD", "--liable", "buyer")
    assert told["duty"] == {"amount": "3.30", "currency": "USD"}


def test_f22_what_is_not_known_is_said(desk):
    said = desk("duty", "--from", "CN", "--to", "US", "--value", "10 USD", "--liable", "buyer").stdout
    assert "not known: no rate of duty into US is known for goods without an HS code" in said


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--value", "ten euros"], "is no amount of money; write it as 10.00 EUR"),
        (["--value", "10 EUR", "--freight", "1 USD"], "in one currency"),
    ],
)
def test_f22_what_is_no_money_is_refused(desk, arguments, what):
    given = ["--from", "CN", "--to", "IE", "--consignment", "900 EUR", "--hs", "620520", "--liable", "buyer"]
    said = desk("duty", *given, *arguments, code=2).stderr
    assert what in " ".join(said.replace("│", " ").split())
