"""What Prometheus is told by one process; tests/pool/test_serving.py adds up two."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import REGISTRY, Counter
from prometheus_client.parser import text_string_to_metric_families

from app import metrics
from app.database import Databases
from app.tenants import Tenant
from tests.factories import bearer, make_rca
from tests.waiting import wait_until

Samples = dict[tuple[str, ...], float]
REQUESTS = ("fixapp_db_requests_num_total",)


def samples(client: FlaskClient) -> Samples:
    """Each sample by its name and its labels' values."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def test_requests_are_counted_by_endpoint_method_and_status(client: FlaskClient) -> None:
    counted = ("fixapp_http_request_seconds_count", "health.live", "GET", "200")
    before = samples(client).get(counted, 0)
    client.get("/health/live")
    assert samples(client)[counted] == before + 1


@pytest.mark.parametrize("path", ["/nowhere", "/nowhere/else/0c8b4f1e"])
def test_paths_nobody_serves_are_one_endpoint(client: FlaskClient, path: str) -> None:
    client.get(path)
    assert not [name for name in samples(client) if any("nowhere" in label for label in name)]


def test_a_method_nobody_knows_is_no_label_of_its_own(client: FlaskClient) -> None:
    client.open("/health/live", method="BREW")
    assert not [name for name in samples(client) if "BREW" in name]


def test_statements_are_counted_for_each_request(app: Flask, client: FlaskClient, acme: Tenant) -> None:
    path, header = f"/api/v1/rcas/{make_rca(acme).id}", bearer(app, acme)
    client.get(path, headers=header)  # finds the tenant, which is kept for some seconds
    before = _statements(client)
    client.get(path, headers=header)
    grown = {name: value - before.get(name, 0) for name, value in _statements(client).items()}
    assert sum(value for (name, *_), value in grown.items() if name.endswith("_sum")) == 1


def _statements(client: FlaskClient) -> Samples:
    return {
        name: value
        for name, value in samples(client).items()
        if "statements" in name[0] and "rcas" in name[1]
    }


@pytest.mark.parametrize("name", metrics.STATES)
def test_the_pools_states_are_told_as_they_are(
    client: FlaskClient, acme: Tenant, databases: Databases, name: str
) -> None:
    wait_until(lambda: samples(client)[f"fixapp_db_{name}",] == databases.shared.get_stats()[name])


def test_the_pools_sums_grow_with_its_use(client: FlaskClient, acme: Tenant) -> None:
    before = samples(client)[REQUESTS]
    make_rca(acme)
    assert samples(client)[REQUESTS] > before


@pytest.fixture
def sums(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], float]]:
    """The sum of one figure of a pool that is nobody's."""
    registered: list[Counter] = []

    def counter(*args: Any) -> Counter:
        registered.append(Counter(*args))
        return registered[-1]

    monkeypatch.setattr(metrics, "_sums", {})
    monkeypatch.setattr(metrics, "Counter", counter)
    yield lambda: float(registered[0]._value.get())
    for each in registered:
        REGISTRY.unregister(each)


def test_an_older_reading_after_a_newer_one_changes_nothing(
    databases: Databases, sums: Callable[[], float]
) -> None:
    """Of two who ask at once, the one with the older figures may come last."""
    seen = []
    for reading in (3, 10, 7, 10, 12):
        metrics.note_pool(databases, {"tries_num": reading})
        seen.append(sums())
    assert seen == [3, 10, 10, 10, 12]


def test_the_same_readings_as_differences_would_count_twice() -> None:
    """The planted fault: what the test above would see of sums that grow by the difference to the last."""
    total, last, seen = 0, 0, []
    for reading in (3, 10, 7, 10, 12):
        total, last = total + max(0, reading - last), reading
        seen.append(total)
    assert seen == [3, 10, 10, 13, 15]


def test_threads_that_note_the_same_count_it_once(databases: Databases, sums: Callable[[], float]) -> None:
    with ThreadPoolExecutor(8) as threads:
        for reading in [*range(200)] * 2:
            threads.submit(metrics.note_pool, databases, {"tries_num": reading})
    assert sums() == 199


def test_without_a_request_statements_are_nobodys(client: FlaskClient, acme: Tenant) -> None:
    before = _statements(client)
    make_rca(acme)
    assert _statements(client) == before
