"""Buyers' text: quoted history cut away in any language, HTML made harmless."""

from __future__ import annotations

import re
from typing import Final

import nh3
from selectolax.lexbor import LexborHTMLParser, LexborNode

from aftersail.core.contract.markup import html_to_text

_ADDRESS: Final = re.compile(r"[^\s@<>]{1,64}@[^\s@<>]{1,255}\.[^\s@<>]{1,64}")
_QUOTED: Final = re.compile(r"^\s*>")
_LABEL: Final = re.compile(
    r"^\s*\*?[^\s:\uff1a][^:\uff1a@]{0,30}\*?\s*[:\uff1a]\s*\S"
)  # U+FF1A: the colon of CJK mail programs
_RULE: Final = re.compile(r"^\s*[-_=*]{3,}.*$")
_DIGIT: Final = re.compile(r"\d")
_TIME: Final = re.compile(r"\d\D{1,3}\d.*\d{1,2}[:.h\u6642\u65f6\uc2dc]\s?\d{2}|\d{1,2}[:.h]\d{2}.*\d\D{1,3}\d")
_BRACKETED: Final = re.compile(r"<[^\s@<>]{1,64}@[^\s@<>]{1,255}>")
_YEAR: Final = re.compile(r"\b(19|20)\d\d\b|(19|20)\d\d[\u5e74\ub144]")
_GAPS: Final = re.compile(r"\n{3,}")
_COLONS: Final = (":", "\uff1a")
_TRAILING: Final = " \t\xa0\u200e\u200f\u202c"  # marks that turn the direction of writing stand after an Arabic colon

_ATTRIBUTION_LINES = 3
_LONGEST_LINE = 500
_HEADER_LINES = 3
_HEADER_SPAN = 5

# How mail programs mark the history they quote: Gmail, Yahoo, Proton, Thunderbird, Outlook on phones and on the web.
_QUOTE_CLASSES: Final = frozenset({"gmail_quote", "gmail_extra", "yahoo_quoted", "protonmail_quote", "moz-cite-prefix"})
_QUOTE_IDS: Final = frozenset({"mail-editor-reference-message-container"})
_BELOW_IDS: Final = frozenset({"divRplyFwdMsg", "appendonsend"})
_BELOW_STYLES: Final = ("border-top:solid #e1e1e1", "border-top:solid #b5c4df")
_TAG: Final = re.compile(r"<[^<>]*(?:>|$)")
# What closes itself or is closed by what follows does not nest.
_NESTING_TAG: Final = re.compile(
    r"<(/?)(?!(?:area|base|br|col|dd|dt|hr|img|input|li|link|meta|option|p|source|td|th|tr|wbr)\b)[a-z]", re.IGNORECASE
)
_DEEPEST = 1000
_LONGEST_HTML = 1_000_000
_TAGS: Final = nh3.ALLOWED_TAGS - {"img", "map", "area"}


def readable(text: str, html: str | None) -> tuple[str, str | None]:
    """Give back a mail's parts so that they can be read in a time that grows with their length.

    HTML is cut at a million characters. Parsers take the square of the depth, so HTML that is nested deeper than any
    mail program does it is dropped, and where there is no plain part its bare words become one.
    """
    if html is None:
        return text, None
    html, depth = html[:_LONGEST_HTML], 0
    for tag in _NESTING_TAG.finditer(html):
        depth = max(0, depth - 1) if tag[1] else depth + 1
        if depth > _DEEPEST:
            return text if text.strip() else " ".join(_TAG.sub(" ", html).split()), None
    return text, html


def clean_html(html: str) -> str:
    """Remove scripts, styles, handlers, forms and every image: a remote image tells the sender who read the mail."""
    return nh3.clean(html, tags=set(_TAGS), link_rel="noopener noreferrer nofollow")


def cut_quotes(text: str) -> str:
    """Return what the author wrote now.

    Rules that need no language: lines that begin with `>` go, and with the first of them the line that names who wrote
    them and when ("On 3 May at 10:00, Ann <a@b> wrote:" ends with a colon in any tongue). Where no line is marked, all
    below such a line goes; and so does all from a block of three or more "Label: value" lines within five of which one
    holds an address (Outlook's header), with a rule above it. What stands between quoted lines is the author's answer.
    A mail that would be empty after that is kept whole.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    lines = lines[: _first_header(lines)] or lines
    first = next((index for index, line in enumerate(lines) if _QUOTED.match(line)), None)
    if first is None:
        own = lines[: _first_attribution(lines)]
    else:
        start = _attribution_above(lines, first)
        own = lines[:start] + [line for line in lines[first:] if not _QUOTED.match(line)]
    return _GAPS.sub("\n\n", "\n".join(own)).strip() or text.strip()


def _attribution_above(lines: list[str], quoted: int) -> int:
    """Return where the attribution of a quote begins, on up to three lines; the quote itself where it has none."""
    above = quoted - 1
    while above >= 0 and not lines[above].strip():
        above -= 1
    for start in range(above, max(-1, above - _ATTRIBUTION_LINES), -1):
        if not lines[start].strip():
            break
        if _is_attribution(" ".join(lines[start : above + 1])):
            return _broken_off(lines, start, above)
    return quoted


def _broken_off(lines: list[str], start: int, end: int) -> int:
    """Take in the line above where a mail program broke the attribution: it holds the address or the year."""
    block, above = " ".join(lines[start : end + 1]), lines[start - 1] if start else ""
    parts = (_BRACKETED, _YEAR)
    return start - 1 if any(part.search(above[:_LONGEST_LINE]) and not part.search(block) for part in parts) else start


def _first_attribution(lines: list[str]) -> int:
    """Return where a quote begins that is not marked: below a line with a time and an address in angle brackets."""
    for end in range(len(lines)):
        if _ends_with_colon(lines[end]):
            for start in range(end, max(-1, end - _ATTRIBUTION_LINES), -1):
                if not lines[start].strip():
                    break
                block = " ".join(lines[start : end + 1])
                if _is_attribution(block) and _BRACKETED.search(block):
                    return _broken_off(lines, start, end)
    return len(lines)


def _ends_with_colon(line: str) -> bool:
    return line.rstrip(_TRAILING).endswith(_COLONS)


def _is_attribution(block: str) -> bool:
    ends = len(block) <= _LONGEST_LINE and _ends_with_colon(block)
    return ends and bool(_TIME.search(block) or (_DIGIT.search(block) and _ADDRESS.search(block)))


def _first_header(lines: list[str]) -> int:
    for index in range(len(lines)):
        block = [line for line in lines[index : index + _HEADER_SPAN] if _LABEL.match(line)]
        if (
            len(block) >= _HEADER_LINES
            and _LABEL.match(lines[index])
            and any(_ADDRESS.search(line[:_LONGEST_LINE]) for line in block)
        ):
            above = index - 1
            while above >= 0 and not lines[above].strip():
                above -= 1
            return above if above >= 0 and _RULE.match(lines[above]) else index
    return len(lines)


def own_words(text: str, html: str | None) -> str:
    """Return what the author wrote now.

    Marks in the HTML are surer than any reading of plain text, so where they set quotes apart the HTML is read; else
    the plain part, and only where there is none the HTML.
    """
    if html:
        marked = _without_marked(html)
        own = html_to_text(marked) if marked is not None else ""
        if own:
            return cut_quotes(own)
        text = text if text.strip() else html_to_text(html)
    return cut_quotes(text)


def _without_marked(html: str) -> str | None:
    """Take out what mail programs mark as history; None where they mark nothing. One walk, however many marks."""
    tree = LexborHTMLParser(html)
    marked: list[LexborNode] = []
    waiting = [tree.body] if tree.body else []
    while waiting:
        below = False
        for child in waiting.pop().iter():
            below = below or _begins_history(child)
            if below or _is_history(child):
                marked.append(child)
            else:
                waiting.append(child)
    for node in marked:
        node.decompose()
    return tree.html if marked else None


def _is_history(node: LexborNode) -> bool:
    attributes = node.attributes
    if not attributes:
        return False
    classes = (attributes.get("class") or "").split()
    cited = node.tag == "blockquote" and attributes.get("type") == "cite"
    return cited or attributes.get("id") in _QUOTE_IDS or not _QUOTE_CLASSES.isdisjoint(classes)


def _begins_history(node: LexborNode) -> bool:
    """Outlook marks where the history begins: by an id, or by the line it draws above it, in a block of its own."""
    if node.attributes.get("id") in _BELOW_IDS:
        return True
    first = node.first_child
    drawn = (node, first) if first is not None and first.is_element_node else (node,)
    return any(_draws_line(each) for each in drawn)


def _draws_line(node: LexborNode) -> bool:
    style = (node.attributes.get("style") or "").lower()
    return node.tag == "div" and any(line in style for line in _BELOW_STYLES)
