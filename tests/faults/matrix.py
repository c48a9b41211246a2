"""The fault matrix: every kind of idempotency under every sky, each with and without deaths of the process.

python tests/faults/matrix.py                          the table
python tests/faults/matrix.py --seeds 5                more worlds in each cell
python tests/faults/matrix.py --sky "hang after" --seed 7 --deaths 4   one world again, told in full
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import structlog

from tests.databases import Databases, SqliteDatabases
from tests.faults.connector import KINDS
from tests.faults.reckoning import Cell, reckon
from tests.faults.skies import SKIES
from tests.faults.world import World

DEATHS = 3
"""How often a process dies in a world with deaths, at most."""


def run(databases: Databases, folder: Path, sky: str, seed: int, deaths: int) -> dict[str, Cell]:
    """Let one world live, and reckon."""
    with World(databases, folder, sky, seed, deaths=deaths) as world:
        world.live()
        cells = reckon(world)
        if renewals := world.needless_renewals():
            next(iter(cells.values())).wrong.append(f"{world.name}: a person had to connect channels {renewals} times")
        return cells


def table(cells: dict[tuple[str, str], Cell]) -> str:
    """Print it: effects / settled / with a person / ok."""
    skies = list(dict.fromkeys(sky for sky, _ in cells))
    lines = [f"| fault | {' | '.join(KINDS)} | calls struck |", "|---" * (len(KINDS) + 2) + "|"]
    for sky in skies:
        row = [cells[sky, kind] for kind in KINDS]
        shown = [
            f"{each.effects} / {each.settled} / {each.persons} / {'WRONG' if each.wrong else 'ok'}" for each in row
        ]
        lines.append(f"| {sky} | {' | '.join(shown)} | {sum(each.faults for each in row)} |")
    return "\n".join(lines)


def doubts(cells: Iterable[tuple[str, Cell]]) -> str:
    """Say how many doubtful refunds a person has to look at, by kind."""
    total: dict[str, Cell] = {}
    for kind, cell in cells:
        total[kind] = total.get(kind, Cell()) + cell
    return "; ".join(f"{kind} {cell.doubtful_persons} of {cell.doubtful}" for kind, cell in total.items())


def main() -> int:
    """Run it from the command line; 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sky", choices=list(SKIES))
    parser.add_argument("--seed", type=int)
    parser.add_argument("--deaths", type=int)
    parser.add_argument("--seeds", type=int, default=1, help="worlds of each kind in a cell")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50 if asked.seed is None else 10))
    skies = [asked.sky] if asked.sky else list(SKIES)
    seeds = range(asked.seeds) if asked.seed is None else [asked.seed]
    cells: dict[tuple[str, str], Cell] = {}
    with tempfile.TemporaryDirectory() as folder:
        databases = SqliteDatabases(Path(folder))
        for sky in skies:
            for seed in seeds:
                for deaths in (0, DEATHS) if asked.deaths is None else (asked.deaths,):
                    for kind, cell in run(databases, Path(folder), sky, seed, deaths).items():
                        cells[sky, kind] = cells.get((sky, kind), Cell()) + cell
    wrong = [each for cell in cells.values() for each in cell.wrong]
    print("Cells: effects on the platform / settled in the store / with a person / verdict.\n")  # noqa: T201
    print(table(cells))  # noqa: T201
    asked_for = doubts((kind, cell) for (_, kind), cell in cells.items())
    print(f"\nrefunds in doubt that a person has to look at: {asked_for}")  # noqa: T201
    print("\n".join(wrong))  # noqa: T201
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
