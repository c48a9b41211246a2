"""For whom a row is, as sets that can be intersected: whether a seller's row and a law's can meet in one ticket."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import TypeAlias

from aftersail.core.policy.lines import Line, RowT_co
from aftersail.core.policy.rights import CostRow, LiabilityRow, RightsRow
from aftersail.core.policy.scope import AmountBand

Extent: TypeAlias = Mapping[str, "frozenset[str] | AmountBand"]
"""By key, what a ticket must have; a key that is not there may be anything."""


def extent_of(line: Line[RightsRow]) -> Extent | None:
    """Return for whom a row is: whom its pack binds, and its own keys; None for nobody."""
    own: dict[str, frozenset[str] | AmountBand] = {
        key: value if isinstance(value, AmountBand) else frozenset(value) for key, value in line.keys.items()
    }
    row = line.row
    if isinstance(row, LiabilityRow):
        own["reason"] = frozenset(row.reasons)
    if isinstance(row, CostRow) and row.liable is not None:
        own["liable"] = frozenset(row.liable)
    if isinstance(row, CostRow):
        own["component"] = frozenset({str(row.component)})
    bound: Extent = {key: frozenset(words) for key, words in line.origin.keys.items() if isinstance(words, tuple)}
    return meeting(_with_country(own), _with_country(bound))


def meeting(one: Extent, other: Extent) -> Extent | None:
    """Return for whom both are; None where surely nobody is meant by both."""
    met: dict[str, frozenset[str] | AmountBand] = {**one}
    for key, value in other.items():
        known = met.get(key)
        if known is None:
            met[key] = value
        elif isinstance(known, AmountBand) or isinstance(value, AmountBand):
            if not (isinstance(known, AmountBand) and isinstance(value, AmountBand) and known.meets(value)):
                return None
            met[key] = value if value.within(known) else known
        else:
            both = known & value
            if not both:
                return None
            met[key] = both
    return met


def covers(wide: Extent, narrow: Extent) -> bool:
    """Tell whether everybody in the one is in the other too, as far as the keys tell."""
    return all(key in narrow and _within(narrow[key], value) for key, value in wide.items())


def binding(own: Line[RightsRow], lines: Iterable[Line[RowT_co]]) -> Iterator[Line[RowT_co]]:
    """Yield the rows of laws and marketplaces that count somewhere where a seller's row does.

    Args:
        own: the seller's row.
        lines: the rows of parents, as `Rights` keeps them.
    """
    meant = extent_of(own)
    if meant is None:
        return
    for _, layer in groupby(lines, key=lambda line: line.origin.layer):
        before: list[Extent] = []
        for line in layer:
            extent = extent_of(line)
            met = meeting(meant, extent) if extent is not None else None
            if extent is None or met is None or ("connector" in extent and "channel" in meant):
                continue  # a channel may be of any kind: nobody can tell before it is there
            if not any(covers(earlier, met) for earlier in before):
                yield line
            before.append(extent)


def _with_country(extent: Extent) -> Extent:
    regions = extent.get("region")
    if not isinstance(regions, frozenset) or "country" in extent:
        return extent
    return {**extent, "country": frozenset(region[:2] for region in regions)}


def _within(narrow: frozenset[str] | AmountBand, wide: frozenset[str] | AmountBand) -> bool:
    if isinstance(narrow, AmountBand) or isinstance(wide, AmountBand):
        return isinstance(narrow, AmountBand) and isinstance(wide, AmountBand) and narrow.within(wide)
    return narrow <= wide
