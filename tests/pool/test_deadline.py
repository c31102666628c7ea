"""Promises 1, 2 and 6: whoever waits, for whatever, waits no longer than was promised."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from typing import Any

import peewee
import psycopg2
import pytest

from app.errors import DatabaseUnavailableError, PoolTimeoutError
from app.pool import STATEMENT_TIMEOUT, Pool
from app.pool.keeper import TICK
from dev.cluster import Cluster
from tests.faults.freeze import frozen, frozen_backend, frozen_postmaster
from tests.faults.proxy import Proxy
from tests.pool.conftest import Make, borrow, eventually, filled, timed, together


def test_callers_of_a_frozen_server_fail_in_parallel(make_pool: Make, running: Cluster) -> None:
    pool = make_pool()
    with frozen(running):
        waits = together(8, pool.connect)
    assert all(isinstance(error, DatabaseUnavailableError) for _, error in waits)
    assert all(1.9 <= seconds <= 2.25 for seconds, _ in waits)


def test_while_it_is_known_to_be_down_callers_fail_at_once(make_pool: Make, running: Cluster) -> None:
    pool = make_pool()
    with frozen(running):
        timed(pool.connect)
        waits = together(50, pool.connect)
    assert all(isinstance(error, DatabaseUnavailableError) for _, error in waits)
    assert max(seconds for seconds, _ in waits) < 0.05


def test_a_frozen_server_keeps_nobody_of_200_waiting(pool: Pool, running: Cluster) -> None:
    with frozen(running):
        waits = together(200, lambda: borrow(pool, "SELECT 1"))
    assert all(isinstance(error, DatabaseUnavailableError | peewee.PeeweeException) for _, error in waits)
    assert max(seconds for seconds, _ in waits) < 2.5


def test_queue_and_connect_share_one_deadline(make_pool: Make, network: Proxy) -> None:
    pool = filled(make_pool(port=network.local_port, min_connections=1, max_connections=2))
    network.mute = True
    pool.connect()
    seconds, error = timed(pool.connect)
    assert isinstance(error, DatabaseUnavailableError)
    assert 1.9 <= seconds <= 2.25


def test_a_server_with_two_dead_addresses_has_one_deadline(make_pool: Make, network: Proxy) -> None:
    network.mute = True
    pool = make_pool(host="127.0.0.1,127.0.0.1", port=f"{network.local_port},{network.local_port}")
    seconds, error = timed(pool.connect)
    assert isinstance(error, DatabaseUnavailableError)
    assert seconds <= 2.25


def test_a_busy_pool_says_so_in_time(make_pool: Make) -> None:
    pool = filled(make_pool(min_connections=1, max_connections=1, timeout=0.5))
    pool.connect()
    seconds, error = timed(pool.connect)
    assert type(error) is PoolTimeoutError
    assert error.code == "pool_timeout"
    assert 0.5 <= seconds < 0.6


def test_a_slow_connect_delays_nobody_else(make_pool: Make, network: Proxy) -> None:
    pool = filled(make_pool(port=network.local_port, min_connections=1))
    network.delay = 1.5
    with ThreadPoolExecutor() as threads:
        pool.connect()
        threads.submit(borrow, pool, "SELECT 1")
        eventually(lambda: pool.stats()["requests_waiting"] == 1)
        started = time.monotonic()
        pool.close()
        assert time.monotonic() - started < 0.01
        assert max(timed(lambda: borrow(pool))[0] for _ in range(20)) < 0.1


def test_a_connection_is_returned_at_once_to_a_frozen_server(pool: Pool, running: Cluster) -> None:
    borrow(pool, "SELECT 1")
    pool.connect()
    pool.execute_sql("BEGIN")
    with frozen(running):
        started = time.monotonic()
        pool.close()
        assert time.monotonic() - started < 0.01


def test_who_is_in_is_served_while_nobody_else_gets_in(pool: Pool, running: Cluster) -> None:
    with frozen_postmaster(running):
        ends = time.monotonic() + 3
        while time.monotonic() < ends:
            waits = together(6, lambda: borrow(pool, "SELECT pg_sleep(0.01)"))
            assert not [error for _, error in waits if isinstance(error, Exception)]


def test_a_statement_on_a_frozen_backend_ends(make_pool: Make) -> None:
    pool = filled(make_pool(statement_timeout=1.0))
    pool.connect()
    pid = pool.execute_sql("SELECT pg_backend_pid()").fetchone()[0]
    started = time.monotonic()
    with frozen_backend(pid), pytest.raises(peewee.OperationalError):
        pool.execute_sql("SELECT 1")
    assert 1.8 <= time.monotonic() - started <= 2.0
    pool.close()
    assert pool.stats()["returns_bad"] == 1


SENDS: dict[str, Callable[[Any], Any]] = {
    "fetch one": lambda cursor: cursor.fetchone(),
    "fetch many": lambda cursor: cursor.fetchmany(2),
    "fetch all": lambda cursor: cursor.fetchall(),
    "iterate": next,
    "scroll": lambda cursor: cursor.scroll(1),
    "close": lambda cursor: cursor.close(),
}


@pytest.mark.parametrize("send", SENDS.values(), ids=SENDS)
def test_a_server_side_cursor_ends_too(make_pool: Make, network: Proxy, send: Callable[[Any], Any]) -> None:
    pool = filled(make_pool(port=network.local_port, statement_timeout=0.5))
    pool.connect()
    cursor = pool.connection().cursor(name="named", withhold=True)
    cursor.execute("SELECT generate_series(1, 9)")
    network.hold()
    started = time.monotonic()
    with pytest.raises(psycopg2.OperationalError):
        send(cursor)
    assert 1.3 <= time.monotonic() - started <= 1.5


def test_copy_ends_too(make_pool: Make, network: Proxy) -> None:
    pool = filled(make_pool(port=network.local_port, statement_timeout=0.5))
    pool.connect()
    network.hold()
    started = time.monotonic()
    with pytest.raises(psycopg2.OperationalError):
        pool.cursor().copy_expert("COPY (SELECT 1) TO STDOUT", StringIO())
    assert 1.3 <= time.monotonic() - started <= 1.5


def test_a_slow_statement_of_a_server_alive_is_left_alone(make_pool: Make) -> None:
    pool = filled(make_pool(statement_timeout=1.0))
    assert borrow(pool, "SELECT 1 FROM pg_sleep(1.5)") == 1


def test_a_statement_in_a_loop_of_many_has_its_own_time(make_pool: Make) -> None:
    pool = filled(make_pool(statement_timeout=0.2))
    pool.connect()
    with pool.cursor() as cursor:
        cursor.executemany("SELECT pg_sleep(%s)", [(0.5,)] * 4)
    pool.close()


def test_the_statements_deadline_is_the_servers_and_less_than_a_second(pool: Pool) -> None:
    assert STATEMENT_TIMEOUT + TICK < pool._stock.limits.patience <= STATEMENT_TIMEOUT + 1 - TICK
