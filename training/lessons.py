"""The labelled messages that triage learns from, and a fingerprint of what weights were fitted to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from aftersail.core.triage import loader
from aftersail.core.triage.learned import REASONS

_ROOT = Path(__file__).parents[1]
_FOLDERS = (_ROOT / "training" / "triage", _ROOT / "tests" / "triage" / "sentences")


@dataclass(frozen=True)
class Lesson:
    """A buyer's message, invented, and the reason that a careful agent would give it."""

    text: str
    reason: str


def lessons(language: str) -> list[Lesson]:
    """All labelled messages of a language."""
    return [
        Lesson(text, reason)
        for folder in _FOLDERS
        for reason, texts in sections(folder / f"{language}.yaml").items()
        if reason in REASONS
        for text in texts
    ]


def sections(path: Path) -> dict[str, list[str]]:
    """Read a file of messages by what they are about."""
    return dict(YAML(typ="safe").load(path.read_text(encoding="utf-8")))


def phrases(language: str) -> str:
    """Return the phrase pack of a language, as it is written."""
    return (loader.SHIPPED / f"{language}.yaml").read_text(encoding="utf-8")


def fingerprint(told: Iterable[Lesson], *more: str) -> str:
    """SHA-256 of all that weights depend on: the reasons, labelled messages, and phrases where those count."""
    lines = (*REASONS, *more, *(f"{lesson.reason}: {lesson.text}" for lesson in told))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
