"""What Prometheus may ask: the pool, each endpoint's requests, statements for each request.

With several processes each writes into a file of its own and whoever is asked adds them up:
a sum outlives its process, a state counts while its process lives. wsgi.py names the folder
before anything is imported.
https://prometheus.github.io/client_python/multiprocess/
"""

import os
import shutil
import threading
from functools import lru_cache, partial
from http import HTTPMethod
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from flask import Blueprint, Flask, Response, current_app
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from app.database import Databases

STATES = ("pool_min", "pool_max", "pool_size", "pool_available", "requests_waiting")
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
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
_states = {
    name: Gauge(f"fixapp_db_{name}", f"The pool's {name}.", multiprocess_mode="livesum") for name in STATES
}
_sums: dict[str, Counter] = {}
# what each open application's pool said last
_pools: WeakKeyDictionary[Databases, dict[str, int]] = WeakKeyDictionary()
_lock = threading.Lock()


def init_app(app: Flask) -> None:
    """Measure each answer of this application, and its pool whenever it is asked."""
    app.register_blueprint(blueprint)
    app.extensions["observers"].append(_measure)
    # a process that is not asked itself tells the others once a second how its pool is
    databases: Databases = app.extensions["databases"]
    databases.reporters.append(partial(note_pool, databases))


@blueprint.get("/metrics")
def metrics() -> Response:
    """Every process's metrics, added up."""
    databases: Databases = current_app.extensions["databases"]
    note_pool(databases, databases.shared.get_stats())
    return Response(generate_latest(_registry()), content_type=CONTENT_TYPE_LATEST)


def note_pool(databases: Databases, stats: dict[str, int]) -> None:
    """Write down what the pool of one application says of itself, added to those of others.

    Its sums are taken over as they are, and never backwards: of two who ask at once, the later with
    the older figures, neither counts anything twice.
    """
    with _lock:
        before = _pools.get(databases, {})
        _pools[databases] = {
            name: value if name in _states else max(value, before.get(name, 0))
            for name, value in stats.items()
        }
        for name in stats:
            total = sum(pool.get(name, 0) for pool in _pools.values())
            if name in _states:
                _states[name].set(total)
            else:
                # an application that is gone takes its share with it, but a sum never falls
                counter = _sum(name)._value
                counter.set(max(counter.get(), total))


def _sum(name: str) -> Any:
    if name not in _sums:
        _sums[name] = Counter(f"fixapp_db_{name}", f"The pool's {name}, summed up.")
    return _sums[name]


def _registry() -> CollectorRegistry:
    folder = os.environ.get(FOLDER)
    if folder is None:
        return REGISTRY
    _sweep(Path(folder))
    registry = CollectorRegistry()
    MultiProcessCollector(registry, folder)
    return registry


def _sweep(folder: Path) -> None:
    """Take processes that are gone out of the states, and remove the folders of servers that are."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = int(file.stem.rpartition("_")[2])
        if not _is_alive(pid):
            mark_process_dead(pid, str(folder))
    # as wsgi.py names them: the user, the parent's process id, when that started
    own, _, _ = folder.name.rpartition("-")[0].rpartition("-")
    for other in folder.parent.glob(f"{own}-*-*") if own.startswith("fixapp-metrics-") else ():
        parent = other.name.split("-")[-2]
        if other != folder and parent.isdigit() and not _is_alive(int(parent)):
            shutil.rmtree(other, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _measure(exchange: Any) -> None:
    # the endpoint's name, never the path: a path is a label for each id, and holds what a caller typed
    endpoint = exchange.endpoint or _UNKNOWN
    method = exchange.method if exchange.method in HTTPMethod.__members__ else _UNKNOWN
    duration, sent = _children(endpoint, method, exchange.status)
    duration.observe(exchange.seconds)
    sent.observe(exchange.statements)


@lru_cache(maxsize=4096)
def _children(endpoint: str, method: str, status: int) -> tuple[Any, Any]:
    """The two histograms of one kind of answer, looked up once."""
    return requests.labels(endpoint, method, status), statements.labels(endpoint)
