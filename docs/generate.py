"""Writes the parts of the documentation that the code knows better: run it after a change, a test tells when.

The hooks in `hooks.md` come from the docstrings of `core/hookspecs.py`, the facts in `packs.md` from the catalogue, and
its tables of laws and marketplaces from the packs that are shipped.
"""  # noqa: INP001 - a script, no package

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from aftersail.core import hookspecs
from aftersail.core.clocks import Basis, SourceKind
from aftersail.core.clocks.targets import DAY_BASES
from aftersail.core.hookspecs import ChannelSpec, HostSpec
from aftersail.core.packs import FOLDER
from aftersail.core.policy import PackLibrary
from aftersail.core.policy.facts import CATALOGUE
from aftersail.core.policy.pack import PackFile, TargetRow
from aftersail.core.policy.rights import (
    CostRow,
    ExceptionRow,
    RefundDueRow,
    RemedyRow,
    RightsRow,
    RouteRow,
    WindowRow,
)
from aftersail.core.policy.scope import TargetWhen

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


def laws_and_marketplaces() -> str:
    """Write what the shipped packs of laws and marketplaces say, row by row, with where it was read."""
    library = PackLibrary([FOLDER])
    packs = [library.latest(pack_id).content for pack_id in library.ids()]
    kinds = (SourceKind.LAW, SourceKind.MARKETPLACE)
    return "\n".join(_pack_table(pack) for kind in kinds for pack in packs if pack.kind is kind)


def _pack_table(pack: PackFile) -> str:
    """Write one pack, source by source; rows that say the same for several countries are told once."""
    said: dict[str, dict[tuple[str, bool], list[str]]] = {name: {} for name in pack.sources}
    prefix = f"{pack.id.partition('-')[2]}-"
    for section in ("targets", "windows", "exceptions", "costs", "refund_due", "routes", "remedies"):
        for row in getattr(pack, section):
            source = row.source.entry if isinstance(row, TargetRow) else row.source
            countries = _countries(row)
            said[source].setdefault((_says(row, prefix), bool(countries)), []).extend(countries)
    lines = [f"**`{pack.id}`**: {pack.title}. {_binds(pack)}\n"]
    lines += ["| what it says | read in | checked | verified |", "| --- | --- | --- | --- |"]
    for name, entry in pack.sources.items():
        page = f"[{entry.page}]({entry.url})" if entry.url else entry.page
        texts = [_where(text, countries, pack) for (text, _), countries in said[name].items()]
        verified = "yes" if entry.verified else "**no**"
        lines.append(f"| {'<br>'.join(texts) or 'no row of its own'} | {page} | {entry.checked_on} | {verified} |")
    return "\n".join(lines) + "\n"


def _binds(pack: PackFile) -> str:
    bound = (
        ("buyers in", pack.applies.regions or pack.applies.countries),
        ("channels of", pack.applies.connectors),
    )
    return "Binds " + " and ".join(f"{what} {', '.join(words)}" for what, words in bound if words) + "."


def _where(text: str, countries: list[str], pack: PackFile) -> str:
    everywhere = not countries or set(countries) == set(pack.applies.countries or ())
    return text if everywhere else f"{text} ({', '.join(countries)})"


def _countries(row: RightsRow | TargetRow) -> tuple[str, ...]:
    when = getattr(row, "when", None)
    return (when.country or ()) if isinstance(when, TargetWhen) else ()


def _says(row: RightsRow | TargetRow, prefix: str) -> str:
    """Say in words what a row says, without the countries it is for."""
    match row:
        case TargetRow():
            clocks = (f"{_words(clock.metric)} within {_length(clock.duration, clock.basis)}" for clock in row.clocks)
            return f"{', '.join(clocks)}; else: {row.effect}"
        case WindowRow():
            return _window(row)
        case ExceptionRow():
            return f"no {_words(row.right)}: {_words(row.id.removeprefix(prefix))}"
        case CostRow():
            liable = f", where {' or '.join(row.liable)} is liable" if row.liable else ""
            return f"{_words(row.component)}{liable}: paid by {row.payer or f'buyer, {row.percent} %'}"
        case _:
            return _money_back(row)


def _window(row: WindowRow) -> str:
    days = "no end" if row.unlimited else f"{row.days} days from {_words(row.start)}"
    counted = ", that day counted" if row.count_start_day else ""
    rolled = ", to the end of the next working day" if row.roll_over else ""
    seasons = (f"; bought {one.bought_from} to {one.bought_until}: until {one.until}" for one in row.seasons)
    return f"{_words(row.right)}: {days}{counted}{rolled}{''.join(seasons)}"


def _money_back(row: RightsRow) -> str:
    match row:
        case RefundDueRow():
            held = "" if row.hold_until == "none" else f", may wait for {_words(row.hold_until)}"
            span = _length(row.duration, row.basis)
            return f"money back for {_words(row.right)}: {span} from {_words(row.start)}{held}"
        case RouteRow():
            return f"money back for {_words(row.right)}: {', '.join(row.order)}; store credit only with consent"
        case RemedyRow():
            why = f" ({', '.join(map(_words, row.when.reason))})" if row.when.reason else ""
            return f"{_words(row.right)}{why}: {row.choice} chooses {', '.join(row.options)}"
        case _:
            raise TypeError(f"no words for a row of {type(row).__name__}")


def _words(name: str) -> str:
    return name.replace("_", " ").replace("-", " ")


def _length(span: timedelta, basis: Basis) -> str:
    if basis in DAY_BASES:
        return f"{span.days} {_words(basis)}"
    hours = f"{span // timedelta(hours=1)} h"
    return hours if basis is Basis.ELAPSED else f"{hours} of {_words(basis)}"


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
    within = re.compile(rf"\bself\.{accessor}\(")  # the host names every joining hook, and calls few of them itself
    sources = (path for path in _CORE.rglob("*.py") if path.name != "hookspecs.py")
    return any(
        (within if path.parent.name == "host" else pattern).search(path.read_text(encoding="utf-8")) for path in sources
    )


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
    sections = {
        "hooks.md": {"hooks": hooks_sections()},
        "packs.md": {"facts": facts_table(), "laws and marketplaces": laws_and_marketplaces()},
    }
    return {name: _written(name, parts) for name, parts in sections.items()}


def _written(name: str, parts: Mapping[str, str]) -> str:
    page = (DOCS / name).read_text(encoding="utf-8")
    for part, content in parts.items():
        page = with_section(page, part, content)
    return _formatted(page)


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
