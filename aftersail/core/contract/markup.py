"""The text of an HTML message: host and connectors must read the same words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_UNSEEN = frozenset({"head", "script", "style", "template", "title", "noscript", "svg"})
_BLOCK_NAMES = (
    "address article aside blockquote body dd div dl dt fieldset footer form h1 h2 h3 h4 h5 h6 header hr li main nav ol"
    " p pre section table tr ul"
)
_BLOCKS = frozenset(_BLOCK_NAMES.split())
_SPACE = re.compile(r"[ \t\n\f\r]+")
_EDGES = re.compile(r"[ \t\xa0]*\n[ \t\xa0]*")
_GAPS = re.compile(r"\n{3,}")


def html_to_text(html: str, *, without: str = "") -> str:
    """Read HTML as text: one line per block, white space collapsed outside `<pre>`, scripts and styles left out.

    `without` is a CSS selector of what else to leave out, such as the history a mail program quotes.
    """
    from selectolax.lexbor import LexborHTMLParser  # noqa: PLC0415 - only HTML pays for it

    tree = LexborHTMLParser(html)
    root = tree.root
    if root is None:
        return ""
    if without:
        for found in tree.css(without):
            found.decompose()
    return _GAPS.sub("\n\n", _EDGES.sub("\n", "".join(_pieces(root)))).strip()


def _pieces(root: LexborNode) -> Iterator[str]:
    waiting: list[tuple[LexborNode | None, bool]] = [(root, False)]
    while waiting:
        node, preformatted = waiting.pop()
        if node is None:
            yield "\n"
        elif node.tag == "-text":
            text = node.text_content or ""
            yield text if preformatted else _SPACE.sub(" ", text)
        elif node.tag == "br":
            yield "\n"
        elif node.tag not in _UNSEEN:
            inside = preformatted or node.tag == "pre"
            children: list[tuple[LexborNode | None, bool]] = [(child, inside) for child in node.iter(include_text=True)]
            if node.tag in _BLOCKS:
                children = [(None, False), *children, (None, False)]
            elif node.tag in {"td", "th"}:
                yield " "
            waiting.extend(reversed(children))
