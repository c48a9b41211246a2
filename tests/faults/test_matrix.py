"""Every kind of idempotency under every sky: nothing lost, nothing stale, nothing twice, nothing forgotten, no haste.

`python tests/faults/matrix.py` prints the table, and lives any one world again. `FAULT_SEEDS` asks for more worlds: in
those of odd seeds the process lives, in the others it dies a few times.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.databases import Databases
from tests.faults.connector import PATIENT
from tests.faults.matrix import DEATHS, run
from tests.faults.skies import SKIES

SEEDS = range(int(os.environ.get("FAULT_SEEDS", "1")))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("sky", SKIES)
def test_under_this_sky(sqlite_databases: Databases, tmp_path: Path, sky: str, seed: int) -> None:
    cells = run(sqlite_databases, tmp_path, sky, seed, 0 if seed % 2 else DEATHS)
    assert [each for cell in cells.values() for each in cell.wrong] == []
    # The promise is 5 % at most; on these platforms nobody has to be asked at all.
    assert {kind: cells[kind].doubtful_persons for kind in PATIENT} == dict.fromkeys(PATIENT, 0)


def test_the_skies_strike(sqlite_databases: Databases, tmp_path: Path) -> None:
    cells = run(sqlite_databases, tmp_path, "reset after", 0, 0)
    for kind, cell in cells.items():
        assert cell.faults, kind
        assert cell.doubtful, kind
    assert cells["none"].doubtful_persons == cells["none"].doubtful


def test_one_seed_is_one_world(sqlite_databases: Databases, tmp_path: Path) -> None:
    first, second = (run(sqlite_databases, tmp_path, "anything", 1, DEATHS) for _ in range(2))
    assert first == second
