"""A server while its database is stopped: it says so at once, and soon forgets it."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from app.auth import Tokens
from app.bootstrap import bootstrap
from app.migrate import MigrationDatabase, migrate
from dev.cluster import Cluster, throwaway
from tests.factories import make_environment, make_settings
from tests.logins import as_owner
from tests.processes import SERVERS, Served, serving
from tests.waiting import NEW, held_up, one, wait_until_held_up, writing


@pytest.fixture(scope="module")
def stoppable() -> Iterator[Cluster]:
    """A server of our own, which these tests stop."""
    with throwaway() as cluster:
        settings = make_settings(cluster)
        list(bootstrap(settings))
        with closing(MigrationDatabase(settings)) as owner:
            list(migrate(owner))
            owner.close_all()
        yield cluster


@pytest.fixture(scope="module", params=SERVERS.values(), ids=SERVERS)
def undisturbed(request: pytest.FixtureRequest, stoppable: Cluster) -> Iterator[Served]:
    """The application on that server, under each of those it may be served by."""
    with closing(as_owner(make_settings(stoppable))) as conn, conn.cursor() as cursor:
        cursor.execute("TRUNCATE tenants CASCADE")
    with serving(request.param, make_environment(make_settings(stoppable))) as served:
        yield served


@pytest.fixture(scope="module")
def headers(stoppable: Cluster, undisturbed: Served) -> dict[str, str]:
    """The headers of a tenant there."""
    tokens = Tokens(make_settings(stoppable))
    platform = {"Authorization": f"Bearer {tokens.issue(None)}"}
    _, made = undisturbed.ask(
        "POST", "/api/v1/tenants", headers=platform, body={"name": "A", "subdomain": "a"}
    )
    return {"Authorization": f"Bearer {tokens.issue(made['id'])}"}


@contextmanager
def stopped(cluster: Cluster, mode: str) -> Iterator[None]:
    """The cluster stopped, and started again."""
    cluster.stop(mode)
    try:
        yield
    finally:
        cluster.start()


def served_again(served: Served, method: str, path: str, **given: Any) -> tuple[Any, Any]:
    """The answer, asked for until it is one: each worker's pool looks for the server every two seconds."""
    deadline = time.monotonic() + 3
    while True:
        answer, body = served.ask(method, path, **given)
        if answer.status != 503 or time.monotonic() > deadline:
            return answer, body
        time.sleep(0.05)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_an_outage_is_told_at_once_and_soon_forgotten(
    undisturbed: Served, headers: dict[str, str], stoppable: Cluster, mode: str
) -> None:
    _, before = served_again(undisturbed, "GET", "/api/v1/rcas", headers=headers)
    with stopped(stoppable, mode):
        for method, body in (("GET", None), ("POST", NEW)) * 2:
            started = time.monotonic()
            answer, problem = undisturbed.ask(method, "/api/v1/rcas", headers=headers, body=body)
            assert time.monotonic() - started < 5
            assert (answer.status, problem["code"]) == (503, "database_unavailable")
            assert answer.getheader("Content-Type") == "application/problem+json"
            assert int(answer.getheader("Retry-After", "")) > 0
    answer, after = served_again(undisturbed, "GET", "/api/v1/rcas", headers=headers)
    assert (answer.status, after) == (200, before)


def test_during_an_outage_it_lives_and_is_not_ready(
    undisturbed: Served, headers: dict[str, str], stoppable: Cluster
) -> None:
    with stopped(stoppable, "fast"):
        found = {path: undisturbed.ask("GET", f"/health{path}")[0].status for path in ("", "/live", "/ready")}
    assert found == {"": 503, "/live": 200, "/ready": 503}
    assert served_again(undisturbed, "GET", "/health/ready")[0].status == 200


def test_a_write_cut_off_by_an_outage_left_nothing(
    undisturbed: Served, headers: dict[str, str], stoppable: Cluster
) -> None:
    settings = make_settings(stoppable)
    for _ in range(20):  # both workers
        served_again(undisturbed, "GET", "/api/v1/rcas", headers=headers)
    with held_up(settings), writing(undisturbed, headers) as answer:
        wait_until_held_up(settings)
        with stopped(stoppable, "immediate"):
            refused, problem = answer.result(5)
    assert (refused.status, problem["code"]) == (503, "outcome_unknown")
    assert refused.getheader("Retry-After") is None
    with closing(as_owner(settings)) as conn:
        assert one(conn, "SELECT count(*) FROM rcas") == 0
    assert served_again(undisturbed, "POST", "/api/v1/rcas", headers=headers, body=NEW)[0].status == 201
