"""From a buyer's words to language, reason, severity and escalation, each with the words that say so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import structlog

from aftersail.core.contract import Classifier, ReasonGuess, Record
from aftersail.core.policy.reasons import Reason
from aftersail.core.triage.codes import ReasonCodes
from aftersail.core.triage.language import UNKNOWN, detect
from aftersail.core.triage.loader import PhraseBook
from aftersail.core.triage.matching import Hit

_log = structlog.get_logger(__name__)

CAUSES = (
    Reason.NOT_RECEIVED,
    Reason.UNUSABLE,
    Reason.DAMAGED,
    Reason.WRONG_ITEM,
    Reason.MISSING_PARTS,
    Reason.NOT_AS_DESCRIBED,
    Reason.MINOR_DEFECT,
)
WISHES = (Reason.CANCEL_ORDER, Reason.EXCHANGE, Reason.RETURN_REQUEST, Reason.REFUND_REQUEST, Reason.INVOICE)
QUESTIONS = (Reason.DELIVERY_QUESTION, Reason.PRODUCT_QUESTION)
ORDER = (*CAUSES, *WISHES, *QUESTIONS, Reason.COMPLAINT)
"""The order in which a tie is resolved, first wins."""

_PLACES = {reason: place for place, reason in enumerate(ORDER)}

_KINDS = {
    **dict.fromkeys(CAUSES, ("cause", 2.5)),
    Reason.WRONG_ITEM: ("cause", 2.2),
    Reason.NOT_AS_DESCRIBED: ("cause", 2.2),
    **dict.fromkeys(WISHES, ("wish", 1.2)),
    Reason.DELIVERY_QUESTION: ("question", 1.0),
    Reason.PRODUCT_QUESTION: ("question", 0.8),
    Reason.COMPLAINT: ("complaint", 0.6),
}
"""What went wrong decides who is liable, so it outranks what the buyer asks for, and that a question or plain anger."""

_HINT_FACTORS = dict.fromkeys(ORDER, 1.0) | {
    **dict.fromkeys(WISHES, 1.2),
    Reason.DELIVERY_QUESTION: 1.2,
    Reason.PRODUCT_QUESTION: 1.1,
    Reason.COMPLAINT: 0.6,
}
"""Among hints a cause weighs no more than the rest: `glass` may be what is broken or what the buyer asks about."""

_MAX_CHARS = 20_000
_SUBJECT_FACTOR = 0.5
_MORE = 0.25
_SCORE_TOP = 2.0
_DOUBT = 0.25
_CODE_CONFIDENCE = 0.95
_CLASSIFIER_FLOOR = 0.4
_SURE = 0.5
_HINT_CONFIDENCE = 0.35


class Assessment(Record):
    """What triage says of one message.

    Attributes:
        language: one of `LANGUAGES`, or `und`.
        language_confidence: share of belief in `language`, 0 to 1.
        reason: a code of `Reason`.
        confidence: not a probability but an order, 0 to 1. From a platform's code 0.95. From phrases s/(s+r+0.25),
            where s is the reason's score (1 for one word, up to 2) and r that of the next reason of the same kind: 0.8
            for one clear word, under 0.5 where two reasons are as likely, so a person should look; at most 0.35 where
            words only hint at it. From a classifier its own figure. 0 for `other`, which means that nothing was found.
        because: the platform's code, the buyer's words and their language, or the classifier.
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
    """What the phrases of one language found."""

    language: str
    scores: dict[str, float]
    because: dict[str, str]
    marks: dict[str, str]
    hinted: bool = False
    """Nothing says a reason outright: the scores are those of hints."""

    def best(self, among: Sequence[str] = ORDER) -> str | None:
        found = [reason for reason in self.scores if among is ORDER or reason in among]
        return max(found, key=lambda reason: (self.rank(reason), -_PLACES[Reason(reason)]), default=None)

    def rank(self, reason: str) -> float:
        """How much speaks for a reason, beside the others of this reading."""
        factor = _HINT_FACTORS[Reason(reason)] if self.hinted else _KINDS[Reason(reason)][1]
        return self.scores[reason] * factor

    def confidence(self, reason: str) -> float:
        kind = _KINDS[Reason(reason)][0]
        rivals = (score for other, score in self.scores.items() if other != reason and _KINDS[Reason(other)][0] == kind)
        score = self.scores[reason]
        share = score / (score + max(rivals, default=0.0) + _DOUBT)
        return round(min(share, _HINT_CONFIDENCE) if self.hinted else share, 3)


class Triage:
    """Assesses messages; the same text always gets the same answer. Thread-safe.

    The platform's reason code speaks first, then the phrases of the detected language, of the hinted one and of
    English, until one of them finds a reason (a text of unknown language is read in all), then what only hints at one,
    then the classifiers of plugins where phrases are unsure, then it is `other`. A tie goes to the first of `ORDER`.
    """

    def __init__(
        self, phrases: PhraseBook, *, classifiers: Sequence[Classifier] = (), codes: ReasonCodes | None = None
    ) -> None:
        self._phrases = phrases
        self._classifiers = tuple(classifiers)
        self._codes = codes or _shipped_codes()

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
        escalation = next((found for item in readings if (found := item.marks.get("escalation"))), "")
        severities = {mark for item in readings for mark in item.marks}
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
        readings = []
        for tongue in self._tongues(language, hint):
            readings.append(self._read(tongue, subject, text))
            if readings[-1].scores and not readings[-1].hinted and language != UNKNOWN:
                break
        return readings

    def _read(self, language: str, subject: str, text: str) -> _Reading:
        pack = self._phrases.pack(language)
        fields = ((text, 1.0), (subject, _SUBJECT_FACTOR))
        found: list[tuple[Hit, float]] = []
        if pack:
            found = [(hit, hit.weight * factor) for field, factor in fields if field for hit in pack.find(field)]
        marks: dict[str, str] = {}
        for hit, _ in sorted(found, key=lambda pair: -pair[1]):
            if hit.section not in _KINDS and hit.section not in marks:
                marks[hit.section] = _quote(hit, language)
        reasons = [(hit, weight) for hit, weight in found if hit.section in _KINDS]
        said = [(hit, weight) for hit, weight in reasons if not hit.hint]
        weights: dict[str, list[float]] = defaultdict(list)
        strongest: dict[str, tuple[float, Hit]] = {}
        for hit, weight in said or reasons:
            weights[hit.section].append(weight)
            if hit.section not in strongest or weight > strongest[hit.section][0]:
                strongest[hit.section] = (weight, hit)
        return _Reading(
            language,
            {section: _score(listed) for section, listed in weights.items()},
            {section: _quote(hit, language) for section, (_, hit) in strongest.items()},
            marks,
            hinted=bool(reasons) and not said,
        )

    def _reason(
        self, readings: list[_Reading], language: str, text: str, code: str | None, connector: str | None
    ) -> tuple[str, float, str]:
        meant = self._codes.reasons(code, connector) if code else ()
        if meant:
            chosen = next((best for item in readings if (best := item.best(meant))), meant[0])
            return chosen, _CODE_CONFIDENCE, f"{connector or 'platform'} code {code}"
        reason, confidence, because = _from_phrases(readings, all_at_once=language == UNKNOWN)
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


def _quote(hit: Hit, language: str) -> str:
    return f'"{hit.words}" ({language})'


def _score(weights: list[float]) -> float:
    first, *rest = sorted(weights, reverse=True)
    return min(_SCORE_TOP, first + _MORE * sum(rest))


def _from_phrases(readings: list[_Reading], *, all_at_once: bool) -> tuple[str, float, str]:
    found = [(item, best) for item in readings if (best := item.best())]
    said = [pair for pair in found if not pair[0].hinted]
    found = said if all_at_once else said or found  # a hint in one of seventeen languages is chance
    if not found:
        return str(Reason.OTHER), 0.0, "no phrase, code or classifier knows it"
    item, reason = found[0]
    if all_at_once:
        item, reason = max(found, key=lambda pair: pair[0].rank(pair[1]))
    return str(reason), item.confidence(reason), item.because[reason]


@lru_cache(maxsize=1)
def _shipped_phrases() -> PhraseBook:
    return PhraseBook.shipped()


@lru_cache(maxsize=1)
def _shipped_codes() -> ReasonCodes:
    return ReasonCodes()
