"""A small world for interleavings: buyers, orders, cases and mails, served by platforms that behave badly.

What begins a ticket says what it is about, and every message of a platform's conversation carries its order: within
that, the store must not depend on how pages cut, repeat, shuffle or delay the world (see `test_interleavings.py`).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from aftersail.core.contract import Case, CursorExpired, Direction, Message, Order, Page, Party, Record
from tests.builders import letter, mail, matter, page, purchase

REASONS = ("It arrived broken", "There is a small scratch on it", "My parcel has not arrived", "I want to return it")
NEUTRAL = "Is there any news?"
STRANGER = Party(name="Eve", email="eve@stranger.example")
SELLER = Party(name="The shop")


@dataclass
class World:
    """Everything that ever existed, by channel; `late` holds orders that the platform shows only after a while."""

    orders: list[Order] = field(default_factory=list)
    late: list[Order] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    mails: list[Message] = field(default_factory=list)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    world = World()
    minutes = iter(draw(st.permutations(range(0, -600, -7))))
    for index in range(draw(st.integers(1, 3))):
        _shop_order(draw, world, f"10{index}", minutes)
    for index in range(draw(st.integers(0, 2))):
        _mail_order(draw, world, f"20{index}", minutes)
    return world


def _revisions(draw: st.DrawFn, thing: Any, changes: Sequence[dict[str, Any]]) -> list[Any]:
    """The thing in as many revisions as the test likes, each with its change."""
    count = draw(st.integers(0, len(changes)))
    later = [thing.model_copy(update=change | {"revision": index + 1}) for index, change in enumerate(changes[:count])]
    return [thing, *later]


def _place(draw: st.DrawFn, world: World, number: str) -> None:
    order = purchase(number, draw(st.sampled_from(["9.90", "15.00", "80.00"])))
    revisions = _revisions(draw, order, [{"status": "packed"}, {"status": "shipped"}])
    (world.late if draw(st.booleans()) else world.orders).extend(revisions)


def _talk(draw: st.DrawFn, times: Sequence[int], reason: str, write: Any) -> list[Message]:
    """A conversation: the buyer begins and says why; then both speak."""
    found = []
    for index, minutes in enumerate(times):
        outbound = index > 0 and draw(st.booleans())
        text = reason if index == 0 else draw(st.sampled_from([reason, NEUTRAL]))
        values = {"direction": Direction.OUTBOUND, "author": SELLER} if outbound else {}
        found += _revisions(draw, write(index, minutes, text, values), [{"text": f"{text}!"}, {"text": f"{text}!!"}])
    return found


def _times(draw: st.DrawFn, minutes: Any, most: int = 4) -> list[int]:
    return sorted(next(minutes) for _ in range(draw(st.integers(1, most))))


def _shop_order(draw: st.DrawFn, world: World, number: str, minutes: Any) -> None:
    """An order with up to two conversations on the platform and up to one case, all about the same matter."""
    _place(draw, world, number)
    reason = draw(st.sampled_from(REASONS))
    for thread in range(draw(st.integers(0, 2))):
        name = f"t{number}-{thread}"

        def write(index: int, when: int, text: str, values: Any, name: str = name) -> Message:
            return letter(f"{name}-{index}", when, text, thread_id=name, order_id=f"id-{number}", **values)

        world.messages += _talk(draw, _times(draw, minutes), reason, write)
    if draw(st.booleans()):
        case = matter(f"R{number}", next(minutes), number, reason_text=reason, respond_by=matter("x", 3000).opened_at)
        moved = [{"respond_by": matter("x", 5000).opened_at}, {"open": False, "respond_by": None}]
        world.cases += _revisions(draw, case, moved)


def _mail_order(draw: st.DrawFn, world: World, number: str, minutes: Any) -> None:
    """An order that one conversation by mail names by its number: of its buyer, or of a stranger."""
    _place(draw, world, number)
    names: list[str] = []
    author = {"author": STRANGER} if draw(st.booleans()) else {}

    def write(index: int, when: int, text: str, values: Any) -> Message:
        name = f"{number}-{index}@mail.example"
        written = mail(name, when, text, answers=tuple(names), subject=f"Order {number}", **(author | values))
        names.append(name)
        return written

    world.mails += _talk(draw, _times(draw, minutes, 3), draw(st.sampled_from(REASONS)), write)


class CrashError(BaseException):
    """The process dies; nothing that catches errors catches it."""


class Platform:
    """Serves a log of items from a cursor on; how well is chance's choice, until it has no more ideas.

    The cursor is the position in the log, so an item behind a cursor that was never stored is served again, and one
    behind a cursor that was stored without its page would be lost.
    """

    def __init__(self, log: Sequence[Record], chance: random.Random, trouble: int) -> None:
        self.log = list(log)
        self.chance = chance
        self.trouble = trouble

    def serve(self, cursor: str | None) -> Page[Any]:
        position = int(cursor or 0)
        if self.trouble <= 0:
            return self._page(position, len(self.log), self.log[position:], more=False)
        self.trouble -= 1
        match self.chance.choice(["page"] * 4 + ["overlap", "empty", "stuck", "expired", "crash", "quiet"]):
            case "expired" if cursor is not None:
                raise CursorExpired("too old")
            case "crash":
                raise CrashError("before the answer was read")
            case "empty":
                return self._page(position, position, [], more=self.chance.random() < 0.5)
            case "stuck":
                return self._page(position, position, self.log[position : position + 1], more=True)
            case "quiet":  # no cursor: the one before is kept
                return page(*self.log[position : position + 2], cursor=None)
            case "overlap":
                return self._some(position, self.chance.randint(0, position))
            case _:
                return self._some(position, position)

    def _some(self, position: int, start: int) -> Page[Any]:
        end = min(len(self.log), position + self.chance.randint(1, 4))
        items = self.log[start:end]
        items += self.chance.sample(items, self.chance.randint(0, min(2, len(items))))
        self.chance.shuffle(items)
        return self._page(position, end, items, more=self.chance.random() < 0.7)

    @staticmethod
    def _page(position: int, end: int, items: Sequence[Record], *, more: bool) -> Page[Any]:
        return page(*items, cursor=str(end), more=more)
