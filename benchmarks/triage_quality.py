"""Triage against labelled messages that no phrase was written from: `data/triage`, one file per language.

Every message is read as the desk gets it in the worst case: without the marketplace's locale and without a reason code.
The last lines read it with the locale, as most channels give it, and with the extra `semantic` where it is installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import Result, result
from ruamel.yaml import YAML

from aftersail.core.contract import Classifier
from aftersail.core.triage import LANGUAGES, Assessment, Triage, semantic

_DATA = Path(__file__).with_name("data") / "triage"

_REASON_OVERALL = 85.0
_REASON_EACH = 75.0
_LANGUAGE = 98.0
_FALSE_ESCALATION = 4.0


@dataclass(frozen=True, kw_only=True)
class Message:
    """A buyer's message, invented, and what a careful agent would say of it."""

    language: str
    subject: str
    text: str
    reason: str
    escalation: bool


@dataclass(frozen=True, kw_only=True)
class Read:
    """A message and what triage says of it."""

    message: Message
    said: Assessment


def messages(language: str) -> list[Message]:
    """Read the labelled messages of a language."""
    listed = YAML(typ="safe").load((_DATA / f"{language}.yaml").read_text(encoding="utf-8"))
    return [
        Message(
            language=language,
            subject=item.get("subject", ""),
            text=item["text"],
            reason=item["reason"],
            escalation=item.get("escalation", False),
        )
        for item in listed
    ]


def read_all(*, hinted: bool = False, classifiers: Sequence[Classifier] = ()) -> dict[str, list[Read]]:
    """Assess all messages, by language."""
    triage = Triage.shipped(classifiers)
    return {
        language: [
            Read(
                message=message,
                said=triage.assess(
                    subject=message.subject, text=message.text, language_hint=language if hinted else None
                ),
            )
            for message in messages(language)
        ]
        for language in LANGUAGES
    }


def percent(reads: Sequence[Read], test: Callable[[Read], bool]) -> float:
    """Return the share of which `test` is true; 0 where there are none."""
    return 100 * sum(map(test, reads)) / len(reads) if reads else 0.0


def run() -> Iterator[Result]:
    """Measure."""
    found = read_all()
    for language, reads in found.items():
        yield from _language(language, reads)
    everything = [read for reads in found.values() for read in reads]
    yield from _overall(everything)
    hinted = [read for reads in read_all(hinted=True).values() for read in reads]
    yield result("triage, held out, with the locale: reason", percent(hinted, _reason), "% right", more=True)
    yield result("triage, held out, with the locale: language", percent(hinted, _tongue), "% right", more=True)
    if extra := semantic.installed():
        meant = [read for reads in read_all(classifiers=extra).values() for read in reads]
        yield result("triage, held out, with `semantic`: reason", percent(meant, _reason), "% right", more=True)


def _language(language: str, reads: Sequence[Read]) -> Iterator[Result]:
    name = f"triage, held out, {language}"
    calm, angry = _by_escalation(reads)
    yield result(f"{name}: reason", percent(reads, _reason), "% right", floor=_REASON_EACH, more=True)
    yield result(f"{name}: language", percent(reads, _tongue), "% right", more=True)
    yield result(f"{name}: false escalation", percent(calm, _escalates), f"% of {len(calm)} calm")
    yield result(f"{name}: missed escalation", percent(angry, _misses), f"% of {len(angry)} threats")


def _overall(reads: Sequence[Read]) -> Iterator[Result]:
    name = "triage, held out, all"
    calm, angry = _by_escalation(reads)
    yield result(f"{name}: reason", percent(reads, _reason), "% right", floor=_REASON_OVERALL, more=True)
    yield result(f"{name}: language", percent(reads, _tongue), "% right", floor=_LANGUAGE, more=True)
    yield result(
        f"{name}: false escalation", percent(calm, _escalates), f"% of {len(calm)} calm", floor=_FALSE_ESCALATION
    )
    yield result(f"{name}: missed escalation", percent(angry, _misses), f"% of {len(angry)} threats")


def _by_escalation(reads: Sequence[Read]) -> tuple[list[Read], list[Read]]:
    return (
        [read for read in reads if not read.message.escalation],
        [read for read in reads if read.message.escalation],
    )


def _reason(read: Read) -> bool:
    return read.said.reason == read.message.reason


def _tongue(read: Read) -> bool:
    return read.said.language == read.message.language


def _escalates(read: Read) -> bool:
    return read.said.escalation


def _misses(read: Read) -> bool:
    return not read.said.escalation
