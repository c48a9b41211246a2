"""OpenTelemetry spans (the extra `telemetry`): sent where a collector is named, else nothing at all is done."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import structlog

from aftersail import __version__
from aftersail.core.telemetry import Attributes, trace_with

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

_log = structlog.get_logger(__name__)

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_SDK: Final = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


@contextmanager
def telemetry() -> Iterator[bool]:
    """Send spans while the block runs, to the collector that OpenTelemetry's own environment variables name.

    Gives whether spans are sent. A collector that is named without the extra installed is told in the log: the desk
    runs all the same.
    """
    if not any(os.environ.get(name) for name in _ENDPOINTS):
        yield False
        return
    if not all(_installed(name) for name in _SDK):
        _log.warning(
            "telemetry_missing", fix="pip install 'aftersail[telemetry]', or unset OTEL_EXPORTER_OTLP_ENDPOINT"
        )
        yield False
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - the extra

    with spans_to(OTLPSpanExporter()):
        yield True


@contextmanager
def spans_to(exporter: SpanExporter) -> Iterator[None]:
    """Hand finished spans to an exporter, in the background, while the block runs; what is left leaves at its end."""
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - the extra
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - the extra
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - the extra

    name = os.environ.get("OTEL_SERVICE_NAME", "aftersail")
    provider = TracerProvider(resource=Resource.create({"service.name": name, "service.version": __version__}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("aftersail", __version__)

    def open_span(name: str, attributes: Attributes) -> AbstractContextManager[Any]:
        # An exception's text may quote the platform, and that the buyer: only its type is told.
        return _typed(
            tracer.start_as_current_span(
                name, attributes=attributes, record_exception=False, set_status_on_exception=False
            )
        )

    trace_with(open_span)
    try:
        yield
    finally:
        trace_with(None)
        provider.shutdown()


@contextmanager
def _typed(opened: AbstractContextManager[Any]) -> Iterator[Any]:
    from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415 - the extra

    with opened as span:
        try:
            yield span
        except Exception as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(Status(StatusCode.ERROR))
            raise


def _installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # not even the package it is in
        return False
