"""Spans of the work on a ticket: where they are, what they carry, and that they carry no person."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import httpx
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from structlog.testing import capture_logs

from aftersail.core import telemetry as rooms
from aftersail.core.contract import Unavailable
from aftersail.core.runtime.telemetry import spans_to, telemetry
from aftersail.core.store import tables
from aftersail.sdk.http import HttpClient, PacedContext
from tests.builders import Desk, letter, migrate, page


def client(answer) -> HttpClient:
    transport = httpx.MockTransport(answer)
    context = PacedContext(channel_id="shop", now=lambda: datetime.now(UTC), transport=transport, sleep=lambda _: None)
    return HttpClient(context, base_url="https://shop.example")


def test_spans_are_nested_and_carry_ids():
    exporter = InMemorySpanExporter()
    with spans_to(exporter), rooms.span("sync page", channel="shop", stream="messages", ticket=None):
        asked = client(lambda _: httpx.Response(200, json={"buyer": "Ada"}))
        asked.json("GET", "/letters?who=ada@buyer.example", operation="letters")
    http, page = exporter.get_finished_spans()
    assert (page.name, dict(page.attributes)) == (
        "sync page",
        {"aftersail.channel": "shop", "aftersail.stream": "messages"},
    )
    assert http.name == "http"
    assert http.parent.span_id == page.context.span_id
    assert dict(http.attributes) == {
        "aftersail.channel": "shop",
        "aftersail.operation": "letters",
        "http.response.status_code": 200,
    }


def test_an_error_is_told_by_its_type_alone():
    exporter = InMemorySpanExporter()

    def gone(request):
        raise httpx.ConnectError("ada@buyer.example hung up", request=request)

    with spans_to(exporter), pytest.raises(Unavailable):
        client(gone).request("GET", "/x", operation="pay", write=True)
    (span,) = exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["error.type"] == "ConnectError"
    assert "ada" not in span.to_json()


def test_nothing_is_made_while_nobody_listens():
    assert rooms.span("judge", ticket=1) is rooms.span("sync page", channel="shop")
    with rooms.span("judge", ticket=1) as span:
        assert span is None


def test_spans_are_sent_only_where_a_collector_is_named(monkeypatch):
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", raising=False)
    with telemetry() as on:
        assert not on
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with telemetry() as on:
        assert on
        assert rooms.span("judge") is not rooms.span("judge")
    assert rooms.span("judge") is rooms.span("judge")


def test_a_collector_without_the_extra_is_told_and_stops_nothing(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk", None)
    with capture_logs() as logs, telemetry() as on:
        assert not on
    assert [each["event"] for each in logs] == ["telemetry_missing"]


def test_requests_are_told_to_who_listens():
    heard = []
    stop = rooms.observe_http(lambda *told: heard.append(told[:3]))
    asked = client(lambda _: httpx.Response(503))
    with pytest.raises(Unavailable):
        asked.request("GET", "/x", operation="look")
    stop()
    asked.close()
    assert set(heard) == {("shop", "look", 503)}


def test_the_way_of_a_message_has_its_spans(databases):
    exporter = InMemorySpanExporter()
    with Desk(databases.fresh("store", migrate)) as desk:
        desk.add("shop").messages.pages = [page(letter("m1", text="It arrived broken"))]
        with spans_to(exporter):
            desk.sync("shop")
        (ticket,) = [row.id for row in desk.rows(tables.ticket)]
    spans = {span.name: span for span in exporter.get_finished_spans() if span.attributes.get("aftersail.ticket")}
    assert dict(spans["judge"].attributes) == {"aftersail.channel": "shop", "aftersail.ticket": ticket}
    pages = [span for span in exporter.get_finished_spans() if span.name == "sync page"]
    assert spans["judge"].parent.span_id in {span.context.span_id for span in pages}
    assert all("Ada" not in span.to_json() and "broken" not in span.to_json() for span in exporter.get_finished_spans())
