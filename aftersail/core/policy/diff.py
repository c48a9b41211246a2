"""What differs between two packs, in words: section by section, row by row, whatever sections there are."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from pydantic import BaseModel

from aftersail.core.contract import Money, Record
from aftersail.core.policy.compiled import Pack

_IDENTITIES: Final = ("id", "tier", "metric", "country", "name")
"""What a row is known by, the first of these that it has."""
_HEADER: Final = frozenset({"id", "version", "extends"})
_LONG: Final = 100
_DAYS_FROM: Final = timedelta(days=3)
_UNITS: Final = (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("m", timedelta(minutes=1)))


class ChangeKind(StrEnum):
    """How something differs."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"


class Change(Record):
    """One difference.

    Attributes:
        section: the pack's key, such as `rules`.
        row: which row of it; empty where the section is one value.
        field: what of the row, with dots between; empty where it is the whole row.
        before: in words; empty where it was added.
        after: in words; empty where it was removed.
    """

    section: str
    row: str = ""
    field: str = ""
    kind: ChangeKind
    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        place = " ".join(part for part in (self.section, self.row) if part)
        what = f"{place}, {self.field}" if self.field else place
        match self.kind:
            case ChangeKind.ADDED:
                return f"{what}: added {_indented(self.after)}"
            case ChangeKind.REMOVED:
                return f"{what}: removed {_indented(self.before)}"
            case ChangeKind.MOVED:
                return f"{what}: moved from place {self.before} to {self.after}"
        if "\n" in self.before + self.after or len(self.before) + len(self.after) > _LONG:
            return f"{what}: changed\n{_line_by_line(self.before, self.after)}"
        return f"{what}: {self.before} becomes {self.after}"


class PackDiff(Record):
    """Everything that differs.

    Attributes:
        before: the one pack as `id@version`.
        after: the other.
        same: whether the two decide alike.
    """

    before: str
    after: str
    same: bool
    changes: tuple[Change, ...]

    def __str__(self) -> str:
        if not self.changes:
            return f"{self.before} and {self.after} say the same"
        return "\n".join((f"from {self.before} to {self.after}:", *(f"  {change}" for change in self.changes)))


def diff(before: Pack, after: Pack) -> PackDiff:
    """Compare two packs with everything they extend merged in.

    Rows are matched by what they are known by (id, tier, metric), so that a row that only moved is no change, except
    where order decides: the rows of `tiers`, of which the first that holds counts.
    """
    one, other = _plain(before.content), _plain(after.content)
    changes: list[Change] = []
    extends = [list(pack.parents) or None for pack in (before, after)]
    changes += _section("extends", *extends)
    for name in dict.fromkeys((*one, *other)):
        if name not in _HEADER:
            changes += _section(name, one.get(name), other.get(name))
    return PackDiff(
        before=f"{before.id}@{before.version}",
        after=f"{after.id}@{after.version}",
        same=not [change for change in changes if change.section not in {"title", "effective_from"}],
        changes=tuple(changes),
    )


def _section(section: str, before: Any, after: Any) -> Iterator[Change]:
    one, other = _rows(before), _rows(after)
    if one is None or other is None:
        yield from _compare(section, "", "", before, after)
        return
    for row in dict.fromkeys((*one, *other)):
        yield from _compare(section, row, "", one.get(row), other.get(row))
    if section == "tiers":
        yield from _moved(section, list(one), list(other))


def _moved(section: str, before: Sequence[str], after: Sequence[str]) -> Iterator[Change]:
    """Tell of the rows that no longer stand in the same order among those both have."""
    shared = [row for row in before if row in after]
    ordered = [row for row in after if row in before]
    for row in ordered:
        if shared.index(row) != ordered.index(row):
            places = str(before.index(row) + 1), str(after.index(row) + 1)
            yield Change(section=section, row=row, kind=ChangeKind.MOVED, before=places[0], after=places[1])


def _rows(value: Any) -> dict[str, Any] | None:
    """Name the rows of a section, or of a list within one; None where it has none, or is a single value."""
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return {str(name): row for name, row in value.items()}
    if not isinstance(value, list) or not all(isinstance(row, Mapping) for row in value):
        return None
    named: dict[str, Any] = {}
    for number, row in enumerate(value, 1):
        name = _name(row, number)
        again, count = name, 1
        while again in named:
            count += 1
            again = f"{name} ({count})"
        alone = len(row) == 1 and name in row
        named[again] = row[name] if alone else row
    return named


def _name(row: Mapping[str, Any], number: int) -> str:
    for key in _IDENTITIES:
        if isinstance(row.get(key), str | date):
            return str(row[key])
    return next(iter(row)) if len(row) == 1 else str(number)


def _compare(section: str, row: str, field: str, before: Any, after: Any) -> Iterator[Change]:
    if before == after:
        return
    place = {"section": section, "row": row, "field": field}
    if before is None:
        yield Change(**place, kind=ChangeKind.ADDED, after=words(_unnamed(after, row)))
        return
    if after is None:
        yield Change(**place, kind=ChangeKind.REMOVED, before=words(_unnamed(before, row)))
        return
    one, other = _rows(before), _rows(after)
    if one is None or other is None or not row:
        listed = "\n" if isinstance(before, list) and isinstance(after, list) else ""
        yield Change(**place, kind=ChangeKind.CHANGED, before=words(before, listed), after=words(after, listed))
        return
    for name in dict.fromkeys((*one, *other)):
        inner = f"{field}.{name}" if field else name
        yield from _compare(section, row, inner, one.get(name), other.get(name))


def _unnamed(value: Any, row: str) -> Any:
    """Leave out the key that only repeats a row's name."""
    if not isinstance(value, Mapping) or len(value) < 2:  # noqa: PLR2004 - the name alone is all there is to say
        return value
    return {name: part for name, part in value.items() if name not in _IDENTITIES or part != row}


def _plain(value: Any) -> Any:
    """Take records apart; what is not given (None, or empty) is left out."""
    if isinstance(value, Money):
        return value
    if isinstance(value, BaseModel):
        return _plain(
            {name: getattr(value, name) for name, field in type(value).model_fields.items() if not field.exclude}
        )
    if isinstance(value, Mapping):
        parts = {
            str(name): "always" if (name, part) == ("when", True) else _plain(part) for name, part in value.items()
        }
        return {name: part for name, part in parts.items() if part is not None and part not in ({}, [], "")}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value


def words(value: Any, between: str = "") -> str:
    """Write a value as a pack's author would: `4h`, `20.00 USD`, `2026-11-22 00:00 UTC`, `percent 50, rule x`.

    Args:
        value: any value of a pack.
        between: what stands between the items of a list; a comma where it is empty.
    """
    match value:
        case bool():
            return "yes" if value else "no"
        case timedelta():
            return _duration(value)
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC").replace(":00 UTC", " UTC")
        case Mapping():
            return ", ".join(f"{name} {_enclosed(part)}" for name, part in value.items()) or "nothing"
        case list() | tuple():
            return (between or ", ").join(_enclosed(part) for part in value) or "nothing"
        case _:
            return str(value)


def _duration(value: timedelta) -> str:
    """Write a duration in its largest whole unit; up to three days in hours, which may be hours of opening."""
    units = _UNITS if value > _DAYS_FROM else _UNITS[1:]
    unit, length = next(((unit, of) for unit, of in units if not value % of), ("s", timedelta(seconds=1)))
    return f"{value // length}{unit}"


def _enclosed(value: Any) -> str:
    text = words(value)
    return f"({text})" if isinstance(value, Mapping | list | tuple) and len(value) > 1 else text


def _indented(text: str) -> str:
    return text.rstrip().replace("\n", "\n      ")


def _line_by_line(before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    told = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
    return "\n".join(f"      {line[0]} {line[1:]}" for line in told)
