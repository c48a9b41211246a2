"""CI's look at skipped tests."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BESIDE = "../shared/official/shopify is not beside the checkout"
ALLOWED = "the connector takes no webhooks"
MISSING = "no Chromium: install it"


def test_a_skip_needs_a_reason_on_the_list(tmp_path):
    skip = "import pytest\n\n" + "".join(
        f"@pytest.mark.skip(reason={reason!r})\ndef test_{name}():\n    assert False\n\n"
        for name, reason in (("beside", BESIDE), ("allowed", ALLOWED), ("missing", MISSING))
    )
    (tmp_path / "test_sample.py").write_text(skip)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    quiet = ["-p", "no:randomly", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "--junitxml=report.xml", *quiet]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    unexpected = runpy.run_path(str(ROOT / ".ci/skips.py"))["unexpected"]
    missing = f"test_sample::test_missing: {MISSING}"
    assert unexpected(tmp_path / "report.xml", official=False) == [missing]
    assert unexpected(tmp_path / "report.xml", official=True) == [f"test_sample::test_beside: {BESIDE}", missing]
