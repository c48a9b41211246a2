"""Plays stored history through a draft pack: which decisions, sums and deadlines would have come out otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

from pydantic import Field

from aftersail.core.contract import Instant, Money, Record
from aftersail.core.policy.compiled import Pack
from aftersail.core.policy.decide import conclude
from aftersail.core.policy.history import Effect, PastRequest, Sums, effect_of, verdict_of
from aftersail.core.policy.replay import ReplayedClock, replay_clocks

CHANGES: Final[Mapping[str, str]] = {
    "refund_new": "a refund where none was paid by itself",
    "refund_gone": "no refund by itself any more",
    "refund_more": "a higher refund",
    "refund_less": "a lower refund",
    "person_new": "a person decides who was not asked before",
    "person_gone": "no person is asked any more",
    "proposal": "another amount for a person to approve",
    "reply": "other answers",
    "tier": "another tier",
    "promise": "other promises",
    "mark": "other flags or tags",
    "other": "other actions",
}
"""Every kind of change with its meaning; one request may be changed in several ways."""


class ChangeExample(Record):
    """One request that would have come out otherwise."""

    ticket: int
    before: str
    after: str


class ChangeCount(Record):
    """One kind of change: a key of `CHANGES`, how many requests, and the first of them."""

    kind: str
    count: int
    examples: tuple[ChangeExample, ...] = ()


class MoneyChange(Record):
    """What refunds add up to in one currency.

    Attributes:
        by: `automation`, or `person` for what waits for somebody's approval.
    """

    currency: str
    by: str
    before: Money
    after: Money


class DeadlineChange(Record):
    """What becomes of one metric's clocks.

    Attributes:
        clocks: how many there were that the draft promises too.
        earlier: due earlier under the draft.
        later: due later.
        breached_before: how many of all clocks ran out.
        breached_after: how many of them would have, each ended when it really did.
        newly: would have run out, but did not.
        spared: did run out, but would not have.
        dropped: clocks that the draft has no promise for.
    """

    metric: str
    clocks: int
    earlier: int
    later: int
    breached_before: int
    breached_after: int
    newly: int
    spared: int
    dropped: int
    newly_examples: tuple[int, ...] = ()
    spared_examples: tuple[int, ...] = ()


class Simulation(Record):
    """What a draft would have made of the requests of a time.

    Attributes:
        pack_id: the draft.
        requests: how many were played through.
        decisions: how many decisions that were, since a request is judged again with each message.
        changed: how many requests would have come out otherwise, each counted once.
        added: metrics the draft promises and nobody promised before, with the number of requests: whether those would
            have been met, nobody knows.
        unread: how many requests were left out, since this version cannot read their stored facts.
    """

    pack_id: str
    pack_version: int
    pack_hash: str
    as_of: Instant
    requests: int
    decisions: int
    changed: int
    changes: tuple[ChangeCount, ...]
    money: tuple[MoneyChange, ...]
    deadlines: tuple[DeadlineChange, ...]
    added: dict[str, int] = Field(default_factory=dict)
    unread: int = 0
    unread_examples: tuple[int, ...] = ()


class Simulator:
    """Takes requests one by one and keeps sums and the first few examples, so that memory does not grow with history.

    Args:
        pack: the draft.
        as_of: judges clocks that still run (UTC).
        examples: how many tickets to name for each kind of change.
    """

    def __init__(self, pack: Pack, as_of: datetime, *, examples: int = 3) -> None:
        self._pack = pack
        self._as_of = as_of
        self._examples = examples
        self._requests = self._decisions = self._changed = 0
        self._counts: dict[str, int] = {}
        self._found: dict[str, list[ChangeExample]] = {}
        self._money: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}
        self._deadlines: dict[str, _Tally] = {}
        self._added: dict[str, int] = {}
        self._unread = 0
        self._unread_examples: list[int] = []

    def play(self, request: PastRequest) -> None:
        """Judge a request by the draft, each time it was judged, and note what differs."""
        decisions = [conclude(self._pack, past.facts, past.at) for past in request.decisions]
        before = effect_of([past.verdict for past in request.decisions])
        after = effect_of([verdict_of(decision) for decision in decisions])
        self._requests += 1
        self._decisions += len(decisions)
        self._compare(request.number, before, after)
        for by, one, other in (
            ("automation", before.paid, after.paid),
            ("person", before.proposed, after.proposed),
        ):
            for currency in one.keys() | other.keys():
                was, would = self._money.get((currency, by), (Decimal(0), Decimal(0)))
                found = (was + one.get(currency, Decimal(0)), would + other.get(currency, Decimal(0)))
                self._money[currency, by] = found
        clocks = replay_clocks(request, decisions, self._pack, self._as_of)
        for clock in clocks:
            self._deadlines.setdefault(clock.metric, _Tally()).add(request.number, clock, self._examples)
        known = {target["metric"] for past in request.decisions for target in past.verdict.targets}
        for metric in {target.metric for decision in decisions for target in decision.targets} - known:
            self._added[metric] = self._added.get(metric, 0) + 1

    def skip(self, ticket: int) -> None:
        """Note a request that cannot be played."""
        self._unread += 1
        if len(self._unread_examples) < self._examples:
            self._unread_examples.append(ticket)

    def result(self) -> Simulation:
        """Say what came out so far."""
        return Simulation(
            pack_id=self._pack.id,
            pack_version=self._pack.version,
            pack_hash=self._pack.hash,
            as_of=self._as_of,
            requests=self._requests,
            decisions=self._decisions,
            changed=self._changed,
            changes=tuple(
                ChangeCount(kind=kind, count=self._counts[kind], examples=tuple(self._found[kind]))
                for kind in CHANGES
                if kind in self._counts
            ),
            money=tuple(
                MoneyChange(currency=currency, by=by, before=Money.of(was, currency), after=Money.of(would, currency))
                for (currency, by), (was, would) in sorted(self._money.items())
            ),
            deadlines=tuple(tally.result(metric) for metric, tally in sorted(self._deadlines.items())),
            added=dict(sorted(self._added.items())),
            unread=self._unread,
            unread_examples=tuple(self._unread_examples),
        )

    def _compare(self, ticket: int, before: Effect, after: Effect) -> None:
        if before == after:
            return
        self._changed += 1
        for kind, was, would in _differences(before, after):
            self._counts[kind] = self._counts.get(kind, 0) + 1
            examples = self._found.setdefault(kind, [])
            if len(examples) < self._examples:
                examples.append(ChangeExample(ticket=ticket, before=was, after=would))


def simulate(pack: Pack, requests: Iterable[PastRequest], as_of: datetime, *, examples: int = 3) -> Simulation:
    """Play requests through a draft.

    Args:
        pack: the draft; when it takes effect does not matter here.
        requests: stored history.
        as_of: judges clocks that still run (UTC).
        examples: how many tickets to name for each kind of change.
    """
    simulator = Simulator(pack, as_of, examples=examples)
    for request in requests:
        simulator.play(request)
    return simulator.result()


class _Tally:
    """One metric's clocks, counted."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(
            ("clocks", "earlier", "later", "breached_before", "breached_after", "newly", "spared", "dropped"), 0
        )
        self._newly: list[int] = []
        self._spared: list[int] = []

    def add(self, ticket: int, clock: ReplayedClock, examples: int) -> None:
        was, would = clock.due
        if was is not None and would is not None:
            self._count(clocks=True, earlier=would < was, later=would > was)
        before, after = clock.breached
        newly, spared = after and not before, before and not after
        self._count(breached_before=before, breached_after=after, newly=newly, spared=spared, dropped=would is None)
        for happened, found in ((newly, self._newly), (spared, self._spared)):
            if happened and len(found) < examples:
                found.append(ticket)

    def _count(self, **happened: bool) -> None:
        for name, did in happened.items():
            self._counts[name] += did

    def result(self, metric: str) -> DeadlineChange:
        return DeadlineChange(
            metric=metric,
            newly_examples=tuple(self._newly),
            spared_examples=tuple(self._spared),
            **self._counts,
        )


def _differences(before: Effect, after: Effect) -> Iterable[tuple[str, str, str]]:
    """Yield kind, before and after, in words."""
    money = (_sums(before.paid), _sums(after.paid))
    if before.paid != after.paid:
        yield _refund_kind(before.paid, after.paid), *money
    if before.asks is not after.asks:
        words = tuple("a person decides" if effect.asks else "no person is asked" for effect in (before, after))
        yield "person_new" if after.asks else "person_gone", words[0], words[1]
    if before.proposed != after.proposed:
        yield "proposal", _sums(before.proposed), _sums(after.proposed)
    for kind, was, would in (
        ("reply", before.replies, after.replies),
        ("promise", before.promises - after.promises, after.promises - before.promises),
        ("mark", before.marks, after.marks),
        ("other", before.others, after.others),
    ):
        if was != would:
            yield kind, _listed(was), _listed(would)
    if before.tier != after.tier:
        yield "tier", before.tier or "none", after.tier or "none"


def _refund_kind(before: Sums, after: Sums) -> str:
    if not before:
        return "refund_new"
    if not after:
        return "refund_gone"
    nothing = Decimal(0)
    more = any(
        after.get(currency, nothing) > before.get(currency, nothing) for currency in before.keys() | after.keys()
    )
    return "refund_more" if more else "refund_less"


def _sums(sums: Sums) -> str:
    return ", ".join(str(Money.of(amount, currency)) for currency, amount in sorted(sums.items())) or "nothing"


def _listed(words: frozenset[str]) -> str:
    return "; ".join(sorted(words)) or "none"
