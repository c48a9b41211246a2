"""What an event says to people: a subject, a text and whom it is for; nothing for what only programs want to know."""

from __future__ import annotations

from typing import NamedTuple

from aftersail.core.contract import AlarmRaised, ClockBreached, ClockWarned, Event, ExtensionReported


class Tiding(NamedTuple):
    """What a notifier is handed."""

    subject: str
    text: str
    recipients: tuple[str, ...]


def tiding(event: Event) -> Tiding | None:
    """Put an event into words; None where it names nobody who is to be told."""
    match event:
        case ClockWarned():
            subject, text = _clock(event, "is due soon"), f"It is due at {event.due_at:%Y-%m-%d %H:%M} UTC."
        case ClockBreached():
            noticed = f"noticed at {event.detected_at:%Y-%m-%d %H:%M} UTC"
            subject, text = _clock(event, "ran out"), f"It was due at {event.due_at:%Y-%m-%d %H:%M} UTC, {noticed}."
        case ExtensionReported():
            subject = f"Ticket {event.ticket}: more time is asked for the {_words(event.metric)}"
            text = f"{event.report}\n\nReason: {event.reason}"
        case AlarmRaised():
            subject, text = f"{event.metric}: {event.subject}", event.why
        case _:
            return None
    return Tiding(subject, text, event.recipients) if event.recipients else None


def _clock(event: ClockWarned | ClockBreached, what: str) -> str:
    return f"Ticket {event.ticket}: {_words(event.metric)} {what}"


def _words(metric: str) -> str:
    return metric.replace("_", " ")
