"""What the pool says of itself, under psycopg_pool's names and by its meaning of them."""

import threading
import time

import pytest

from app.pool import ConnectionPool
from tests.pool.conftest import Make, borrow, eventually, filled, together

NAMES = [
    *("pool_min", "pool_max", "pool_size", "pool_available"),
    *("requests_waiting", "requests_num", "requests_queued", "requests_wait_ms", "requests_errors"),
    *("usage_ms", "returns_bad"),
    *("connections_num", "connections_ms", "connections_errors", "connections_lost"),
    *("idle_closed", "lifetime_closed", "leaks"),
]
SUMS = [name for name in NAMES if not name.startswith("pool_") and name != "requests_waiting"]


def test_names_are_psycopg_pools_and_three_of_ours(pool: ConnectionPool) -> None:
    assert list(pool.get_stats()) == NAMES
    assert all(type(value) is int for value in pool.get_stats().values())


def test_use_and_waits_add_up(make_pool: Make) -> None:
    pool = filled(make_pool(min_size=3, max_size=3, timeout=10))
    together(7, lambda: borrow(pool, "SELECT pg_sleep(0.5)"))
    stats = pool.get_stats()
    assert stats["requests_num"] == 7
    assert stats["requests_queued"] == 4
    assert stats["requests_errors"] == 0
    assert 2400 <= stats["requests_wait_ms"] <= 2 * 2500
    assert 3450 <= stats["usage_ms"] <= 2 * 3500


def test_who_waits_in_vain_is_counted(make_pool: Make) -> None:
    pool = filled(make_pool(min_size=1, max_size=1, timeout=0.2))
    conn = pool.getconn()
    together(3, pool.getconn)
    pool.putconn(conn)
    assert pool.get_stats()["requests_errors"] == 3


def test_failed_attempts_are_counted(make_pool: Make) -> None:
    pool = make_pool(port=1)
    together(1, pool.getconn)
    assert pool.get_stats()["connections_errors"] >= 1
    eventually(lambda: pool.get_stats()["pool_size"] == 0)


@pytest.mark.parametrize("name", ["pool_size", "pool_available"])
def test_at_rest_all_are_available(pool: ConnectionPool, name: str) -> None:
    assert pool.get_stats()[name] == 2


def test_no_reader_ever_sees_a_sum_go_backwards(make_pool: Make) -> None:
    pool = filled(make_pool(max_size=3))
    done = threading.Event()
    load = threading.Thread(target=lambda: together(8, lambda: _use_until(pool, done)))
    load.start()
    ends = time.monotonic() + 2
    backwards = [found for _, found in together(3, lambda: _falls(pool, ends))]
    done.set()
    load.join()
    assert backwards == [[]] * 3


def test_one_that_does_is_found(make_pool: Make) -> None:
    pool = filled(make_pool())
    threading.Timer(0.2, lambda: setattr(pool._state.sums, "leaks", -1)).start()
    assert _falls(pool, time.monotonic() + 1) == ["leaks"]


def _use_until(pool: ConnectionPool, done: threading.Event) -> None:
    while not done.is_set():
        borrow(pool, "SELECT 1")


def _falls(pool: ConnectionPool, ends: float) -> list[str]:
    """The sums that were smaller than at an earlier look."""
    found, before = list[str](), pool.get_stats()
    while time.monotonic() < ends:
        now = pool.get_stats()
        found += [name for name in SUMS if now[name] < before[name]]
        before = now
    return found


def test_the_report_is_called_once_a_second(make_pool: Make) -> None:
    reports: list[dict[str, int]] = []
    filled(make_pool(report=reports.append))
    eventually(lambda: len(reports) == 2, within=10)
    assert list(reports[0]) == NAMES
