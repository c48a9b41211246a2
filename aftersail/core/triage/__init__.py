"""Triage: which language a buyer writes, what it is about, how bad it is, and whether it threatens to go further."""

from aftersail.core.triage.assessment import Assessment, Triage
from aftersail.core.triage.codes import ReasonCodes
from aftersail.core.triage.corrections import Correction, CorrectionError, Labels, corrections, record_correction
from aftersail.core.triage.language import LANGUAGES, UNKNOWN, detect
from aftersail.core.triage.loader import PackError, PhraseBook

__all__ = [
    "LANGUAGES",
    "UNKNOWN",
    "Assessment",
    "Correction",
    "CorrectionError",
    "Labels",
    "PackError",
    "PhraseBook",
    "ReasonCodes",
    "Triage",
    "corrections",
    "detect",
    "record_correction",
]
