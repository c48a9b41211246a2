"""How commands answer: tables for people, JSON for scripts."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import rich_click as click

_PIPE_WIDTH = 200

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def json_option(command: CommandT) -> CommandT:
    """Give a command `--json`."""
    return click.option("as_json", "--json", is_flag=True, help="Answer as JSON, for scripts.")(command)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Decimal | Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def print_json(value: object) -> None:
    """Print a value as JSON."""
    click.echo(json_text(value))


def json_text(value: object) -> str:
    """Write a value as JSON, as it is printed."""
    return json.dumps(value, default=_plain, ensure_ascii=False, indent=2)


def print_rows(
    rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, as_json: bool, empty: str, wide: str = ""
) -> None:
    """Print rows: all of them as JSON, or the named columns (key → heading) as a table.

    The column with the heading `wide` may take several lines; the others are cut where the terminal ends.
    """
    if as_json:
        print_json([dict(row) for row in rows])
        return
    if not rows:
        click.echo(empty)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in columns.values():
        table.add_column(heading, no_wrap=heading != wide, overflow="ellipsis")
    for row in rows:
        table.add_row(*(Text(show(row.get(key))) for key in columns))  # what a buyer writes is no markup
    # A pipe has no width of its own; cutting lines there would hide values from grep.
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    Console(file=sys.stdout, highlight=False, width=width).print(table)


def show(value: object) -> str:
    """Show one value to a person; instants in the local zone, without what would steer a terminal."""
    if value is None:
        return "\u2013"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%a %d %b %H:%M")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(show(item) for item in value) or "\u2013"
    return visible(str(value))


def visible(text: str) -> str:
    """Drop control characters, which would move the cursor, colour or rename a terminal; lines and tabs stay."""
    return "".join(letter for letter in text if letter in "\n\t" or unicodedata.category(letter) != "Cc")
