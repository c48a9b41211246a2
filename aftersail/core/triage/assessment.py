"""From a buyer's words to language, reason, severity and escalation, each with the words that say so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import structlog

from aftersail.core.contract import Classifier, ReasonGuess, Record
from aftersail.core.policy.reasons import Reason
from aftersail.core.triage.codes import ReasonCodes
from aftersail.core.triage.language import UNKNOWN, detect
from aftersail.core.triage.learned import REASONS, Lessons, Ranking
from aftersail.core.triage.loader import PhraseBook
from aftersail.core.triage.matching import Hit
from aftersail.core.triage.sentence import read

_log = structlog.get_logger(__name__)

_REASONS = frozenset(REASONS)
_MAX_CHARS = 20_000
_SUBJECT_FACTOR = 0.5
_CODE_CONFIDENCE = 0.95
_CLASSIFIER_FLOOR = 0.4
_SURE = 0.5
_DOUBT = 0.2
"""Below it a guess is right one time in four, so that nothing is said instead."""


class Assessment(Record):
    """What triage says of one message.

    Attributes:
        language: one of `LANGUAGES`, or `und`.
        language_confidence: share of belief in `language`, 0 to 1.
        reason: a code of `Reason`.
        confidence: how likely the reason is, 0 to 1, fitted so that of a hundred messages with 0.7 about seventy are
            right; under 0.5 a person should look. From a platform's code 0.95. From a classifier its own figure. 0 for
            `other`, which means that nothing was found.
        because: the platform's code, the buyer's words and their language (`learned` where no phrase of a pack says it
            and labelled messages taught them), or the classifier.
        severity: `high` (danger, injury, urgency), `low` (the buyer says it can wait), otherwise `medium`.
        escalation: the buyer threatens or has begun a claim, chargeback, court or public complaint.
        escalation_because: the words that say so; empty otherwise.
    """

    language: str
    language_confidence: float
    reason: str
    confidence: float
    because: str
    severity: str
    escalation: bool
    escalation_because: str


@dataclass(frozen=True)
class _Reading:
    """What a text says in one language.

    Attributes:
        hits: the phrases, those that say something outright before hints, the heaviest first.
        ranking: how likely each reason is; None where the text is hardly in this language: it was not detected, and no
            phrase says a reason outright.
    """

    language: str
    hits: list[tuple[Hit, float]]
    ranking: Ranking | None

    @property
    def marks(self) -> dict[str, str]:
        """The words for severity and escalation."""
        return {hit.section: self._quote(hit) for hit, _ in reversed(self.hits) if hit.section not in _REASONS}

    def best(self, among: Sequence[str] = REASONS) -> tuple[str, float]:
        """The likeliest of some reasons, and how likely it is."""
        if self.ranking is None:
            return str(Reason.OTHER), 0.0
        reason = max(among, key=self.ranking.likely.__getitem__)
        return reason, self.ranking.likely[reason]

    def ground(self, reason: str) -> str:
        """The words that say a reason."""
        for hit, _ in self.hits:
            if hit.section == reason:
                return self._quote(hit)
        words = self.ranking.words(reason) if self.ranking else ""
        return f'"{words}" ({self.language}, learned)'

    def _quote(self, hit: Hit) -> str:
        return f'"{hit.words}" ({self.language})'


class Triage:
    """Assesses messages; the same text always gets the same answer. Thread-safe.

    The platform's reason code speaks first. Then the text is read in the detected language, in the hinted one and in
    English, until one is sure of a reason; another language than the detected one counts only where a phrase of it
    says something outright, and so does each where the language is unknown. Classifiers of plugins are asked where all
    that is unsure. A reason that remains unlikely is `other`.
    """

    def __init__(
        self, phrases: PhraseBook, *, classifiers: Sequence[Classifier] = (), codes: ReasonCodes | None = None
    ) -> None:
        self._phrases = phrases
        self._classifiers = tuple(classifiers)
        self._codes = codes or _shipped_codes()
        self._lessons = _shipped_lessons()

    @classmethod
    def shipped(cls, classifiers: Sequence[Classifier] = ()) -> Triage:
        """Triage with the shipped packs, which all instances share."""
        return cls(_shipped_phrases(), classifiers=classifiers)

    def assess(
        self,
        *,
        subject: str,
        text: str,
        language_hint: str | None = None,
        reason_code: str | None = None,
        connector: str | None = None,
    ) -> Assessment:
        """Assess the newest text of a message, with quoted text and signature already cut off.

        Args:
            subject: its phrases count half.
            text: read up to 20,000 characters.
            language_hint: the marketplace's locale.
            reason_code: the platform's own code for a return or case, if it came with one.
            connector: the kind of channel the code belongs to, such as `shopify`.

        Raises:
            PackError: a pack that the text needs is wrong.
        """
        subject, text = subject[:_MAX_CHARS], text[:_MAX_CHARS]
        language, sure = detect(text, language_hint)
        if language == UNKNOWN and subject.strip():
            language, sure = detect(f"{subject}\n{text}", language_hint)
        readings = self._readings(language, language_hint, subject, text)
        reason, confidence, because = self._reason(readings, language, f"{subject}\n{text}", reason_code, connector)
        marks = [reading.marks for reading in readings]
        escalation = next((each["escalation"] for each in marks if "escalation" in each), "")
        severities = {mark for each in marks for mark in each}
        return Assessment(
            language=language,
            language_confidence=sure,
            reason=reason,
            confidence=confidence,
            because=because,
            severity="high" if "severity_high" in severities else "low" if "severity_low" in severities else "medium",
            escalation=bool(escalation),
            escalation_because=escalation,
        )

    def _tongues(self, language: str, hint: str | None) -> Iterator[str]:
        if language == UNKNOWN:
            yield from self._phrases.languages
            return
        hinted = (hint or "").replace("_", "-").partition("-")[0].casefold()
        yield from dict.fromkeys((language, hinted, "en"))

    def _readings(self, language: str, hint: str | None, subject: str, text: str) -> list[_Reading]:
        readings: list[_Reading] = []
        for tongue in self._tongues(language, hint):
            reading = self._read(tongue, subject, text, detected=tongue == language)
            readings.append(reading)
            if language != UNKNOWN and reading.best()[1] >= _SURE:
                break
        return readings

    def _read(self, language: str, subject: str, text: str, *, detected: bool) -> _Reading:
        pack = self._phrases.pack(language)
        fields = [(read(field, language), factor) for field, factor in ((text, 1.0), (subject, _SUBJECT_FACTOR))]
        hits = [(hit, factor) for sentences, factor in fields for hit in pack.find(sentences)] if pack else []
        hits.sort(key=lambda pair: (pair[0].hint, -pair[0].weight * pair[1]))
        said = any(not hit.hint and hit.section in _REASONS for hit, _ in hits)
        learned = self._lessons.of(language) if said or detected else None
        sentences = [sentence for listed, _ in fields for sentence in listed]
        return _Reading(language, hits, learned.rank(sentences, hits) if learned else None)

    def _reason(
        self, readings: list[_Reading], language: str, text: str, code: str | None, connector: str | None
    ) -> tuple[str, float, str]:
        meant = self._codes.reasons(code, connector) if code else ()
        if meant:
            found = [reading.best(meant) for reading in readings]
            chosen, likely = max(found, key=lambda pair: pair[1], default=(meant[0], 0.0))
            reason = chosen if likely >= _DOUBT else meant[0]
            return reason, _CODE_CONFIDENCE, f"{connector or 'platform'} code {code}"
        reason, confidence, because = _likeliest(readings)
        guess = self._guess(text, language) if confidence < _SURE else None
        if guess and guess.confidence > confidence:
            return guess.reason, round(guess.confidence, 3), guess.because
        return reason, confidence, because

    def _guess(self, text: str, language: str) -> ReasonGuess | None:
        best: ReasonGuess | None = None
        for classifier in self._classifiers:
            name = getattr(classifier, "name", type(classifier).__name__)
            try:
                guess = classifier.classify(text, language)
                if guess is None:
                    continue
                known = Reason(guess.reason)
            except (Exception, SystemExit):  # noqa: BLE001 - a plugin must never stop intake
                _log.exception("classifier_failed", classifier=name)
                continue
            confidence = min(guess.confidence, 1.0)
            if confidence >= _CLASSIFIER_FLOOR and (best is None or confidence > best.confidence):
                best = ReasonGuess(reason=str(known), confidence=confidence, because=f"{name}: {guess.because}")
        return best


def _likeliest(readings: list[_Reading]) -> tuple[str, float, str]:
    found = [(reading, *reading.best()) for reading in readings]
    reading, reason, likely = max(found, key=lambda each: each[2], default=(None, str(Reason.OTHER), 0.0))
    if reading is None or reason == Reason.OTHER or likely < _DOUBT:
        return str(Reason.OTHER), 0.0, "no phrase, code or classifier knows it"
    return reason, round(likely, 3), reading.ground(reason)


@lru_cache(maxsize=1)
def _shipped_lessons() -> Lessons:
    return Lessons()


@lru_cache(maxsize=1)
def _shipped_phrases() -> PhraseBook:
    return PhraseBook.shipped()


@lru_cache(maxsize=1)
def _shipped_codes() -> ReasonCodes:
    return ReasonCodes()
