"""Structured logs on stderr: for people, or one JSON object a line."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

from aftersail.core.runtime.settings import LogSettings

_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_MAIL_ADDRESS: Final = re.compile(r"[^\s<>\"'(),:;@]+@[^\s<>\"'(),:;@]+\.[^\s<>\"'(),:;@]+")
_ROW_DETAIL: Final = re.compile(r"(?m)^DETAIL: .*$|^\[parameters: .*$")
"""What a database adds to an error: the row, and so what a buyer wrote."""
_SECRET_KEYS: Final = ("password", "secret", "token", "authorization", "api_key")


def _hide(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Last line of defence: a value under a telling key never reaches the log, whoever wrote it there."""
    for key in event:
        if any(word in key.lower() for word in _SECRET_KEYS):
            event[key] = "***"
    return event


def _spare_people(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take out of every text what names a person or quotes a row: errors repeat what platforms and databases say."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = _MAIL_ADDRESS.sub("***@***", _ROW_DETAIL.sub("DETAIL: ***", value))
    return event


def configure_logs(settings: LogSettings) -> None:
    """Set logging up for this process; instants are UTC."""
    renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False)
    if not settings.json_lines:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _hide,
            structlog.processors.format_exc_info,
            _spare_people,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[settings.level]),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
