"""Draws `demo.svg`: runs the demo as a reader would, in a folder that is thrown away, and keeps what it printed.

It takes no argument and needs the plugins with their simulators installed, as `aftersail demo` itself does.
"""  # noqa: INP001 - a script, no package

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

PICTURE: Final = Path(__file__).parent / "demo.svg"
_COLUMNS: Final = 150
# Rich names a web font by address; a page must not tell a stranger who reads it.
_FONT_FACE: Final = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
_COMMENT: Final = re.compile(r"\s*<!--.*?-->", re.DOTALL)


def run_demo() -> str:
    """Run the demo and return what it printed, colours included.

    Raises:
        subprocess.CalledProcessError: the demo failed, or its figures did not agree.
    """
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "aftersail.core.cli.main", "demo"],
            cwd=folder,
            env={**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(_COLUMNS), "TZ": "UTC"},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            check=True,
        )
    return done.stdout


def draw(text: str) -> str:
    """Draw what a terminal would show, with the reader's own fonts."""
    console = Console(record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text("$ aftersail demo", style="bold"))
    console.print(Text.from_ansi(text.rstrip()))
    svg = _FONT_FACE.sub("", console.export_svg(title="aftersail demo", unique_id="demo"))
    svg = _COMMENT.sub("", svg)
    return svg.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, monospace").replace(
        "font-family: Fira Code", "font-family: ui-monospace, Menlo, Consolas"
    )


def main() -> None:
    """Draw the picture anew."""
    PICTURE.write_text(draw(run_demo()), encoding="utf-8")


if __name__ == "__main__":
    main()
