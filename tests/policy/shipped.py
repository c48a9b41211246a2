"""What the tests of the shipped packs share: the packs, claims against them, and instants on a wall clock."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from aftersail.core import clocks
from aftersail.core.clocks import Clock, Metric
from aftersail.core.contract import Money
from aftersail.core.packs import FOLDER
from aftersail.core.policy import Decision, Pack, PackLibrary, decide, make_facts
from aftersail.core.policy.entitlement import Entitlement

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)

PLAIN = {
    "item__custom": False,
    "item__perishable": False,
    "item__unsealed": False,
    "item__digital": False,
    "digital__downloaded": False,
    "order__category": ("shoes",),
}
"""Goods no exception is for."""


@cache
def library() -> PackLibrary:
    """Load all shipped packs, once."""
    return PackLibrary([FOLDER])


def shipped(pack_id: str) -> Pack:
    """Return the version of a shipped pack that is in force now."""
    return library().in_force(pack_id, NOW)


def own(folder: Path, body: str, extends: Iterable[str]) -> Pack:
    """Write a seller's pack that extends shipped ones, and load it."""
    head = "id: mine\nversion: 1\ntitle: Mine\neffective_from: 2026-01-01\ncurrency: USD\n"
    text = f"{head}extends: [{', '.join(extends)}]\n{body}"
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    return PackLibrary([FOLDER, folder]).in_force("mine", NOW)


def wall(text: str, zone: str) -> datetime:
    """Read an instant as a clock on the wall of a place shows it."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def claim(pack: Pack, at: datetime = NOW, **facts: object) -> Decision:
    """Decide a claim about plain goods; keywords add facts or replace them."""
    amount = Money.of("100.00", "USD")
    known = {"claim__amount": amount, "order__total": amount, "claim__filed_at": at, **PLAIN, **facts}
    return decide(pack, make_facts(**known), at)


def entitled(pack: Pack, at: datetime = NOW, **facts: object) -> Entitlement:
    """Return what a claim about plain goods is entitled to."""
    entitlement = claim(pack, at, **facts).entitlement
    assert entitlement is not None
    return entitlement


def started(pack: Pack, decision: Decision, at: datetime) -> dict[tuple[Metric, str], Clock]:
    """Start the clocks of a decision, by metric and by the name of who demands it."""
    return {
        (target.metric, target.source.name): clocks.start(target, pack.calendar(target.calendar), at)
        for target in decision.targets
    }
