"""A small world of packs: a law, a marketplace, and a seller who extends both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from aftersail.core.policy import Decision, Pack, PackLibrary, Problem, check, decide, make_facts

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)

LAW = """\
id: law-x
version: 1
title: The law of X
effective_from: 2020-01-01
currency: EUR
kind: law
applies: {countries: [DE, FR]}
sources:
  art9: {page: "Directive X, Art 9", checked_on: 2026-06-01, verified: true}
  art16: {page: "Directive X, Art 16", checked_on: 2026-06-01, verified: true}
calendars:
  x-days: {timezone: Europe/Berlin, hours: "Mo-Fr 00:00-24:00", holidays: [{country: DE}]}
windows:
  - {id: withdrawal, right: withdrawal, days: 14, start: delivered_last, roll_over: true, calendar: x-days,
     estimate: {from: fulfilled, add: 10d}, source: art9}
  - {id: fault, right: fault, days: 730, start: delivered_last, timezone: Europe/Berlin, source: art9}
exceptions:
  - {id: custom, right: withdrawal, when: item.custom, source: art16}
  - {id: hygiene, right: withdrawal, when: '"hygiene" in order.category && item.unsealed', needs: [item.unsealed],
     source: art16}
  - {id: downloaded, right: withdrawal, when: item.digital && digital.consent && digital.acknowledged,
     needs: [digital.consent_at], source: art16}
liability:
  - {id: trader, reasons: [unusable, damaged, minor_defect, wrong_item, not_as_described, missing_parts,
     not_received], party: merchant, source: art9}
costs:
  - {id: item, component: item, payer: merchant, source: art9}
  - {id: out, component: outbound_standard, payer: merchant, source: art9}
  - {id: express, component: outbound_express, payer: buyer, source: art9}
  - {id: back, component: return_freight, payer: merchant, source: art9}
  - {id: back-buyer, component: return_freight, liable: [buyer], payer: buyer, source: art9}
  - {id: no-fee, component: restocking, payer: merchant, source: art9}
refund_due:
  - {id: due, right: withdrawal, duration: 14d, basis: calendar_days, calendar: x-days, start: notice,
     hold_until: goods_or_proof, source: art9}
routes:
  - {id: same-means, right: withdrawal, order: [original], store_credit_needs_consent: true, source: art9}
remedies:
  - {id: choice, right: fault, choice: buyer, options: [repair, replacement], source: art9}
"""

MARKET = """\
id: market-m
version: 1
title: The marketplace M
effective_from: 2020-01-01
currency: USD
kind: marketplace
applies: {connectors: [amazon]}
sources:
  help: {page: "Help page 1", url: "https://m.example/help", checked_on: 2026-06-01, verified: true}
  rumour: {page: "A forum", checked_on: 2026-06-01, verified: false}
targets:
  - {id: answer, source: help, clocks: [{metric: first_response, duration: 24h, basis: elapsed}]}
windows:
  - {id: thirty, right: withdrawal, days: 30, start: delivered_last, timezone: UTC, source: help,
     seasons: [{bought_from: 2025-11-01, bought_until: 2025-12-31, until: 2026-01-31}]}
refund_due:
  - {id: two-days, right: withdrawal, duration: 48h, basis: elapsed, start: goods_back, source: help}
"""

OWN = """\
id: mine
version: 1
title: Mine
effective_from: 2020-01-01
currency: EUR
extends: [law-x, market-m]
"""

EVERYBODY = "reasons: [not_received, unusable, damaged, minor_defect, wrong_item, not_as_described, missing_parts]"
OTHERS = (
    "reasons: [return_request, refund_request, cancel_order, exchange, delivery_question, product_question, invoice,"
    " complaint, other]"
)
LIABILITY = f"""\
liability:
  - {{id: ours, {EVERYBODY}, party: merchant}}
  - {{id: theirs, {OTHERS}, party: buyer}}
"""

KNOWN: Mapping[str, object] = {
    "ticket.reason": "return_request",
    "ticket.connector": "shopify",
    "order.country": "DE",
    "item.custom": False,
    "item.digital": False,
    "order.category": ("books",),
    "claim.filed_at": datetime(2026, 11, 16, 10, tzinfo=UTC),
    "order.delivered_last_at": datetime(2026, 11, 2, 9, tzinfo=UTC),
}


class World:
    """Packs in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("law-x", LAW)
        self.write("market-m", MARKET)

    def write(self, name: str, text: str) -> None:
        (self.folder / f"{name}.yaml").write_text(text, encoding="utf-8")

    def pack(self, body: str = "", *, head: str = OWN) -> Pack:
        self.write("mine", head + body)
        return PackLibrary([self.folder]).latest("mine")

    def problems(self, body: str = "", *, head: str = OWN) -> list[Problem]:
        self.write("mine", head + body)
        return check(self.folder / "mine.yaml")

    def decide(self, body: str = "", *, at: datetime = AT, head: str = OWN, **changes: object) -> Decision:
        return decide(self.pack(body, head=head), facts(**changes), at)


def facts(**changes: object):
    """The facts of a return asked for in time; keywords with two underscores for the dot replace them."""
    given = {**KNOWN, **{name.replace("__", ".", 1): value for name, value in changes.items()}}
    return make_facts(given)


def day(text: str) -> datetime:
    """An instant of UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


Build = Callable[..., World]
