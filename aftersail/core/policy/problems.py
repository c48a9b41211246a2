"""What is wrong with a pack: where, what, and what mends it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches

from aftersail.core.contract import Record
from aftersail.core.policy.facts import nearest


class Problem(Record):
    """One mistake in a pack file.

    Attributes:
        file: the file as it was named.
        line: counted from 1.
        column: counted from 1.
        source: the offending line.
        fix: what mends it; empty where the message says it all.
    """

    file: str
    line: int
    column: int
    message: str
    source: str = ""
    fix: str = ""

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}:{self.column}: {self.message}"
        if self.source:
            text += f"\n    {self.source}\n    {' ' * (self.column - 1)}^"
        if self.fix:
            text += f"\n    fix: {self.fix}"
        return text


class PackError(Exception):
    """A pack, or a set of packs, that cannot be used; the only error that loading raises.

    Attributes:
        problems: everything that was found, in the order of the file.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Say which of the known names was probably meant, or name them all."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"one of: {', '.join(names) or 'none'}"


def meant(word: str, words: Collection[str], plural: str) -> str:
    """Say which of the known words was probably meant, or which there are."""
    guess = nearest(word, tuple(words))
    if guess:
        return f"did you mean {guess}?"
    return f"there are {', '.join(sorted(words))}" if words else f"this pack has no {plural}"
