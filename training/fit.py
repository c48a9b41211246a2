"""Fits what triage learns from labelled messages: `triage/<language>.yaml` and the sentences of the tests.

    make weights                       every language
    python training/fit.py de fr       some

Writes `aftersail/core/triage/weights/<language>.npz` and prints, per language, how often the reason is right on
messages left out of the fit in turn. The same messages and phrases give the same weights.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from lessons import Lesson, fingerprint, lessons, phrases
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_selection import chi2
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold

from aftersail.core.triage import LANGUAGES, PhraseBook
from aftersail.core.triage.learned import REASONS, SHIPPED, Vocabulary, evidence, pieces
from aftersail.core.triage.sentence import Sentence, read

_MOST_FEATURES = 4000
_FEWEST_MESSAGES = 2
_STRENGTH = 10
_EVIDENCE_SHARE = 0.3
"""How much a phrase counts before fitting, beside pieces of words whose squares sum to 1: with more, phrases drown out
what they do not know; with less, they are not believed. Chosen by cross-validation over five languages."""

_FOLDS = 5
_INT8 = 127


@dataclass(frozen=True)
class Text:
    """A message as the fit sees it."""

    sentences: list[Sentence]
    evidence: list[float]
    reason: str


@dataclass(frozen=True)
class Fit:
    """A fitted model before it is made small."""

    features: list[str]
    rarity: Any
    model: LogisticRegression

    def matrix(self, texts: Sequence[Text]) -> csr_matrix:
        """Turn messages into rows: pieces of words by rarity, each row of length 1, and the phrases' evidence."""
        vocabulary = Vocabulary(self.features)
        rows, columns, values = [], [], []
        for row, text in enumerate(texts):
            found = list(vocabulary.find(text.sentences))
            weights = self.rarity[found]
            rows += [row] * len(found)
            columns += found
            values += list(weights / np.sqrt(weights @ weights)) if found else []
        words = csr_matrix((values, (rows, columns)), shape=(len(texts), len(self.features)))
        return hstack([words, csr_matrix([text.evidence for text in texts]) * _EVIDENCE_SHARE]).tocsr()

    def odds(self, texts: Sequence[Text]) -> Any:
        """Return the odds of every reason, as logarithms, in the order of `REASONS`."""
        return self.model.decision_function(self.matrix(texts))[:, odds_order(self.model)]


def fit_language(language: str) -> str:
    """Fit one language, write its weights and say how well it does."""
    told = lessons(language)
    texts = [_text(lesson, language) for lesson in told]
    truth = [REASONS.index(text.reason) for text in texts]
    odds = np.zeros((len(texts), len(REASONS)))
    for known, left in StratifiedKFold(_FOLDS, shuffle=True, random_state=0).split(texts, truth):
        odds[left] = _fit([texts[at] for at in known], language).odds([texts[at] for at in left])
    heat = minimize_scalar(lambda by: log_loss(truth, likelihoods(odds * by), labels=range(len(REASONS))), (0.5, 2)).x
    _write(_fit(texts, language), heat, language)
    right = np.mean(odds.argmax(axis=1) == truth)
    return f"{language}: {len(texts)} messages, left out in turn {right:.1%} right, odds times {heat:.2f}"


def _text(lesson: Lesson, language: str) -> Text:
    sentences = read(lesson.text, language)
    pack = _phrases().pack(language)
    said = evidence((hit, 1.0) for hit in pack.find(sentences)) if pack else {}
    return Text(sentences, [said.get(place, 0.0) for place in range(2 * len(REASONS))], lesson.reason)


@lru_cache(maxsize=1)
def _phrases() -> PhraseBook:
    return PhraseBook.shipped()


def _fit(texts: Sequence[Text], language: str) -> Fit:
    candidates = [set[str]().union(*(pieces(each, language) for each in text.sentences)) for text in texts]
    counts = Counter(piece for found in candidates for piece in found)
    features = sorted(piece for piece, count in counts.items() if count >= _FEWEST_MESSAGES)
    numbers = {feature: number for number, feature in enumerate(features)}
    pairs = [(row, numbers[piece]) for row, found in enumerate(candidates) for piece in found if piece in numbers]
    rows, columns = zip(*sorted(pairs), strict=True)
    reasons = [text.reason for text in texts]
    telling, _ = chi2(csr_matrix((np.ones(len(rows)), (rows, columns))), reasons)
    features = sorted(features[at] for at in np.argsort(-telling, kind="stable")[:_MOST_FEATURES])
    rarity = np.array([np.log((1 + len(texts)) / (1 + counts[feature])) + 1 for feature in features])
    model = LogisticRegression(C=_STRENGTH, max_iter=500)
    fitted = Fit(features, rarity, model)
    model.fit(fitted.matrix(texts), reasons)
    return fitted


def odds_order(model: LogisticRegression) -> list[int]:
    """Where the columns of `REASONS` stand among a model's own."""
    return [list(model.classes_).index(reason) for reason in REASONS]


def likelihoods(odds: Any) -> Any:
    """Turn odds, as logarithms, into shares of 1 per row."""
    raised = np.exp(odds - odds.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def _write(fitted: Fit, heat: float, language: str) -> None:
    order = odds_order(fitted.model)
    coefficients = fitted.model.coef_[order].T * heat
    words, said = coefficients[: len(fitted.features)], coefficients[len(fitted.features) :]
    scale = np.abs(words).max() / _INT8
    SHIPPED.mkdir(exist_ok=True)
    np.savez_compressed(
        SHIPPED / f"{language}.npz",
        lessons=fingerprint(lessons(language), phrases(language)),
        features="\n".join(fitted.features),
        rarity=fitted.rarity.astype(np.float16),
        weights=np.rint(words / scale).astype(np.int8),
        scale=np.float32(scale),
        evidence=(said * _EVIDENCE_SHARE).astype(np.float16),
        bias=(fitted.model.intercept_[order] * heat).astype(np.float16),
    )


def _fit_all(languages: Sequence[str]) -> Iterator[str]:
    with ProcessPoolExecutor() as workers:
        yield from workers.map(fit_language, languages)


if __name__ == "__main__":
    for line in _fit_all(sys.argv[1:] or LANGUAGES):
        print(line, flush=True)
