"""Replies in the buyer's language: which one, what stops them, and that hostile text stays text."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aftersail.core.contract import Money
from aftersail.core.desk.templates import MAX_CHARS, TemplateError, render
from aftersail.core.policy import Pack
from tests.policy.samples import HEAD

VALUES = {
    "buyer_name": "Kim",
    "order_number": "#1001",
    "refund_amount": Money.of("1234.50", "EUR"),
    "shop_name": "Shop",
    "tracking_number": "T1",
}
LANGUAGES = """\
templates:
  hello:
    en: {subject: "About {{ order_number }}", text: "Dear {{ buyer_name }}, {{ refund_amount }}"}
    de: {subject: "Zu {{ order_number }}", text: "Guten Tag, {{ refund_amount }}"}
    de-AT: {subject: "Zu {{ order_number }}", text: "Grüß Gott, {{ refund_amount }}"}
"""


@pytest.fixture
def pack(pack_of: Callable[..., Pack]) -> Pack:
    return pack_of("", templates=LANGUAGES)


def one(pack_of: Callable[..., Pack], text: str, *, links: str = "[]") -> Pack:
    templates = f"templates: {{hello: {{en: {{subject: Hello, text: '{text}'}}}}}}\n"
    return pack_of("", head=f"{HEAD}forbidden_links: {links}\n", templates=templates)


@pytest.mark.parametrize(
    ("language", "country", "used", "amount"),
    [
        ("de", None, "de", "1.234,50\xa0€"),
        ("de-AT", None, "de-AT", "€\xa01.234,50"),
        ("de_at", None, "de-AT", "€\xa01.234,50"),
        ("de", "AT", "de-AT", "€\xa01.234,50"),
        ("de-CH", "AT", "de", None),
        ("de-CH", None, "de", "1.234,50\xa0€"),
        ("en", "AT", "en", None),
        ("fr", "FR", "en", None),
        ("xx-nonsense", None, "en", "€1,234.50"),
    ],
)
def test_the_nearest_language_is_used_and_named(
    pack: Pack, language: str, country: str | None, used: str, amount: str | None
) -> None:
    rendered = render(pack, "hello", language, VALUES, country=country)
    assert rendered.language == used
    if amount and used != "de":
        assert amount in rendered.text


def test_money_is_written_as_the_language_does(pack: Pack) -> None:
    assert "1.234,50\xa0€" in render(pack, "hello", "de", VALUES).text
    assert "€1,234.50" in render(pack, "hello", "en", VALUES).text


@pytest.mark.parametrize("value", [None, "", "  "])
def test_an_unknown_variable_stops_the_reply_and_is_named(pack: Pack, value: str | None) -> None:
    with pytest.raises(TemplateError, match="template hello in en: buyer_name is not known") as caught:
        render(pack, "hello", "en", VALUES | {"buyer_name": value})
    assert (caught.value.template, caught.value.language, caught.value.variable) == ("hello", "en", "buyer_name")


def test_a_variable_the_text_asks_about_may_be_unknown(pack_of: Callable[..., Pack]) -> None:
    pack = one(pack_of, "Dear {% if buyer_name %}{{ buyer_name }}{% else %}buyer{% endif %}")
    assert render(pack, "hello", "en", {}).text == "Dear buyer\n"
    assert render(pack, "hello", "en", VALUES).text == "Dear Kim\n"


def test_an_unknown_template_is_named(pack: Pack) -> None:
    with pytest.raises(TemplateError, match="pack mine has no such template"):
        render(pack, "nope", "en", VALUES)


@pytest.mark.parametrize(
    ("links", "name", "allowed"),
    [
        ("[evil.example]", "https://evil.example/x", False),
        ("[evil.example]", "http://www.EVIL.example.", False),
        ("[evil.example]", "https://user@evil.example/", False),
        ("[evil.example]", "https://notevil.example/", True),
        ("['*']", "www.anything.org", False),
        ("['*']", "buy at cheap-shop.com now", False),
        ("['*']", "Kim e.g. Lee, No. 5.Floor", True),
        ("[]", "https://evil.example/x", True),
    ],
)
def test_a_forbidden_link_stops_the_reply_and_says_where_it_came_from(
    pack_of: Callable[..., Pack], links: str, name: str, allowed: bool
) -> None:
    pack = one(pack_of, "Dear {{ buyer_name }}", links=links)
    if allowed:
        assert name in render(pack, "hello", "en", {"buyer_name": name}).text
        return
    with pytest.raises(TemplateError, match="forbids") as caught:
        render(pack, "hello", "en", {"buyer_name": name})
    assert caught.value.variable == "buyer_name"


def test_what_a_buyer_is_called_is_never_read_as_a_template(pack: Pack) -> None:
    rendered = render(pack, "hello", "en", VALUES | {"buyer_name": "{{ 7 * 7 }}\x00", "order_number": "1\r\nBcc: a@b"})
    assert "{{ 7 * 7 }}" in rendered.text
    assert "\x00" not in rendered.text
    assert rendered.subject == "About 1 Bcc: a@b"


@pytest.mark.parametrize(
    "text",
    [
        "".join(f'{{% for {name} in "xxxxxxxxxx"|list %}}' for name in "abcdef") + "{% endfor %}" * 6,
        f'{{{{ "x" * {MAX_CHARS + 1} }}}}',
        '{{ "x".upper.__class__ }}',
        '{% include "other" %}',
    ],
)
def test_a_template_cannot_run_away(pack_of: Callable[..., Pack], text: str) -> None:
    pack = one(pack_of, text)
    with pytest.raises(TemplateError, match="template hello in en"):
        render(pack, "hello", "en", VALUES)
