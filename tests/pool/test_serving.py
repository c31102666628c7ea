"""The promises as callers over HTTP see them: two processes, and a database that suffers."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from typing import Any
from uuid import UUID

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.auth import Tokens
from app.bootstrap import bootstrap
from app.migrate import MigrationDatabase, migrate
from dev.cluster import Cluster, throwaway
from tests.factories import make_environment, make_settings
from tests.faults.freeze import frozen, processes_of
from tests.pool.conftest import Witness, eventually, together
from tests.processes import SERVERS, Served, serving

BACKENDS = "SELECT pid FROM pg_stat_activity WHERE application_name = ANY(%s)"
CODES = {"database_unavailable", "pool_timeout", "pool_full"}


@pytest.fixture(scope="module")
def behind() -> Iterator[Cluster]:
    """A migrated database on a server of its own."""
    with throwaway() as cluster:
        settings = make_settings(cluster)
        list(bootstrap(settings))
        owner = MigrationDatabase(settings)
        list(migrate(owner))
        owner.close_all()
        yield cluster


@pytest.fixture(scope="module", params=SERVERS.values(), ids=SERVERS)
def served(request: pytest.FixtureRequest, behind: Cluster) -> Iterator[Served]:
    """Each server in front of it."""
    with serving(request.param, make_environment(make_settings(behind))) as served:
        yield served


@pytest.fixture(scope="module")
def headers(behind: Cluster, served: Served) -> dict[str, str]:
    """A tenant's token."""
    tokens = Tokens(make_settings(behind))
    platform = {"Authorization": f"Bearer {tokens.issue(None)}"}
    name = f"tenant-{served.port}"
    _, made = served.ask("POST", "/api/v1/tenants", headers=platform, body={"name": name, "subdomain": name})
    return {"Authorization": f"Bearer {tokens.issue(UUID(made['id']))}"}


@pytest.fixture
def ready(served: Served) -> Served:
    """The server, recovered from the test before."""
    eventually(lambda: _status(served, "/health/ready") == 200)
    return served


def test_200_callers_are_answered_while_the_database_is_frozen(
    ready: Served, headers: dict[str, str], behind: Cluster
) -> None:
    with ThreadPoolExecutor(1) as aside, frozen(behind):
        lives = aside.submit(_probe, ready, "/health/live", 2.0)
        answers = together(200, lambda: ready.ask("GET", "/api/v1/rcas", headers=headers))
    problems = [(answer.status, body["code"]) for _, (answer, body) in answers]
    assert {status for status, _ in problems} == {503}
    assert {code for _, code in problems} <= CODES
    assert all(int(answer.getheader("Retry-After")) > 0 for _, (answer, _) in answers)
    assert max(seconds for seconds, _ in answers) < 2.5
    assert {status for _, status in lives.result()} == {200}
    assert max(seconds for seconds, _ in lives.result()) < 0.5


def test_readiness_follows_the_database(ready: Served, behind: Cluster) -> None:
    with frozen(behind):
        started = time.monotonic()
        assert _status(ready, "/health/ready") == 503
        assert time.monotonic() - started < 2.5
        assert _status(ready, "/health/live") == 200
    assert eventually(lambda: _status(ready, "/health/ready") == 200) < 3


def test_requests_without_data_are_answered_while_the_pool_is_exhausted(
    ready: Served, headers: dict[str, str], behind: Cluster
) -> None:
    wanted = {"/nowhere": 404, "/api/v1/rcas": 401, "/health/live": 200, "/metrics": 200}
    with ThreadPoolExecutor(150) as callers, frozen(behind):
        busy = [callers.submit(ready.ask, "GET", "/api/v1/rcas", headers=headers) for _ in range(150)]
        time.sleep(0.3)
        started = time.monotonic()
        assert {path: _status(ready, path) for path in wanted} == wanted
        assert time.monotonic() - started < 0.5
        assert {request.result()[0].status for request in busy} == {503}


def test_an_invalid_body_is_told_so_while_the_pool_is_exhausted(
    ready: Served, headers: dict[str, str], behind: Cluster
) -> None:
    together(40, lambda: ready.ask("GET", "/api/v1/rcas", headers=headers))  # both workers know the tenant
    with frozen(behind):
        started = time.monotonic()
        answer, _ = ready.ask("POST", "/api/v1/rcas", headers=headers, body={"title": ""})
        assert answer.status == 422
        assert time.monotonic() - started < 0.5


def test_two_workers_together_count_what_was_sent(ready: Served, headers: dict[str, str]) -> None:
    before = _sums(ready)
    together(40, lambda: ready.ask("GET", "/api/v1/rcas", headers=headers))
    together(10, lambda: ready.ask("GET", "/nowhere"))
    time.sleep(1.2)  # each pool tells once a second
    grown = {name: value - before.get(name, 0.0) for name, value in _sums(ready).items()}
    count = "fixapp_http_request_seconds_count"
    assert grown[count, "unknown", "GET", "404"] == 10
    assert sum(grown[name] for name in grown if name[0] == count and "rcas" in name[1]) == 40
    assert grown["fixapp_db_requests_num_total",] >= 40


def test_the_pools_of_all_workers_are_added_up(ready: Served, headers: dict[str, str]) -> None:
    together(40, lambda: ready.ask("GET", "/api/v1/rcas", headers=headers))
    eventually(lambda: _sums(ready)["fixapp_db_pool_max",] == 20, within=10)


@pytest.mark.parametrize("command", SERVERS.values(), ids=SERVERS)
def test_after_the_end_no_backend_is_left(behind: Cluster, command: list[str]) -> None:
    variables = make_environment(make_settings(behind))
    with closing(Witness(behind)) as witness, serving(command, variables) as served:
        together(20, lambda: _status(served, "/health/ready"))
        names = [f"fixapp {pid}" for pid in processes_of(served.process.pid)]
        assert witness.sql(BACKENDS, names)
        assert served.stop() == 0
        assert eventually(lambda: not witness.sql(BACKENDS, names)) < 1


def _status(served: Served, path: str) -> int:
    connection = HTTPConnection("127.0.0.1", served.port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def _probe(served: Served, path: str, seconds: float) -> list[tuple[float, int]]:
    found, ends = [], time.monotonic() + seconds
    while time.monotonic() < ends:
        started = time.monotonic()
        status = _status(served, path)
        found.append((time.monotonic() - started, status))
        time.sleep(0.05)
    return found


def _sums(served: Served) -> dict[Any, float]:
    """Each sample by its name and its labels' values."""
    connection = HTTPConnection("127.0.0.1", served.port, timeout=10)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    families = text_string_to_metric_families(text)
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}
