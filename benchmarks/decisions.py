"""Decisions: a pack with fifty rules and a full trace, beside the same fifty conditions on bare CEL without any."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from harness import Result, alternate, ratio, result

from aftersail.core import packs
from aftersail.core.contract import Money
from aftersail.core.policy import Pack, PackLibrary, decide, make_facts
from aftersail.core.policy.engines import RustCelEngine
from aftersail.core.policy.reasons import Reason

_AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
_RULES = 50
_TICKETS = 50
_REASONS = [reason.value for reason in Reason]
_CURRENCY = "EUR"


def conditions() -> list[list[str]]:
    """Write what a seller would: a reason, an amount, and sometimes a language or a history."""
    found = []
    for number in range(_RULES):
        clauses = [f'ticket.reason == "{_REASONS[number % len(_REASONS)]}"', f"claim.amount < {5 + number}"]
        if number % 3 == 0:
            clauses.append('ticket.language in ["de", "fr", "it"]')
        if number % 5 == 0:
            clauses.append("buyer.orders >= 3")
        found.append(clauses)
    return found


def pack(folder: Path) -> Pack:
    """Write those conditions down as a pack and load it."""
    lines = ["id: fifty", "version: 1", "title: Fifty rules", "effective_from: 2023-11-01", f"currency: {_CURRENCY}"]
    lines.append("rules:")
    for number, clauses in enumerate(conditions()):
        lines += [f"  - id: rule-{number}", f"    title: Rule {number}", f"    priority: {number + 1}"]
        lines += ["    when:", "      all:", *(f"        - '{clause}'" for clause in clauses)]
        lines += ["    then:", f"      - tag: tag-{number}"]
    (folder / "fifty.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return PackLibrary([folder]).latest("fifty")


def tickets() -> list[dict[str, object]]:
    """Make the facts of fifty tickets."""
    return [
        {
            "ticket.reason": _REASONS[number % len(_REASONS)],
            "ticket.language": ("de", "en", "ja")[number % 3],
            "ticket.channel": "shop",
            "ticket.connector": "shopify",
            "claim.amount": Money.of(f"{number}.50", _CURRENCY),
            "buyer.orders": number % 7,
        }
        for number in range(_TICKETS)
    ]


def run() -> Iterator[Result]:
    """Compare, after checking that the same rules match."""
    with tempfile.TemporaryDirectory() as folder:
        fifty = pack(Path(folder))
    facts = [make_facts(ticket) for ticket in tickets()]
    bare = RustCelEngine()
    programs = [bare.compile(" && ".join(clauses)) for clauses in conditions()]
    plain = [
        {name: float(value.amount) if isinstance(value, Money) else value for name, value in ticket.items()}
        for ticket in tickets()
    ]

    def ours() -> list[set[str]]:
        return [{action.rule for action in decide(fifty, each, _AT).actions} for each in facts]

    def theirs() -> list[set[str]]:
        found = []
        for values in plain:
            bound = bare.bind(values)
            held = enumerate(bare.evaluate(program, bound) for program in programs)
            found.append({f"rule-{number}" for number, holds in held if holds})
        return found

    if ours() != theirs() or not any(theirs()):
        raise AssertionError("the pack and the bare conditions disagree")
    starter = PackLibrary([Path(packs.__file__).parent]).in_force("starter", _AT)
    works = {
        "ours": ours,
        "bare": theirs,
        "read": lambda: [tuple(decide(fifty, each, _AT).trace.rows) for each in facts],
        "starter": lambda: [decide(starter, each, _AT) for each in facts],
    }
    times = alternate(works, rounds=15)
    yield result("one decision by the starter pack, with trace", min(times["starter"]) / _TICKETS * 1e6, "µs")
    times_bare = ratio(times["ours"], times["bare"])
    yield result("one decision by 50 rules with trace, to bare Rust CEL", times_bare, "x", floor=2, goal=0.5)
    yield result("the same, every row of the trace read", ratio(times["read"], times["bare"]), "x")
