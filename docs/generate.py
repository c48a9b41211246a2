"""Writes the parts of the documentation that the code knows better: run it after a change, a test tells when.

The hooks in `hooks.md` come from the docstrings of `core/hookspecs.py`, the facts in `packs.md` from the catalogue.
"""  # noqa: INP001 - a script, no package

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from aftersail.core import hookspecs
from aftersail.core.hookspecs import ChannelSpec, HostSpec
from aftersail.core.policy.facts import CATALOGUE

DOCS: Final = Path(__file__).parent
_CORE: Final = Path(hookspecs.__file__).parent
_ACCESSORS: Final = {"aftersail_packs": "pack_folders"}
_SECTIONS: Final = ("Args", "Returns", "Raises", "Example")


def hooks_sections() -> str:
    """Write every hook, family by family."""
    joining = [
        name for name in _hooks(HostSpec) if inspect.signature(getattr(HostSpec, name)).parameters.keys() == {"self"}
    ]
    told = [name for name in _hooks(HostSpec) if name not in joining]
    parts = []
    for title, spec, names in (
        ("Joining", HostSpec, joining),
        ("Notification", HostSpec, told),
        ("Channel", ChannelSpec, list(_hooks(ChannelSpec))),
    ):
        parts.append(f"## {title} hooks\n")
        parts += [_hook(spec, name) for name in names]
    return "\n".join(parts).rstrip() + "\n"


def facts_table() -> str:
    """Write the table of facts."""
    rows = ["| fact | type | meaning |", "| --- | --- | --- |"]
    for fact in CATALOGUE.values():
        values = f": {', '.join(f'`{value}`' for value in sorted(fact.values))}" if fact.values else ""
        meaning = fact.meaning.replace("|", "\\|")
        rows.append(f"| `{fact.name}` | {fact.type} | {meaning}{values} |")
    return "\n".join(rows) + "\n"


def with_section(page: str, name: str, content: str) -> str:
    """Put generated content between its two marks.

    Raises:
        ValueError: the page has no such marks.
    """
    begin, end = f"<!-- generated: {name} -->\n", "<!-- end of generated -->\n"
    before, found, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise ValueError(f"the page has no section {name!r}")
    return f"{before}{begin}\n{content}\n{end}{after}"


def is_called(name: str) -> bool:
    """Tell whether anything in the core calls a hook, by the ways in which the core calls hooks."""
    if name == "aftersail_connectors":
        return True
    accessor = _ACCESSORS.get(name, name.removeprefix("aftersail_"))
    pattern = re.compile(rf'"{name}"|(?<!def )\b\w+\.{accessor}\(' if name in vars(HostSpec) else rf"\.{name}\b")
    sources = (path for path in _CORE.rglob("*.py") if path.parent.name != "host" and path.name != "hookspecs.py")
    return any(pattern.search(path.read_text(encoding="utf-8")) for path in sources)


def _hooks(spec: type) -> Iterator[str]:
    return (name for name, value in vars(spec).items() if hasattr(value, f"{hookspecs.PROJECT}_spec"))


def _hook(spec: type, name: str) -> str:
    function: Callable[..., Any] = getattr(spec, name)
    signature = inspect.signature(function)
    given = ", ".join(str(one) for one in signature.parameters.values() if one.name != "self").replace("'", "")
    answer = str(signature.return_annotation).replace("'", "")
    lines = [f"### {name}\n", f"```text\n{name}({given}) -> {answer}\n```\n", _markdown(inspect.getdoc(function) or "")]
    if not is_called(name):
        lines.append("Nothing in this version calls it yet: it is part of the contract, and what you bring waits.\n")
    return "\n".join(lines)


def _markdown(doc: str) -> str:
    """Turn the sections of a docstring into paragraphs and lists."""
    marks = "|".join(_SECTIONS)
    pieces = re.split(rf"^({marks}):\n", doc, flags=re.MULTILINE)
    out = [pieces[0].strip() + "\n"]
    for title, body in zip(pieces[1::2], pieces[2::2], strict=True):
        text = textwrap.dedent(body).strip()
        if title in {"Args", "Raises"}:
            text = "\n".join(
                f"- {line}" if re.match(r"[\w, ]+: ", line) else f"  {line.strip()}" for line in text.splitlines()
            )
        out.append(f"**{title}**\n\n{text}\n")
    return "\n".join(out)


def pages() -> dict[str, str]:
    """Name every page with a generated section, and what it should hold."""
    sections = {"hooks.md": ("hooks", hooks_sections()), "packs.md": ("facts", facts_table())}
    return {
        name: _formatted(with_section((DOCS / name).read_text(encoding="utf-8"), *section))
        for name, section in sections.items()
    }


def _formatted(page: str) -> str:
    """Format the samples as the linter wants them, which looks into pages too."""
    command = [sys.executable, "-m", "ruff", "format", "--quiet", "--stdin-filename", str(DOCS / "page.md"), "-"]
    done = subprocess.run(command, input=page, capture_output=True, text=True, encoding="utf-8", check=True)  # noqa: S603 - our own formatter
    return done.stdout


def main() -> None:
    """Write every page anew."""
    for name, content in pages().items():
        (DOCS / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
