"""What the policy's tests share: a small pack that pays, and facts for which it does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aftersail.core.contract import Money
from aftersail.core.policy import Decision, Facts, Pack, PackLibrary, decide, make_facts
from tests.policy.samples import F27, HEAD, TEMPLATES
from tests.policy.world import World


@pytest.fixture
def at() -> datetime:
    return datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def pack_of(tmp_path: Path) -> Callable[..., Pack]:
    """Build a pack from its text."""

    def build(body: str = F27, *, head: str = HEAD, templates: str = TEMPLATES) -> Pack:
        (tmp_path / "mine.yaml").write_text(head + templates + body, encoding="utf-8")
        return PackLibrary([tmp_path]).latest("mine")

    return build


@pytest.fixture
def facts_of() -> Callable[..., Facts]:
    """Facts of a genuine small defect; keywords replace them, None takes one away."""

    def build(amount: str = "19.99 USD", **changes: object) -> Facts:
        number, currency = amount.split()
        claim = Money.of(number, currency)
        given: dict[str, object] = {
            "ticket__reason": "minor_defect",
            "claim__amount": claim,
            "order__total": claim,
            "order__refundable": claim,
            "message__authentic": True,
            "buyer__matches_order": True,
        }
        return make_facts(**(given | changes))

    return build


@pytest.fixture
def decided(pack_of: Callable[..., Pack], facts_of: Callable[..., Facts], at: datetime) -> Callable[..., Decision]:
    """Decide the small defect by a pack with these rules."""

    def run(body: str = F27, amount: str = "19.99 USD", **changes: object) -> Decision:
        return decide(pack_of(body), facts_of(amount, **changes), at)

    return run


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)
