"""Numbers about this process for Prometheus: one `Metrics` object, built in `parley.apps`, rendered at ``/metrics``."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

CONTENT_TYPE = CONTENT_TYPE_LATEST
"""Content type of what `render_metrics` returns."""

_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The registry and what is counted. Labels name tables and verdicts, never workspaces or people."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.work_claimed = Counter(
            "parley_work_claimed",
            "Rows of claimed work leased by this process.",
            ["table"],
            registry=self.registry,
        )
        self.work_verdicts = Counter(
            "parley_work_verdicts",
            "Verdicts on claimed work: done, failed, retry, released, lost, expired.",
            ["table", "verdict"],
            registry=self.registry,
        )
        self.work_seconds = Histogram(
            "parley_work_seconds",
            "How long a row was worked on.",
            ["table"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.work_lag_seconds = Gauge(
            "parley_work_lag_seconds",
            "How long the oldest due row has waited.",
            ["table"],
            registry=self.registry,
        )
        self.work_leased = Gauge(
            "parley_work_leased", "Rows leased by all processes.", ["table"], registry=self.registry
        )
        self.broker_published = Counter(
            "parley_broker_published",
            "Messages that RabbitMQ confirmed to this process.",
            ["exchange"],
            registry=self.registry,
        )
        self.broker_is_connected = Gauge(
            "parley_broker_is_connected",
            "Whether this process publishes to RabbitMQ.",
            registry=self.registry,
        )
        self.broker_lag_seconds = Gauge(
            "parley_broker_lag_seconds",
            "How old what was published last was by then.",
            registry=self.registry,
        )
        self.search_lag_seconds = Gauge(
            "parley_search_lag_seconds",
            "How old the oldest event was when search last read some: how late messages are found.",
            registry=self.registry,
        )


def render_metrics(metrics: Metrics) -> bytes:
    """Return the numbers in Prometheus' text format, of type `CONTENT_TYPE`."""
    return generate_latest(metrics.registry)
