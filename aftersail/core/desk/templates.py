"""Reply templates: a pack's text in the buyer's language, with the ticket's values filled in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

import minijinja
from babel import Locale, UnknownLocaleError
from babel.numbers import format_currency

from aftersail.core.contract import Money, Record
from aftersail.core.policy import Pack
from aftersail.core.policy.checks import optional_variables, template_engine, variables_of

MAX_CHARS: Final = 20_000
"""Longest reply; a template that makes more is broken."""

_LINK = re.compile(
    r"(?:https?://|www\.)(?:[^\s/@<>\"']*@)?(?P<host>[\w.-]+)"
    r"|(?P<bare>(?:[\w-]+\.)+(?:com|net|org|info|biz|shop|store|io|eu|de|fr|it|es|pl|nl|uk|jp|cn|ru)\b)",
    re.IGNORECASE,
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u2028\u2029]")


class Rendered(Record):
    """A reply ready to be sent.

    Attributes:
        language: the language it is written in, which may not be the one asked for.
    """

    subject: str
    text: str
    language: str


class TemplateError(Exception):
    """A reply that cannot be written. Nothing has been sent.

    Attributes:
        template: id of the template.
        language: the language it was to be written in.
        variable: the variable at fault; None where it is none.
    """

    def __init__(self, template: str, language: str, what: str, *, variable: str | None = None) -> None:
        super().__init__(f"template {template} in {language}: {what}")
        self.template = template
        self.language = language
        self.variable = variable


def render(
    pack: Pack,
    template_id: str,
    language: str,
    variables: Mapping[str, object],
    *,
    country: str | None = None,
) -> Rendered:
    """Write a reply.

    Args:
        pack: whose template it is.
        template_id: id of the template.
        language: BCP 47 tag of the buyer's language. Where the template lacks it, the base language is taken, and
            then the pack's default.
        variables: values by name; None or an empty text means "not known". Money is written as the language does it.
            A variable the text itself asks about (`{% if buyer_name %}`) may be unknown.
        country: ISO 3166-1 alpha-2, chooses between `de-AT` and `de` where the tag itself names no country.

    Raises:
        TemplateError: no such template, a variable it needs is not known, or a link the pack forbids.
    """
    texts = pack.templates.get(template_id)
    if not texts:
        raise TemplateError(template_id, language, f"pack {pack.id} has no such template")
    chosen = _choose(texts, language, country, pack.content.default_language)
    if chosen is None:
        raise TemplateError(template_id, language, f"it is written in {', '.join(sorted(texts))} only")
    text = texts[chosen]
    needed = variables_of(text.subject) | variables_of(text.text)
    given = {name: _text(value, chosen, country) for name, value in variables.items() if value is not None}
    values = {name: value for name, value in given.items() if value.strip()}
    for name in optional_variables(text.subject) | optional_variables(text.text):
        values.setdefault(name, "")
    missing = sorted(name for name in needed if name not in values)
    if missing:
        what = f"{', '.join(missing)} is not known, and the text needs it"
        raise TemplateError(template_id, chosen, what, variable=missing[0])
    subject = " ".join(_fill(text.subject, values, template_id, chosen).split())
    body = _fill(text.text, values, template_id, chosen).strip() + "\n"
    for host in (*_hosts(subject), *_hosts(body)):
        if _forbidden(host, pack.content.forbidden_links):
            blamed = next((name for name in sorted(needed) if host in {*_hosts(values[name])}), None)
            what = f"it links to {host}, which pack {pack.id} forbids"
            raise TemplateError(template_id, chosen, what, variable=blamed)
    return Rendered(subject=subject, text=body, language=chosen)


def _choose(texts: Mapping[str, object], language: str, country: str | None, default: str) -> str | None:
    by_tag = {tag.lower(): tag for tag in texts}
    asked = language.replace("_", "-").lower()
    base = asked.partition("-")[0]
    wanted = [asked, *([f"{base}-{country.lower()}"] if country and asked == base else []), base, default.lower()]
    if country and asked == base:
        wanted.insert(0, wanted.pop(1))
    return next((by_tag[tag] for tag in wanted if tag in by_tag), None)


def _text(value: object, language: str, country: str | None) -> str:
    """Write a value as plain text: a template gets nothing it could call."""
    if isinstance(value, Money):
        return str(format_currency(value.amount, value.currency, locale=_locale(language, country)))
    return _CONTROL.sub(" ", str(value))


@lru_cache(maxsize=128)
def _locale(language: str, country: str | None) -> Locale:
    for tag in (f"{language.partition('-')[0]}-{country}" if country else language, language, "en"):
        try:
            return Locale.parse(tag, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return Locale("en")


def _fill(source: str, values: Mapping[str, str], template_id: str, language: str) -> str:
    try:
        text = template_engine().render_str(source, **values)
    except minijinja.TemplateError as error:
        raise TemplateError(template_id, language, error.message.splitlines()[0]) from None
    if len(text) > MAX_CHARS:
        raise TemplateError(template_id, language, f"the text has {len(text)} characters, the limit is {MAX_CHARS}")
    return text


def _hosts(text: str) -> Iterator[str]:
    for match in _LINK.finditer(text):
        yield (match["host"] or match["bare"]).rstrip(".").lower()


def _forbidden(host: str, forbidden: tuple[str, ...]) -> bool:
    return any(rule == "*" or host == rule.lower() or host.endswith(f".{rule.lower()}") for rule in forbidden)
