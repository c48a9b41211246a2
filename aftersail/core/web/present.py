"""How values look on a page."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import jinja2

from aftersail import __version__
from aftersail.core.insight.measures import Share, span

FOLDER: Final = Path(__file__).parent
_KILO: Final = 1000
_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"))


def environment() -> jinja2.Environment:
    """Make the templates' environment: everything is escaped, and a name that is not known is an error."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"iso": iso, "utc": utc, "words": words, "web_link": web_link, "told": told, "size": size}
    made.filters |= {"span": span, "percent": percent}
    made.globals |= {"countdown": countdown, "plural": plural, "version": __version__}
    return made


def iso(at: datetime) -> str:
    """Write an instant for machines, to the second, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def utc(at: datetime) -> str:
    """Write an instant for people, to the second, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def words(code: str) -> str:
    """Write a code of ours as words: `first_response` is `first response`."""
    return code.replace("_", " ")


def percent(share: Share) -> str:
    """Write a share: `66.7 %`, a dash of nothing."""
    return "\u2013" if share.percent is None else f"{share.percent} %"


def plural(count: int, noun: str) -> str:
    """Give a noun its plural where there is not exactly one."""
    return noun if count == 1 else f"{noun}s"


def countdown(due: datetime, now: datetime) -> str:
    """Say how far off an instant is, in its two largest units, rounded down: `in 2 h 5 min`, `1 d 3 h late`."""
    late = due < now
    rest = abs(due - now) // timedelta(seconds=1)
    parts: list[str] = []
    for seconds, unit in _UNITS:
        count, rest = divmod(rest, seconds)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
    text = " ".join(part for part in parts[:2] if part) or "under 1 min"
    return f"{text} late" if late else f"in {text}"


def web_link(link: str | None) -> str | None:
    """Let only web addresses through: a platform's data must not become a `javascript:` link."""
    if link is None:
        return None
    try:
        parts = urlsplit(link.strip())
    except ValueError:
        return None
    return link.strip() if parts.scheme in {"http", "https"} and parts.netloc else None


def told(data: dict[str, Any]) -> list[tuple[str, str]]:
    """Write the details of a line of history, leaving out what is empty."""
    return [(words(name), _told(value)) for name, value in data.items() if value not in (None, "", [], {})]


def _told(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_told(item) for item in value)
    return json.dumps(value, ensure_ascii=False)


def size(count: int) -> str:
    """Write a number of bytes: `812 B`, `1.4 kB`, `3.0 MB`."""
    if count < _KILO:
        return f"{count} B"
    return f"{count / _KILO:.1f} kB" if count < _KILO**2 else f"{count / _KILO**2:.1f} MB"
