"""What may go wrong in a world: one sky for each column of the matrix."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from functools import partial

from aftersail.sdk.testing.faults import Alteration, Fault, Planned, duplicated, replaced, shuffled
from aftersail.sdk.testing.marketplace import Marketplace
from aftersail.sdk.testing.weather import Strike, Weather

WRITES = ("pay", "write", "decide")
LISTS = ("list_orders", "list_messages", "list_cases", "page_orders", "page_messages", "page_cases")
READS = (*LISTS, "refunds")
PAGES = tuple(name for name in LISTS if name.startswith("page"))

Make = Callable[[Marketplace, random.Random], "Fault | int | Alteration | Planned"]


@dataclass(frozen=True)
class Sky:
    """What may strike, and how the world is otherwise.

    Attributes:
        make: makes one fault; None where all calls come through.
        targets: the calls it strikes.
        late: how long a buyer's message stays invisible.
        edits: whether messages change after they were seen.
        skew: how far the platform's clock is ahead of ours.
        lag: how long a refund stays invisible to whoever lists them.
        tokens_die: whether access tokens die before their time.
    """

    make: Make | None = None
    targets: Sequence[str] = (*WRITES, *READS)
    late: timedelta = timedelta(0)
    edits: bool = False
    skew: timedelta = timedelta(0)
    lag: timedelta = timedelta(0)
    tokens_die: bool = False

    def over(self, market: Marketplace, seed: str) -> list[Weather]:
        """Make the weather of one marketplace: writes are few, so they are struck more often."""
        if self.make is None:
            return []
        writes = [self._strike(market, name) for name in self.targets if name in WRITES]
        reads = [self._strike(market, name) for name in self.targets if name not in WRITES]
        chance = random.Random(seed)
        return [Weather(chance, writes, rate=0.6, most=8), Weather(chance, reads, rate=0.25, most=12)]

    def _strike(self, market: Marketplace, target: str) -> Strike:
        make = self.make
        assert make is not None

        def strike(chance: random.Random) -> Planned:
            made = make(market, chance)
            return (
                Planned(target, made, 1)
                if not isinstance(made, Planned)
                else Planned(target, made.fault, 1, made.headers)
            )

        return strike


def _always(fault: Fault | int | Alteration) -> Make:
    return lambda _market, _chance: fault


def _later(market: Marketplace, chance: random.Random, *, as_date: bool) -> Planned:
    seconds = chance.choice([2, 30, 90, 600])
    at = market.now() + timedelta(seconds=seconds)
    return Planned("", 429, 1, {"Retry-After": format_datetime(at, usegmt=True) if as_date else str(seconds)})


_ASKED_TO_WAIT = partial(_later, as_date=True)

SKIES: dict[str, Sky] = {
    "calm": Sky(),
    "429": Sky(_always(429)),
    "429 s": Sky(partial(_later, as_date=False)),
    "429 date": Sky(_ASKED_TO_WAIT),
    "503 before": Sky(_always(503)),
    "500 after": Sky(_always(Fault.ERROR_AFTER)),
    "refused": Sky(_always(Fault.REFUSED)),
    "reset before": Sky(_always(Fault.RESET_BEFORE)),
    "reset after": Sky(_always(Fault.RESET_AFTER)),
    "hang before": Sky(_always(Fault.TIMEOUT_BEFORE)),
    "hang after": Sky(_always(Fault.TIMEOUT_AFTER)),
    "hang, 12 min lag": Sky(_always(Fault.TIMEOUT_AFTER), lag=timedelta(minutes=12)),
    "cut body": Sky(_always(Fault.CUT)),
    "broken body": Sky(_always(Fault.GARBAGE)),
    "200 portal": Sky(_always(Fault.PORTAL)),
    "200 other": Sky(_always(replaced({}))),
    "page twice": Sky(_always(duplicated("items")), LISTS),
    "page empty": Sky(lambda market, _: market.empty_page(), LISTS),
    "page shuffled": Sky(lambda _, chance: shuffled("items", seed=chance.randrange(99)), LISTS),
    "cursor again": Sky(lambda market, _: market.repeated_cursor(), LISTS),
    "cursor 410": Sky(_always(410), PAGES),
    "15 min late": Sky(late=timedelta(minutes=15)),
    "edited": Sky(edits=True),
    "token dies": Sky(tokens_die=True),
    "token lost": Sky(_always(Fault.RESET_AFTER), ("token",), tokens_die=True),
    "clock +7 min": Sky(_ASKED_TO_WAIT, late=timedelta(minutes=15), skew=timedelta(minutes=7)),
    "clock -7 min": Sky(_ASKED_TO_WAIT, late=timedelta(minutes=15), skew=-timedelta(minutes=7)),
    "anything": Sky(
        lambda market, chance: chance.choice(
            [*(fault for fault in Fault), 429, 503, replaced({}), _later(market, chance, as_date=chance.random() < 0.5)]
        ),
        edits=True,
        lag=timedelta(minutes=1),
        tokens_die=True,
    ),
}
"""By the name of the column."""
