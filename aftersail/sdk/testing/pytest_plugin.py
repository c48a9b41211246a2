"""pytest plugin, loaded by its entry point: prints how far each connector under the contract suite can be trusted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Standing:
    """What the rules said of one connector.

    Attributes:
        kept: ids of rules that hold, or that the platform gives no occasion for.
        broken: ids of those that do not.
    """

    kept: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)

    @property
    def tier(self) -> str:
        """The highest tier of which every rule was tried and holds, and every rule of those below it."""
        from aftersail.sdk.testing.rules import ALL, Tier  # noqa: PLC0415 - a run without the suite must not load it

        reached = "none"
        for tier in Tier:
            if not {rule.id for rule in ALL if rule.tier is tier} <= self.kept - self.broken:
                break
            reached = tier.value
        return reached


def standings(reports: Iterable[tuple[str, Any]]) -> dict[str, Standing]:
    """Sum up the reports of a run, given as (outcome, report), by kind of connector."""
    found: dict[str, Standing] = defaultdict(Standing)
    for outcome, report in reports:
        said = dict(getattr(report, "user_properties", ()))
        if "aftersail_rule" not in said:
            continue
        standing, rule = found[said["aftersail_connector"]], said["aftersail_rule"]
        if outcome in {"failed", "error"}:
            standing.broken.add(rule)
        # A skipped rule of bronze or silver is about an operation the platform lacks; a plugin without recordings
        # has proven nothing.
        elif outcome == "passed" or said["aftersail_tier"] != "gold":
            standing.kept.add(rule)
    return found


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print one line per connector whose contract was tried."""
    stats = terminalreporter.stats
    reports = [(name, report) for name in ("passed", "failed", "error", "skipped") for report in stats.get(name, ())]
    found = standings(reports)
    if not found:
        return
    terminalreporter.section("connector contract")
    for kind, standing in sorted(found.items()):
        broken = f", broken: {', '.join(sorted(standing.broken))}" if standing.broken else ""
        terminalreporter.line(f"{kind}: {standing.tier} ({len(standing.kept - standing.broken)} rules hold{broken})")
