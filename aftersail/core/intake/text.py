"""Buyers' text: quoted history cut away in any language, HTML made harmless."""

from __future__ import annotations

import re
from typing import Final

import nh3
from selectolax.lexbor import LexborHTMLParser

_ADDRESS: Final = re.compile(r"[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+")
_QUOTED: Final = re.compile(r"^\s*>")
_LABEL: Final = re.compile(
    r"^\s*\*?[^\s:\uff1a][^:\uff1a@]{0,30}\*?\s*[:\uff1a]\s*\S"
)  # U+FF1A: the colon of CJK mail programs
_RULE: Final = re.compile(r"^\s*[-_=*]{3,}.*$")
_DIGIT: Final = re.compile(r"\d")
_BLANKS: Final = re.compile(r"\n{3,}")

_ATTRIBUTION_LINES = 3
_HEADER_LINES = 3
_HEADER_SPAN = 5

# How mail programs mark the history they quote: Gmail, Outlook (desktop and web), Apple Mail, Thunderbird, Yahoo.
_QUOTES: Final = (
    ".gmail_quote, "
    ".gmail_extra, "
    "blockquote[type=cite], "
    "#divRplyFwdMsg, "
    "#divRplyFwdMsg ~ *, "
    "#appendonsend, "
    "#appendonsend ~ *, "
    "#mail-editor-reference-message-container, "
    ".moz-cite-prefix, "
    ".moz-cite-prefix ~ blockquote, "
    ".yahoo_quoted, "
    ".protonmail_quote, "
    "div[style*='border-top:solid #E1E1E1'], "
    "div[style*='border-top:solid #E1E1E1'] ~ *"
)
_BLOCKS: Final = ("p", "div", "tr", "li", "blockquote", "h1", "h2", "h3", "h4", "pre")
_TAGS: Final = nh3.ALLOWED_TAGS - {"img", "map", "area"}


def clean_html(html: str) -> str:
    """Remove scripts, styles, handlers, forms and every image: a remote image tells the sender who read the mail."""
    return nh3.clean(html, tags=set(_TAGS), link_rel="noopener noreferrer nofollow")


def html_to_text(html: str, *, keep_quotes: bool = False) -> str:
    """Turn HTML into plain text, without the history a mail program quoted."""
    tree = LexborHTMLParser(html)
    for node in tree.css("script, style, head, title" if keep_quotes else f"script, style, head, title, {_QUOTES}"):
        node.decompose()
    body = tree.body
    if body is None:
        return ""
    for node in body.css("br"):
        node.replace_with("\n")
    for node in body.css(", ".join(_BLOCKS)):
        node.insert_after("\n")
    lines = (" ".join(line.split()) for line in body.text(deep=True).splitlines())
    return _BLANKS.sub("\n\n", "\n".join(lines)).strip()


def cut_quotes(text: str) -> str:
    """Return what the author wrote now.

    Two rules that need no language: the first line that begins with `>` goes, with up to three lines before it that
    hold an address and a digit ("On 3 May, Ann <a@b> wrote:" in any tongue); and so does a block of three or more
    "Label: value" lines within five of which one holds an address (Outlook's header), with a rule above it. A mail that
    would be empty after that is kept whole: the buyer has then written below or between the quoted lines.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    cut = min(_first_quoted(lines), _first_header(lines))
    own = "\n".join(lines[:cut]).strip()
    if own:
        return own
    unquoted = "\n".join(line for line in lines if not _QUOTED.match(line)).strip()
    return unquoted or text.strip()


def _first_quoted(lines: list[str]) -> int:
    first = next((index for index, line in enumerate(lines) if _QUOTED.match(line)), len(lines))
    if first == len(lines):
        return first
    above = first - 1
    while above >= 0 and not lines[above].strip():
        above -= 1
    for start in range(above, max(-1, above - _ATTRIBUTION_LINES), -1):
        if not lines[start].strip():
            break
        block = " ".join(lines[start : above + 1])
        if _ADDRESS.search(block) and _DIGIT.search(block):
            return start
    return first


def _first_header(lines: list[str]) -> int:
    for index in range(len(lines)):
        block = [line for line in lines[index : index + _HEADER_SPAN] if _LABEL.match(line)]
        if len(block) >= _HEADER_LINES and _LABEL.match(lines[index]) and any(_ADDRESS.search(line) for line in block):
            above = index - 1
            while above >= 0 and not lines[above].strip():
                above -= 1
            return above if above >= 0 and _RULE.match(lines[above]) else index
    return len(lines)


def own_words(text: str, html: str | None) -> str:
    """Return what the author wrote now, from the plain part or, where there is none, from the HTML."""
    if text.strip():
        return cut_quotes(text)
    return cut_quotes(html_to_text(html)) if html else ""
