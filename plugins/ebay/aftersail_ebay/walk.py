"""Walking a list that eBay pages by offset, while it changes.

eBay has no change token: a list can only be asked for what changed since an instant, and walked by offset. Its order
is not promised, and entries move while it is walked. Nothing is lost as long as entries that do not change keep their
order among themselves:

- Before a page is read on from, the page before it is read again. An entry of it that was there before and has not
  changed proves that whatever stands in front of it has been handed out; the walk goes on behind it. Where no such
  entry is left, the walk starts over.
- An entry that changed may have moved past the walk. It changed after the walk began, so the next walk, which asks
  for changes since a little before this one began, meets it again, and hands it out whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aftersail.sdk import CursorExpired, Instant
from aftersail.sdk.overlap import OVERLAP
from aftersail_ebay.api import Json, Listing

OLDEST: Final = timedelta(days=729)
"""eBay refuses an older start: `getOrders` reaches two years back."""

_RESTARTS = 3  # A list in a new order at every call would never end.

ItemT = TypeVar("ItemT")
Place = tuple[Instant, str]


class Position(BaseModel):
    """Where a walk stands; the cursor is this as JSON.

    Attributes:
        since: changes from here on are asked for.
        began: when the walk began.
        size: entries per page, the same for the whole walk, since eBay wants the offset to be a multiple of it.
        offset: of the page to read.
        marks: the entries of the page before, as they were.
        done: entries of this page that have been handed out, as they were.
        entry: id of the entry that has been handed out in part.
        after: the last item of that part, by its time and id.
        restarts: how often this walk started over.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: Instant
    began: Instant
    size: int = Field(ge=1, le=200)
    offset: int = Field(default=0, ge=0)
    marks: tuple[str, ...] = ()
    done: tuple[str, ...] = ()
    entry: str | None = None
    after: Place | None = None
    restarts: int = 0

    @classmethod
    def take_up(cls, cursor: str | None, *, now: datetime, size: int, history: timedelta) -> Position:
        """Go on from a cursor, or begin the first walk.

        Raises:
            CursorExpired: the cursor is unreadable or reaches back further than eBay allows.
        """
        if cursor is None:
            return cls(since=now - history, began=now, size=size)
        try:
            found = cls.model_validate_json(cursor)
        except ValidationError as error:
            raise CursorExpired("the cursor is unreadable; the stream starts again") from error
        if found.since < now - OLDEST:
            raise CursorExpired("the channel stood still for two years; the stream starts again")
        at_start = found.offset == 0 and not found.done and found.entry is None
        return found.model_copy(update={"began": now, "size": size}) if at_start else found

    def cursor(self) -> str:
        """Write the position down."""
        return self.model_dump_json(exclude_defaults=True)

    def turned(self, marks: tuple[str, ...]) -> Position:
        """Turn to the next page."""
        return self._at(offset=self.offset + self.size, marks=marks)

    def started_over(self) -> Position:
        """Go back to the first page of the same walk."""
        return self._at(offset=0, marks=(), restarts=self.restarts + 1)

    def finished(self) -> Position:
        """Stand before the next walk."""
        return Position(since=self.began - OVERLAP, began=self.began, size=self.size)

    def _at(self, **changes: object) -> Position:
        return self.model_copy(update={"done": (), "entry": None, "after": None, **changes})


class Source(Protocol[ItemT]):
    """A list of eBay's, and what is made of its entries."""

    def page(self, position: Position, offset: int) -> Listing:
        """Read one page."""

    def identity(self, entry: Json) -> str:
        """Name an entry."""

    def stamp(self, entry: Json) -> str:
        """Return what is different once the entry has changed."""

    def items(self, entry: Json) -> Sequence[ItemT]:
        """Make the items of an entry, in an order that new ones do not disturb."""

    def place(self, item: ItemT) -> tuple[datetime, str]:
        """Say where in that order an item stands."""


@dataclass
class Walk(Generic[ItemT]):
    """One step of a walk: at most `limit` items from one page."""

    source: Source[ItemT]
    position: Position
    limit: int

    def step(self) -> tuple[tuple[ItemT, ...], Position, bool]:
        """Hand out the next items, the position behind them, and whether there is more at once."""
        entries, listing = self._entries()
        items: list[ItemT] = []
        done = list(self.position.done)
        for entry in entries:
            if len(items) >= self.limit:
                return self._pause(items, {"done": tuple(done)})
            made = self._rest_of(entry)
            room = self.limit - len(items)
            if len(made) > room:
                items += made[:room]
                partly = {"entry": self.source.identity(entry), "after": self.source.place(items[-1])}
                return self._pause(items, {"done": tuple(done), **partly})
            items += made
            done.append(self._mark(entry))
        more = bool(listing.items) and self.position.offset + self.position.size < listing.total
        marks = tuple(self._mark(entry) for entry in listing.items)
        return tuple(items), self.position.turned(marks) if more else self.position.finished(), more

    def _pause(self, items: list[ItemT], changes: dict[str, object]) -> tuple[tuple[ItemT, ...], Position, bool]:
        whole: dict[str, object] = {"entry": None, "after": None}
        return tuple(items), self.position.model_copy(update=whole | changes), True

    def _entries(self) -> tuple[list[Json], Listing]:
        """Read the page, and of the page before it what has not been handed out."""
        before: Sequence[Json] = ()
        if self.position.offset:
            before = self.source.page(self.position, self.position.offset - self.position.size).items
            known = [index for index, entry in enumerate(before) if self._mark(entry) in self.position.marks]
            if known:
                before = before[known[0] :]
            elif self.position.restarts < _RESTARTS:
                self.position, before = self.position.started_over(), ()
        listing = self.source.page(self.position, self.position.offset)
        seen = {*self.position.marks, *self.position.done}
        fresh = (entry for entry in (*before, *listing.items) if self._mark(entry) not in seen)
        return list(_once(fresh, self.source.identity)), listing

    def _rest_of(self, entry: Json) -> list[ItemT]:
        made, after = list(self.source.items(entry)), self.position.after
        if after is None or self.position.entry != self.source.identity(entry):
            return made
        return [item for item in made if self.source.place(item) > after]

    def _mark(self, entry: Json) -> str:
        return f"{self.source.identity(entry)}@{self.source.stamp(entry)}"


def _once(entries: Iterator[Json], identity: Callable[[Json], str]) -> Iterator[Json]:
    met: set[str] = set()
    for entry in entries:
        if identity(entry) not in met:
            met.add(identity(entry))
            yield entry
