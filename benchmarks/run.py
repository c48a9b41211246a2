"""Runs every benchmark, prints a table and writes `results.jsonl` beside this file.

Each figure that has a floor is a ratio to a hand-written way measured in the same run, in alternating rounds: machines
differ and drift, the ratio does not. A benchmark first checks that both ways give the same result.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import decisions
import due_times
import intake
import layered
import recompute
import refunds
import simulation
import startup
import triage
import triage_quality
from harness import Result, show

_BENCHMARKS = (due_times, recompute, decisions, layered, simulation, triage, triage_quality, refunds, intake, startup)


def results() -> Iterator[Result]:
    """Run those whose names are given, or all."""
    wanted = sys.argv[1:]
    for benchmark in _BENCHMARKS:
        if not wanted or benchmark.__name__ in wanted:
            yield from benchmark.run()


if __name__ == "__main__":
    show(results(), Path(__file__).with_name("results.jsonl"))
