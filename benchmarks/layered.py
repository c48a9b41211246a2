"""Decisions by three layers of packs, a law, a marketplace and a seller's two hundred rules, and how packs load."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness import Result, percentile, result, seconds

from aftersail.core import packs
from aftersail.core.contract import Money
from aftersail.core.policy import Facts, Pack, PackLibrary, decide, make_facts
from aftersail.core.policy.loader import read_draft
from aftersail.core.policy.reasons import Reason

_AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
_RULES = 200
_TICKETS = 50
_ROUNDS = 20
_REASONS = [reason.value for reason in Reason]
_FAULTS = "unusable, damaged, minor_defect, wrong_item, not_as_described, missing_parts, not_received"

_LAW = f"""\
id: law
version: 1
title: A law
effective_from: 2020-01-01
currency: EUR
kind: law
applies: {{countries: [DE, FR, IT, ES]}}
sources: {{act: {{page: "Act, section 1", checked_on: 2026-11-22, verified: true}}}}
calendars: {{law-days: {{timezone: Europe/Berlin, hours: "Mo-Fr 00:00-24:00", holidays: [{{country: DE}}]}}}}
windows:
  - {{id: withdrawal, right: withdrawal, days: 14, start: delivered_last, roll_over: true, calendar: law-days,
     source: act}}
  - {{id: fault, right: fault, days: 730, start: delivered_last, source: act}}
exceptions:
  - {{id: custom, right: withdrawal, when: item.custom, source: act}}
  - {{id: digital, right: withdrawal, when: item.digital && digital.consent, needs: [digital.consent_at], source: act}}
liability: [{{id: trader, reasons: [{_FAULTS}], party: merchant, source: act}}]
costs:
  - {{id: item, component: item, payer: merchant, source: act}}
  - {{id: out, component: outbound_standard, payer: merchant, source: act}}
  - {{id: back, component: return_freight, payer: merchant, source: act}}
  - {{id: back-buyer, component: return_freight, liable: [buyer], payer: buyer, source: act}}
refund_due:
  - {{id: due, right: withdrawal, duration: 14d, basis: calendar_days, calendar: law-days, start: notice,
     hold_until: goods_or_proof, source: act}}
routes: [{{id: ways, right: withdrawal, order: [original], source: act}}]
remedies: [{{id: choice, right: fault, choice: buyer, options: [repair, replacement], source: act}}]
"""
_MARKET = """\
id: market
version: 1
title: A marketplace
effective_from: 2020-01-01
currency: EUR
kind: marketplace
applies: {connectors: [shopify]}
sources: {help: {page: Help, checked_on: 2026-11-22, verified: true}}
targets: [{id: answer, source: help, clocks: [{metric: first_response, duration: 24h, basis: elapsed}]}]
windows: [{id: thirty, right: withdrawal, days: 30, start: delivered_last, source: help}]
refund_due: [{id: soon, right: withdrawal, duration: 48h, basis: elapsed, start: goods_back, source: help}]
"""


def pack(folder: Path) -> Pack:
    """Write the three layers down and load them."""
    others = ", ".join(reason for reason in _REASONS if reason not in _FAULTS)
    lines = ["id: seller", "version: 1", "title: A seller", "effective_from: 2020-01-01", "currency: EUR"]
    lines += ["extends: [law, market]", "liability:", f"  - {{id: ours, reasons: [{_FAULTS}], party: merchant}}"]
    lines += [f"  - {{id: theirs, reasons: [{others}], party: buyer}}"]
    lines += ["windows: [{id: ours, right: withdrawal, days: 60, start: delivered_last}]", "rules:"]
    for number in range(_RULES):
        clauses = [f'ticket.reason == "{_REASONS[number % len(_REASONS)]}"', f"claim.amount < {5 + number}"]
        clauses += ['ticket.language in ["de", "fr", "it"]'] if number % 3 == 0 else []
        clauses += ["window.open"] if number % 7 == 0 else []
        lines += [f"  - id: rule-{number}", f"    priority: {number + 1}", f"    then: [tag: tag-{number}]"]
        lines += ["    when:", "      all:", *(f"        - '{clause}'" for clause in clauses)]
    for name, text in {"law": _LAW, "market": _MARKET, "seller": "\n".join(lines) + "\n"}.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return PackLibrary([folder]).latest("seller")


def tickets() -> list[Facts]:
    """Make the facts of fifty tickets that all have an order."""
    return [
        make_facts(
            {
                "ticket.reason": _REASONS[number % len(_REASONS)],
                "ticket.language": ("de", "en", "ja")[number % 3],
                "ticket.connector": "shopify",
                "order.country": ("DE", "US")[number % 2],
                "order.delivered_last_at": _AT - timedelta(days=number),
                "claim.filed_at": _AT,
                "claim.amount": Money.of(f"{number}.50", "EUR"),
                "item.custom": number % 9 == 0,
                "item.digital": False,
            }
        )
        for number in range(_TICKETS)
    ]


def _decided(pack: Pack, facts: Facts, *, read: bool) -> object:
    """Decide, and read the trace or not: its rows are made when somebody looks."""
    decision = decide(pack, facts, _AT)
    return tuple(decision.trace.rows) if read else decision


def run() -> Iterator[Result]:
    """Time single decisions, and loading every shipped pack, parsed and from what was parsed before."""
    with tempfile.TemporaryDirectory() as folder:
        layered = pack(Path(folder))
    facts = tickets()
    if not any(decide(layered, each, _AT).actions for each in facts):
        raise AssertionError("no rule matches any of the tickets")
    times: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(_ROUNDS):
        for read in times:
            times[read] += [seconds(lambda each=each, read=read: _decided(layered, each, read=read)) for each in facts]
    yield result("decision: 200 rules, three layers, trace read, p50", percentile(times[True], 50) * 1e3, "ms", floor=2)
    yield result("the same, its trace not read, p50", percentile(times[False], 50) * 1e3, "ms", floor=0.7)
    shipped = Path(packs.__file__).parent
    read_draft.cache_clear()
    yield result("load every shipped pack", seconds(lambda: PackLibrary([shipped])), "s", floor=1)
    yield result("the same, read before", seconds(lambda: PackLibrary([shipped])) * 1e3, "ms", floor=50)
