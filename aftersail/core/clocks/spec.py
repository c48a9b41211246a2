"""What a calendar says, before it is built: plain values, as a policy pack writes them."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from aftersail.core.contract import Record


class CalendarError(ValueError):
    """A calendar that cannot be worked with. The message names the calendar, what is wrong and the fix.

    Attributes:
        field: of `CalendarSpec`, where the fault lies.
    """

    def __init__(self, calendar: str, wrong: str, fix: str, *, field: str = "hours") -> None:
        self.calendar = calendar
        self.field = field
        self.wrong = wrong
        self.fix = fix
        super().__init__(f'calendar "{calendar}": {wrong}; {fix}')


class HolidayRule(Record):
    """The public holidays of one country, or of one part of it.

    `staffed` says that people work on them all the same: the days stay as open as `hours` makes them. It is written
    out so that a pack shows that somebody thought of the holidays.
    """

    country: str
    """ISO 3166-1 alpha-2, such as `GB`."""
    subdivision: str | None = None
    """ISO 3166-2 without the country, such as `ENG` or `BY`."""
    staffed: bool = False


class CalendarSpec(Record):
    """When a desk is open. Days and hours are the wall clock's in `timezone`.

    For one date `exceptions` goes before `closed`, that before `holidays`, and those before `hours`. All of them mean
    the civil day from midnight to midnight: a night shift that runs into a holiday stops at midnight, and one that
    would begin on a holiday is taken up at the next midnight.
    """

    id: str
    timezone: str
    """IANA name, such as `Europe/Berlin`."""
    hours: str
    """OSM opening hours: `24/7`, `Mo-Fr 09:00-12:00,13:30-18:00`, `Mo-Su 22:00-06:00`."""
    holidays: tuple[HolidayRule, ...] = ()
    closed: tuple[date | tuple[date, date], ...] = ()
    """Single dates, or first and last date, both closed."""
    exceptions: dict[date, str] = Field(default_factory=dict)
    """Hours of single dates in place of all else: `10:00-14:00`, `24/7`, `off`."""
