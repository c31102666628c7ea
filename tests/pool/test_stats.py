"""What the pool says of itself, under psycopg_pool's names and by its meaning of them."""

import pytest

from app.pool import Pool
from tests.pool.conftest import Make, borrow, filled, together

NAMES = [
    *("pool_min", "pool_max", "pool_size", "pool_available"),
    *("requests_waiting", "requests_num", "requests_queued", "requests_wait_ms", "requests_errors"),
    *("usage_ms", "returns_bad"),
    *("connections_num", "connections_ms", "connections_errors", "connections_lost"),
    *("idle_closed", "lifetime_closed", "leaks"),
]


def test_names_are_psycopg_pools_and_three_of_ours(pool: Pool) -> None:
    assert list(pool.stats()) == NAMES
    assert all(type(value) is int for value in pool.stats().values())


def test_use_and_waits_add_up(make_pool: Make) -> None:
    pool = filled(make_pool(min_connections=3, max_connections=3, timeout=1.2))
    together(7, lambda: borrow(pool, "SELECT pg_sleep(0.5)"))
    stats = pool.stats()
    assert stats["requests_num"] == 7
    assert stats["requests_queued"] == 4
    assert stats["requests_errors"] == 0
    assert 2400 <= stats["requests_wait_ms"] <= 2900
    assert 3450 <= stats["usage_ms"] <= 3900


def test_who_waits_in_vain_is_counted(make_pool: Make) -> None:
    pool = filled(make_pool(min_connections=1, max_connections=1, timeout=0.2))
    pool.connect()
    together(3, pool.connect)
    assert pool.stats()["requests_errors"] == 3


def test_failed_attempts_are_counted(make_pool: Make) -> None:
    pool = make_pool(port=1)
    together(1, pool.connect)
    assert pool.stats()["connections_errors"] >= 1
    assert pool.stats()["pool_size"] == 0


@pytest.mark.parametrize("name", ["pool_size", "pool_available"])
def test_at_rest_all_are_available(pool: Pool, name: str) -> None:
    assert pool.stats()[name] == 2
