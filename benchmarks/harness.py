"""What all benchmarks share: rounds that alternate, so that a busy minute hits both sides, and one line per result."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

Work = Callable[[], object]


@dataclass(frozen=True, kw_only=True)
class Result:
    """One figure.

    Attributes:
        floor: the worst value a release may have; None where none is set.
        goal: what the hand-written way beside it shows to be possible.
        ok: whether the value is no worse than the floor.
    """

    name: str
    value: float
    unit: str
    floor: float | None
    goal: float | None
    ok: bool


def result(
    name: str, value: float, unit: str, *, floor: float | None = None, goal: float | None = None, more: bool = False
) -> Result:
    """Judge a figure; `more` says that more is better."""
    ok = floor is None or (value >= floor if more else value <= floor)
    return Result(name=name, value=float(f"{value:.4g}"), unit=unit, floor=floor, goal=goal, ok=ok)


def seconds(work: Work) -> float:
    """Take the time of one run."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def alternate(works: Mapping[str, Work], rounds: int) -> dict[str, list[float]]:
    """Run each in turn, over and over, after one round that does not count."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            took = seconds(work)
            if number:
                times[name].append(took)
    return times


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the rounds' ratios."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def percentile(values: Sequence[float], percent: int) -> float:
    """Return a percentile."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def show(results: Iterable[Result], file: Path) -> list[Result]:
    """Print a table row and write a JSON line for each, as they come."""
    shown = []
    print(f"{'':54}{'value':>10}  {'floor':>8} {'goal':>8}")
    with file.open("w", encoding="utf-8") as lines:
        for found in results:
            shown.append(found)
            floor, goal = ("-" if limit is None else f"{limit:g}" for limit in (found.floor, found.goal))
            mark = "" if found.ok else "  below its floor"
            print(f"{found.name:54}{found.value:>10g}  {floor:>8} {goal:>8}  {found.unit}{mark}", flush=True)
            lines.write(json.dumps(asdict(found), ensure_ascii=False) + "\n")
            lines.flush()
    return shown
