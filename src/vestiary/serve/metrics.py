"""What Prometheus is told, and the access log: routes, states and seconds; no path with an id, no query, no address."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vestiary.serve.database import FittingRow
from vestiary.serve.gate import route_of
from vestiary.serve.processes import METRICS

access = logging.getLogger("vestiary.access")
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The measurements of one app, in a registry of their own.

    Of several processes (`processes.METRICS` in the environment) each writes down its own and tells the sum of all.
    """

    def __init__(self, house: Any) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "vestiary_requests", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "vestiary_request_seconds",
            "Time to the whole answer.",
            ("route",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.engine_seconds = Counter(
            "vestiary_engine_seconds", "Spent in fittings that were waited for.", ("engine",), registry=self.registry
        )
        self._told = self.registry
        if os.environ.get(METRICS):
            collect: Any = MultiProcessCollector
            collect(told := CollectorRegistry())
            self._told = told
        self._told.register(_House(house))

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        return generate_latest(self._told)

    def saw(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)


class _House(Collector):
    """What the service itself knows, asked when Prometheus asks."""

    def __init__(self, house: Any) -> None:
        self.house = house

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("vestiary_queue_length", "Fittings that wait.", value=self.house.queue_length())
        memory = getattr(self.house, "memory", None)
        if memory is not None:
            yield GaugeMetricFamily("vestiary_cache_bytes", "Of the process that answers.", value=memory.size)
        states = GaugeMetricFamily("vestiary_fittings", "Fittings that are kept, by state.", labels=("state",))
        with self.house.database.reading() as session:
            for state, count in session.execute(select(FittingRow.state, func.count()).group_by(FittingRow.state)):
                states.add_metric((state,), count)
        yield states


class Measured:
    """ASGI: measures and logs every request."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 499  # nobody was left to answer

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, seen)
        finally:
            seconds = time.perf_counter() - started
            route = route_of(scope)
            method = scope["method"] if scope["method"] in _METHODS else "OTHER"
            self.metrics.saw(method, route, status, seconds)
            access.info("%s %s %d %.0f ms", method, route, status, seconds * 1000)


_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
