"""Where a stream of orders stands: a window by last change, and the page within it."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, ValidationError

from aftersail.sdk import CursorExpired, Instant
from aftersail.sdk.overlap import OVERLAP


class SweepCursor(BaseModel):
    """Pages run in the order of last change, oldest first, so an order changed meanwhile moves behind us, not ahead.

    Attributes:
        since: start of the window; the query reaches back by `OVERLAP`.
        after: Shopify's cursor of the last page; None at the start of a window.
        newest: the latest change seen in this window, by Shopify's clock; the next window starts there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    v: int = 1
    since: Instant
    after: str | None = None
    newest: Instant | None = None

    @classmethod
    def parse(cls, text: str | None, *, start: datetime) -> SweepCursor:
        """Read a cursor; None begins at `start`.

        Raises:
            CursorExpired: not a cursor of ours.
        """
        if text is None:
            return cls(since=start)
        try:
            cursor = cls.model_validate_json(text)
        except ValidationError:
            raise CursorExpired("the saved cursor is none of this plugin's; the window starts again") from None
        if cursor.v != 1:
            raise CursorExpired("the saved cursor is of another version of this plugin; the window starts again")
        return cursor

    @property
    def query(self) -> str:
        """Shopify's search query of the window."""
        return f"updated_at:>='{(self.since - OVERLAP).strftime('%Y-%m-%dT%H:%M:%SZ')}'"

    def advance(self, changes: list[datetime], *, end_cursor: str | None) -> SweepCursor:
        """Step over a page; without `end_cursor` the window is done and the next begins at its newest change."""
        newest = max([*changes, *([self.newest] if self.newest else [])], default=None)
        if end_cursor is not None:
            return self.model_copy(update={"after": end_cursor, "newest": newest})
        return SweepCursor(since=max(self.since, newest) if newest else self.since)

    def dump(self) -> str:
        """Write the cursor."""
        return self.model_dump_json(exclude_none=True)
