"""What Prometheus may ask: the pool, each endpoint's requests, statements for each request.

Under gunicorn every worker writes into a file of its own and whoever is asked adds them
up, so a sum is a counter, which outlives its worker, and a state is a gauge summed over
the workers alive. gunicorn.conf.py names the folder before anything is imported.
https://prometheus.github.io/client_python/multiprocess/
"""

import threading
import time
from http import HTTPMethod

import peewee
from flask import Blueprint, Flask, Response, g, has_request_context, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from app.database import db

STATES = ("pool_min", "pool_max", "pool_size", "pool_available", "requests_waiting")
_UNKNOWN = "unknown"

blueprint = Blueprint("metrics", __name__)
requests = Histogram(
    "fixapp_http_request_seconds",
    "Requests answered, and how long each took.",
    ["endpoint", "method", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
statements = Histogram(
    "fixapp_http_request_statements",
    "Statements sent to the database for each request, transactions' brackets not counted.",
    ["endpoint"],
    buckets=(0, 1, 2, 3, 5, 8, 13, 21, 34),
)


class PoolMetrics:
    """The pool's `stats()` as metrics: its states as they are, its sums as what came on top."""

    def __init__(self) -> None:
        self._last = db.stats()
        self._lock = threading.Lock()
        self._states = {name: _gauge(name) for name in STATES}
        self._sums = {name: _counter(name) for name in self._last.keys() - self._states}

    def update(self, stats: dict[str, int]) -> None:
        """Take over what the pool says now. A pool that was opened anew begins at nothing again."""
        with self._lock:
            for name, gauge in self._states.items():
                gauge.set(stats[name])
            for name, counter in self._sums.items():
                counter.inc(
                    stats[name] - self._last[name] if stats[name] >= self._last[name] else stats[name]
                )
            self._last = stats


def _gauge(name: str) -> Gauge:
    return Gauge(f"fixapp_db_{name}", f"The pool's {name}.", multiprocess_mode="livesum")


def _counter(name: str) -> Counter:
    return Counter(f"fixapp_db_{name}", f"The pool's {name}, summed up.")


pool = PoolMetrics()


def init_app(app: Flask) -> None:
    """Measure each request and each statement; register after the logs, which reset the hooks."""
    app.register_blueprint(blueprint)
    app.before_request(_begin)
    app.after_request(_measure)
    if _count not in db.query_hooks:
        db.query_hooks.append(_count)
    # told by the pool itself, so that a worker without requests does not keep an old state
    db.watchers[:] = [pool.update]


@blueprint.get("/metrics")
def metrics() -> Response:
    """Every worker's metrics, added up."""
    pool.update(db.stats())
    return Response(generate_latest(_registry()), content_type=CONTENT_TYPE_LATEST)


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    try:
        MultiProcessCollector(registry)
    except ValueError:  # no folder is named: this process is the only one
        return REGISTRY
    return registry


def _begin() -> None:
    g.metrics_started = time.perf_counter()
    g.metrics_statements = 0


def _count(_event: peewee.QueryEvent) -> None:
    if has_request_context():
        g.metrics_statements = g.get("metrics_statements", 0) + 1


def _measure(response: Response) -> Response:
    # the endpoint's name, never the path: a path is a label for each id, and holds what a caller typed
    endpoint = request.endpoint or _UNKNOWN
    method = request.method if request.method in HTTPMethod.__members__ else _UNKNOWN
    seconds = time.perf_counter() - g.get("metrics_started", time.perf_counter())
    requests.labels(endpoint, method, response.status_code).observe(seconds)
    statements.labels(endpoint).observe(g.get("metrics_statements", 0))
    return response
