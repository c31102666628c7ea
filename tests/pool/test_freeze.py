"""Promise 2: a freeze is noticed under full load, and slow statements are not taken for one."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg2
import pytest

from app.pool import ConnectionPool, ConnectionUnavailable
from dev.cluster import Cluster
from tests.faults.freeze import frozen
from tests.pool.conftest import SLACK, Make, Witness, all_failed_within, borrow, eventually, filled, together


def test_a_freeze_under_full_load_is_noticed_as_soon(make_pool: Make, running: Cluster) -> None:
    pool = filled(make_pool(min_size=10))
    thawed = threading.Event()
    with ThreadPoolExecutor(30) as threads:
        busy = [threads.submit(_work_until, pool, thawed) for _ in range(30)]
        eventually(lambda: pool.get_stats()["pool_available"] == 0)
        time.sleep(0.3)
        with frozen(running):
            waits = [work.result() for work in busy]
            thawed.set()
    all_failed_within(2 + SLACK, waits)


def test_without_a_probe_it_is_noticed_late(
    make_pool: Make, running: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.pool.connector.Connector._probe_deadline", lambda *_: None)
    pool = filled(make_pool())
    with frozen(running):
        waits = together(2, lambda: borrow(pool, "SELECT 1"))
    assert min(seconds for seconds, _ in waits) > 2 + SLACK


def _work_until(pool: ConnectionPool, thawed: threading.Event) -> tuple[float, Any]:
    """Borrow again and again until it fails; how long the one that failed took, and how."""
    while not thawed.is_set():
        seconds, result = _timed_here(lambda: borrow(pool, "SELECT 1 FROM pg_sleep(0.05)"))
        if isinstance(result, Exception):
            return seconds, result
    return 0.0, None


def _timed_here(act: Callable[[], Any]) -> tuple[float, Any]:
    started = time.monotonic()
    try:
        result = act()
    except psycopg2.Error as error:
        result = error
    except ConnectionUnavailable as error:
        result = error
    return time.monotonic() - started, result


def test_a_full_pool_of_two_whose_server_freezes_tells_both(pool: ConnectionPool, running: Cluster) -> None:
    with frozen(running):
        waits = together(2, lambda: borrow(pool, "SELECT 1"))
    all_failed_within(2 + SLACK, waits)


def test_a_full_pool_of_slow_statements_is_not_a_frozen_one(make_pool: Make, witness: Witness) -> None:
    pool = filled(make_pool(min_size=4, max_size=4, timeout=2.0, statement_timeout=20.0))
    waits = together(4, lambda: borrow(pool, "SELECT 1 FROM pg_sleep(4)"))
    assert [result for _, result in waits] == [1] * 4
    assert pool.get_stats()["connections_errors"] == 0
    eventually(lambda: len(witness.backends(pool)) == 4)


def test_one_probe_at_a_time_goes_beyond_the_full_pool(make_pool: Make, witness: Witness) -> None:
    pool = filled(make_pool(min_size=2, max_size=2, timeout=2.0))
    seen: list[int] = []
    with ThreadPoolExecutor(2) as threads:
        busy = [threads.submit(borrow, pool, "SELECT 1 FROM pg_sleep(2.5)") for _ in range(2)]
        while not all(work.done() for work in busy):
            seen.append(len(witness.backends(pool)))
    assert max(seen) <= 3
    assert pool.get_stats()["connections_num"] > 2
    assert pool.get_stats()["pool_size"] == 2
