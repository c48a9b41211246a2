"""Estimates of duty and import tax: the arithmetic, the sources, and what is not known."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersail.core.contract import Money
from aftersail.core.contract.money import CurrencyMismatchError
from aftersail.core.insight.duties import Goods, estimate
from aftersail.core.insight.duty_table import SHIPPED, load_duty_table
from aftersail.core.policy.problems import PackError

TABLE = load_duty_table()
ON = date(2026, 11, 22)
PARTIES = ("merchant", "buyer", "carrier", "platform")


def money(text):
    amount, currency = text.split()
    return Money.of(amount, currency)


def judged(to, value, shipped_from="CN", *, on=ON, payer="merchant", convert=None, **more):
    goods = {name: money(text) if name in {"freight", "consignment"} else text for name, text in more.items()}
    goods = Goods(to=to, shipped_from=shipped_from, value=money(value), **goods)
    return estimate(TABLE, goods, on=on, payer=payer, **({"convert": convert} if convert else {}))


def amounts(found):
    return tuple(str(each) if each is not None else None for each in (found.duty, found.tax, found.total))


def test_f22_duty_is_taken_of_value_and_freight_and_tax_of_both_and_duty():
    found = judged("IE", "200.00 EUR", hs="62052000", freight="20.00 EUR")
    # 12 % of 220.00, then 23 % of 246.40.
    assert amounts(found) == ("26.40 EUR", "56.67 EUR", "83.07 EUR")
    assert found.steps[0] == "duty: 12 % of 220.00 EUR (value + freight) = 26.40 EUR"


def test_f22_every_rate_is_shown_with_its_source_and_the_day_it_was_checked():
    found = judged("IE", "200.00 EUR", hs="62052000")
    assert [(row.row, row.rate) for row in found.used] == [("eu-mens-cotton-shirts", "12 %"), ("ie-vat", "23 %")]
    assert all(row.source.url.startswith("http") and row.source.checked_on == ON for row in found.used)


@pytest.mark.parametrize("payer", PARTIES)
def test_f22_the_payer_is_whoever_is_liable(payer):
    assert judged("IE", "200.00 EUR", hs="62052000", payer=payer).payer == payer


def test_f22_a_row_that_is_not_verified_makes_it_uncertain():
    assert not judged("IE", "200.00 EUR", hs="62052000").certain
    assert judged("IE", "100.00 EUR").certain
    assert not judged("DE", "100.00 EUR").certain


def test_f22_a_source_older_than_a_year_makes_it_uncertain():
    assert judged("IE", "100.00 EUR", on=ON + timedelta(days=366)).certain
    assert not judged("IE", "100.00 EUR", on=ON + timedelta(days=367)).certain


@pytest.mark.parametrize(
    ("to", "value", "shipped_from", "more", "wanted"),
    [
        # Up to 150 EUR a flat 3 EUR for each kind of goods, whatever the heading is; VAT is taken of it too.
        ("IE", "150.00 EUR", "US", {}, ("3.00 EUR", "35.19 EUR", "38.19 EUR")),
        # The parcel counts, not the line.
        (
            "IE",
            "100.00 EUR",
            "US",
            {"consignment": "150.01 EUR", "hs": "62052000"},
            ("12.00 EUR", "25.76 EUR", "37.76 EUR"),
        ),
        # Japan: free of both up to 10,000 yen, freight included.
        ("JP", "10000 JPY", "CN", {}, ("0 JPY", "0 JPY", "0 JPY")),
        ("JP", "9000 JPY", "CN", {"freight": "1001 JPY", "hs": "9503"}, ("0 JPY", "1000 JPY", "1000 JPY")),
        # Canada: from the United States by courier more is free than by post.
        ("CA", "20.00 CAD", "CN", {"region": "CA-AB"}, ("0.00 CAD", "0.00 CAD", "0.00 CAD")),
        ("CA", "40.00 CAD", "US", {"region": "CA-AB", "via": "courier"}, ("0.00 CAD", "0.00 CAD", "0.00 CAD")),
        ("CA", "40.01 CAD", "MX", {"region": "CA-AB", "via": "courier"}, ("0.00 CAD", "2.00 CAD", "2.00 CAD")),
        ("CA", "40.00 CAD", "US", {"region": "CA-AB", "via": "post"}, (None, None, None)),
        ("CA", "40.00 CAD", "US", {"region": "CA-AB"}, (None, None, None)),
        ("CA", "40.00 CAD", "US", {"region": "CA-ON", "via": "courier"}, ("0.00 CAD", "0.00 CAD", "0.00 CAD")),
        ("CA", "50.00 CAD", "US", {"region": "CA-ON", "via": "courier"}, ("0.00 CAD", None, None)),
        # Within one customs area nothing is imported.
        ("FR", "500.00 EUR", "DE", {}, ("0.00 EUR", "0.00 EUR", "0.00 EUR")),
        ("US", "500.00 USD", "US", {}, ("0.00 USD", "0.00 USD", "0.00 USD")),
    ],
)
def test_f22_limits_and_areas(to, value, shipped_from, more, wanted):
    assert amounts(judged(to, value, shipped_from, **more)) == wanted


def test_f22_the_flat_amount_has_its_time():
    before = judged("IE", "100.00 EUR", on=date(2026, 6, 30), hs="62052000")
    assert before.used[0].row == "eu-mens-cotton-shirts"
    assert judged("IE", "100.00 EUR", on=date(2026, 7, 1)).duty == money("3.00 EUR")
    assert judged("IE", "100.00 EUR", on=date(2028, 6, 30)).duty == money("3.00 EUR")
    assert judged("IE", "100.00 EUR", on=date(2028, 7, 1)).duty is None


def test_f22_what_is_not_known_is_said_and_not_guessed():
    found = judged("IE", "200.00 EUR", hs="9999")
    assert (amounts(found), found.certain) == ((None, None, None), False)
    assert found.unknown == (
        "no rate of duty into IE is known for HS 9999",
        "the import tax is taken of the duty too, which is not known",
    )
    assert "goods without an HS code" in judged("IE", "200.00 EUR").unknown[0]
    assert judged("US", "20.00 USD").unknown[1] == "no import tax of US is known"


def test_f22_a_limit_in_another_currency_needs_a_rate():
    found = judged("IE", "100.00 USD")
    assert found.duty is None
    assert "there is no rate from EUR to USD" in found.unknown[0]
    converted = judged("IE", "100.00 USD", convert=lambda amount, to: Money.of(amount.amount * 2, to))
    assert amounts(converted)[0] == "6.00 USD"


def test_f22_amounts_of_two_currencies_are_refused():
    with pytest.raises(CurrencyMismatchError):
        judged("IE", "200.00 EUR", hs="62052000", freight="20.00 USD")


@given(st.decimals("150.01", "100000", places=2), st.decimals("0", "500", places=2))
def test_f22_the_sum_is_the_sum_of_its_parts(value, freight):
    found = judged("IE", f"{value} EUR", hs="62052000", freight=f"{freight} EUR")
    base = value + freight
    assert found.total == found.duty + found.tax
    assert abs(found.total.amount - (base * Decimal("0.12") + base * Decimal("1.12") * Decimal("0.23"))) <= Decimal(
        "0.02"
    )


def test_f22_the_longest_heading_and_the_narrowest_place_win(tmp_path):
    rows = [
        ("chapter", "DE", "62", 1),
        ("heading", "EU", "6205", 2),
        ("code", "EU", "620520", 3),
        ("own", "DE", "620520", 4),
    ]
    duties = "".join(f"  - {{id: {i}, to: [{to}], hs: '{hs}', percent: {p}, source: a}}\n" for i, to, hs, p in rows)
    unions = "unions: {EU: [DE, FR]}\n"
    tax = "taxes:\n  - {id: t, to: [EU], percent: 0, base: [value], source: a}\n"
    table = load_duty_table(write(tmp_path, f"{SOURCES}{unions}duties:\n{duties}{tax}"))

    def used(to, hs):
        goods = Goods(to=to, shipped_from="CN", hs=hs, value=money("100 EUR"))
        return estimate(table, goods, on=ON, payer="buyer").used[0].row

    assert [used("DE", "62052000"), used("FR", "62052000"), used("FR", "620590"), used("DE", "6299")] == [
        "own",
        "code",
        "heading",
        "chapter",
    ]


def write(tmp_path, text):
    path = tmp_path / "duties.yaml"
    path.write_text(text, encoding="utf-8")
    return path


SOURCES = "version: 1\nsources:\n  a: {page: p, url: u, checked_on: 2026-11-22, verified: true}\n"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("duties:\n  - {id: x, to: [DE], hs: '6', percent: 1, source: a}\n", "duties.yaml:5:27"),
        ("duties:\n  - {id: x, to: [DE], hs: '61', percent: -1, source: a}\n", "duties.yaml:5:42"),
        ("taxes:\n  - {id: x, to: [DE], percent: 19, base: [weight], source: a}\n", "duties.yaml:5:43"),
        ("reliefs:\n  - {id: x, to: [DE], applies: [duty], up_to: lots, source: a}\n", "is no amount of money"),
        (
            "reliefs:\n  - {id: x, to: [DE], applies: [tax], up_to: 1 EUR, flat: 1 EUR, source: a}\n",
            "stands for duty only",
        ),
        ("taxes:\n  - {id: x, to: [DE], percent: 19, base: [value], source: b}\n", "names the source 'b'"),
        ("duties:\n  - &x {id: x}\n", "no anchors"),
        ("rows: []\n", "duties.yaml:4"),
        ("", None),
    ],
)
def test_f22_a_table_that_is_wrong_says_where(tmp_path, text, what):
    path = write(tmp_path, SOURCES + text)
    if what is None:
        assert load_duty_table(path).duties == ()
        return
    with pytest.raises(PackError, match=what):
        load_duty_table(path)


def test_f22_two_rows_of_one_name_are_refused(tmp_path):
    row = "  - {id: x, to: [DE], percent: 19, base: [value], source: a}\n"
    with pytest.raises(PackError, match="two rows are called 'x'"):
        load_duty_table(write(tmp_path, f"{SOURCES}taxes:\n{row}{row}"))


def test_f22_every_shipped_source_is_used_or_tells_of_a_row():
    rows = (*TABLE.reliefs, *TABLE.duties, *TABLE.taxes)
    assert {row.source for row in rows} == set(TABLE.sources)
    assert SHIPPED.exists()
    assert len(TABLE.unions["EU"]) == 27
