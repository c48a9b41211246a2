"""`/metrics` for Prometheus. Labels are channels, queues, kinds and states: no ticket, no buyer, no address."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from aftersail import __version__
from aftersail.core.insight.health import ChannelState
from aftersail.core.insight.vitals import Counts, Pulse, StoredMessages, count_all, take_pulse
from aftersail.core.runtime.app import App
from aftersail.core.store.engine import reading
from aftersail.core.telemetry import observe_http

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The metrics of one process: what the store holds, read at each scrape, and what its connectors ask for.

    Args:
        app: the desk; several processes on one database show the same of it, and each its own requests.
    """

    def __init__(self, app: App) -> None:
        self._registry = CollectorRegistry()
        self._requests = Histogram(
            "aftersail_connector_request_duration_seconds",
            "Requests of connectors to their platforms, by operation and status class; `none` had no answer.",
            ["channel", "operation", "status"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        ProcessCollector(registry=self._registry)
        self._registry.register(_Store(app))
        self.close = observe_http(self._http)

    def _http(self, channel: str, operation: str, status: int | None, seconds: float) -> None:
        kind = "none" if status is None else f"{status // 100}xx"
        self._requests.labels(channel, operation, kind).observe(seconds)

    def text(self) -> bytes:
        """Write everything down as Prometheus reads it."""
        return generate_latest(self._registry)


class _Store(Collector):
    """What the store says, in one consistent look per scrape."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._messages = StoredMessages()
        self._one_at_a_time = threading.Lock()

    def describe(self) -> Iterator[Metric]:
        """Name nothing beforehand: the registry would else collect once while it is put together."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Read the store."""
        now = self._app.now()
        with self._one_at_a_time, reading(self._app.engine).connect() as conn:
            pulse, counts, messages = take_pulse(conn, now), count_all(conn, now), self._messages.count(conn, now)
        yield InfoMetricFamily("aftersail", "The version that runs.", {"version": __version__})
        stored = CounterMetricFamily("aftersail_messages_stored", "Messages stored.", labels=["channel"])
        for channel, number in sorted(messages.items()):
            stored.add_metric([channel], number)
        yield stored
        yield from _of_counts(counts)
        yield from _of_pulse(pulse)


def _of_counts(counts: Counts) -> Iterator[Metric]:
    jobs = GaugeMetricFamily("aftersail_jobs", "Jobs that are not finished.", labels=["queue", "state"])
    for labels, number in sorted(counts.jobs.items()):
        jobs.add_metric(labels, number)
    yield jobs
    remedies = GaugeMetricFamily("aftersail_remedies", "Replies, refunds and so on.", labels=["kind", "state"])
    for labels, number in sorted(counts.remedies.items()):
        remedies.add_metric(labels, number)
    yield remedies
    yield GaugeMetricFamily("aftersail_clocks_due", "Clocks that run past their due time.", counts.clocks_due)
    yield GaugeMetricFamily("aftersail_clocks_breached", "Clocks that were ever breached.", counts.clocks_breached)


def _of_pulse(pulse: Pulse) -> Iterator[Metric]:
    lag = GaugeMetricFamily("aftersail_queue_lag_seconds", "Longest wait for a turn.", labels=["queue"])
    for queue, length in sorted(pulse.lag.items()):
        lag.add_metric([queue], length.total_seconds())
    yield lag
    yield GaugeMetricFamily(
        "aftersail_oldest_unsent_reply_seconds",
        "How long the oldest answer has waited that nobody needs to approve.",
        pulse.unsent_reply.total_seconds(),
    )
    success = GaugeMetricFamily(
        "aftersail_channel_last_success_timestamp_seconds", "Last sync that reached its end.", labels=["channel"]
    )
    attention = GaugeMetricFamily("aftersail_channel_needs_attention", "1 where a person must act.", labels=["channel"])
    failures = GaugeMetricFamily(
        "aftersail_channel_failures", "Syncs that failed since the last success.", labels=["channel"]
    )
    for channel in pulse.channels:
        if channel.state is ChannelState.OFF:
            continue
        if channel.synced_at is not None:
            success.add_metric([channel.id], channel.synced_at.timestamp())
        attention.add_metric([channel.id], float(channel.attention is not None))
        failures.add_metric([channel.id], channel.failures)
    yield from (success, attention, failures)
