"""Fails when a test was skipped that must run in CI: a skip is allowed for a reason on this list, and for no other."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

_OFFICIAL: Final = Path("../shared/official")
_NOT_BESIDE: Final = re.compile(r"beside the checkout")

# A rule of the contract suite does not apply to a connector that lacks the operation.
_ALLOWED: Final = re.compile(
    r"the platform honours no keys"
    r"|the connector (looks no refund up|refunds nothing|takes no webhooks)"
    r"|the plugin has no recordings"
    r"|no systemd-analyze on this machine"
)


def unexpected(report: Path, *, official: bool) -> list[str]:
    """List the skipped tests, each with its reason, that should have run.

    Args:
        report: pytest's junit report.
        official: whether the platforms' own material is there, so that its tests must run.
    """
    found = []
    for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314 - written by our own pytest
        for skipped in case.iter("skipped"):
            reason = skipped.get("message", "")
            allowed = skipped.get("type") == "pytest.xfail" or _ALLOWED.search(reason)
            if not allowed and (official or not _NOT_BESIDE.search(reason)):
                found.append(f"{case.get('classname')}::{case.get('name')}: {reason}")
    return found


def main() -> int:
    """Print them, and end with 1 if there are any."""
    found = unexpected(Path(sys.argv[1]), official=_OFFICIAL.is_dir())
    for line in found:
        print(f"skipped, but must run: {line}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
