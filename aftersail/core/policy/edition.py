"""A pack file as another version: two values of its text are replaced, comments, order and quotes stay."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from aftersail.core.policy.document import Document
from aftersail.core.policy.loader import Draft, read_draft
from aftersail.core.policy.problems import PackError

_SCALAR: Final = re.compile(r""""[^"]*"|'[^']*'|[^,}#\s](?:[^,}#\n]*[^,}#\s])?""")


def edition(draft: Draft, *, version: int | None = None, effective_from: datetime | None = None) -> tuple[bytes, Draft]:
    """Write a draft's file anew with another version, another beginning, or both.

    Returns:
        The file's content (UTF-8), and what it says now.

    Raises:
        PackError: the file is written in a way that cannot be changed in place.
    """
    lines = [*draft.document.lines]
    changes: list[tuple[str, str]] = []
    if effective_from is not None:
        changes.append(("effective_from", effective_from.astimezone(UTC).isoformat().replace("+00:00", "Z")))
    if version is not None:
        changes.append(("version", str(version)))
    wanted = draft.content.model_copy(
        update={
            "version": version or draft.content.version,
            "effective_from": (effective_from or draft.content.effective_from).astimezone(UTC),
        }
    )
    # What stands further behind is replaced first, so that the other place is still where it was.
    for key, value in sorted(changes, key=lambda change: _place(draft.document, change[0]), reverse=True):
        row, column = _place(draft.document, key)
        found = _SCALAR.match(lines[row], column)
        if found is not None:
            lines[row] = lines[row][:column] + value + lines[row][found.end() :]
    content = ("\n".join(lines) + "\n").encode()
    try:
        changed = read_draft(content, draft.document.name, engine=draft.engine)
    except PackError:
        changed = draft
    if changed.content != wanted:
        fix = "write `version` and `effective_from` each on a line of its own"
        raise PackError([draft.document.problem(("version",), "this version cannot be replaced in place", fix)])
    return content, changed


def _place(document: Document, key: str) -> tuple[int, int]:
    return document.places[(key,)].value
