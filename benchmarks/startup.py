"""Start: how long a person waits for help."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator

from harness import Result, alternate, result


def run() -> Iterator[Result]:
    """Measure whole processes."""

    def call(*arguments: str) -> None:
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)

    times = alternate(
        {
            "help": lambda: call("-m", "aftersail.core.cli.main", "--help"),
            "click": lambda: call("-c", "import rich_click"),
        },
        rounds=9,
    )
    yield result("aftersail --help", statistics.median(times["help"]), "s", floor=0.3)
    yield result(
        "aftersail --help, beyond importing rich_click",
        statistics.median(times["help"]) - statistics.median(times["click"]),
        "s",
    )
