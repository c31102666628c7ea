"""The pool's promises in figures: the longest anybody waited, on a server really frozen or stopped."""

import os
import platform
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psycopg2

from app.pool import ConnectionPool, PoolError
from benchmarks.table import table
from dev.cluster import Cluster, throwaway
from tests.faults.freeze import frozen, frozen_backend

RESULTS = Path(__file__).parent / "results" / "promises.md"
STATEMENT_TIMEOUT = 5.0
MIN_SIZE = 2


def main() -> None:
    """Print a table: each promise, its figure, and what was measured."""
    with throwaway() as server:
        rows = [[name, promise, f"{measure(server):.3f} s"] for name, promise, measure in PROMISES]
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores shared with the database"
    text = f"# The pool's promises\n\n{machine}.\n\n{table(['', 'promised', 'measured'], rows)}\n"
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(text)
    print(text)


def callers_of_a_frozen_server(server: Cluster) -> float:
    """Eight at once who need a new connection."""
    with closing(_pool(server)) as pool, frozen(server):
        return _longest(8, lambda: _borrow(pool))


def a_freeze_under_full_load(server: Cluster) -> float:
    """Thirty who borrow again and again when the server freezes."""
    with closing(_pool(server, min_size=10)) as pool, ThreadPoolExecutor(30) as threads:
        busy = [threads.submit(_borrow_until_it_fails, pool) for _ in range(30)]
        time.sleep(0.5)
        with frozen(server):
            return max(work.result() for work in busy)


def while_known_to_be_down(server: Cluster) -> float:
    """Fifty at once, after those who had connections have found out."""
    with closing(_pool(server)) as pool, frozen(server):
        _longest(MIN_SIZE, lambda: _borrow(pool))
        return _longest(50, lambda: _borrow(pool))


def a_statement_on_a_frozen_backend(server: Cluster) -> float:
    """One statement, while the rest of the server goes on."""
    with closing(_pool(server)) as pool, pool.connection() as conn:
        cursor = conn.cursor()
        cursor.execute("SELECT pg_backend_pid()")
        with frozen_backend(cursor.fetchone()[0]):
            return _seconds(lambda: cursor.execute("SELECT 1"))


def a_statement_that_takes_too_long(server: Cluster) -> float:
    """One statement that the server would let run."""
    with closing(_pool(server)) as pool:
        return _seconds(lambda: _borrow(pool, "SELECT pg_sleep(60)"))


def returned_to_a_frozen_server(server: Cluster) -> float:
    """A connection in the middle of a transaction."""
    with closing(_pool(server)) as pool:
        conn = pool.getconn()
        conn.cursor().execute("BEGIN")
        with frozen(server):
            return _seconds(lambda: pool.putconn(conn))


def refilled(server: Cluster) -> float:
    """Both connections at rest were killed."""
    with closing(_pool(server)) as pool:
        with pool.connection() as conn:
            conn.cursor().execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'promises' AND pid <> pg_backend_pid()"
            )
            conn.invalidated = True
        return _seconds(lambda: _until(lambda: _renewed(pool)))


def recovered(server: Cluster) -> float:
    """From the server's return, after five seconds without it, to the first answer."""
    with closing(_pool(server)) as pool:
        server.stop("immediate")
        time.sleep(5)
        server.start()
        return _seconds(lambda: _until(lambda: _borrow(pool) == 1))


PROMISES: list[tuple[str, str, Callable[[Cluster], float]]] = [
    ("callers of a frozen server", "2 s", callers_of_a_frozen_server),
    ("a freeze under full load", "2 s", a_freeze_under_full_load),
    ("while it is known to be down", "at once", while_known_to_be_down),
    ("a statement on a frozen backend", "6 s", a_statement_on_a_frozen_backend),
    ("a statement that takes too long", "6 s", a_statement_that_takes_too_long),
    ("a connection is returned", "10 ms", returned_to_a_frozen_server),
    ("the pool is refilled", "2 s", refilled),
    ("recovery", "3 s", recovered),
]


def _pool(server: Cluster, min_size: int = MIN_SIZE) -> ConnectionPool:
    login = {"host": server.host, "port": server.port, "user": server.user, "password": server.password}
    parameters = login | {"dbname": "postgres", "application_name": "promises"}
    pool = ConnectionPool(lambda: parameters, min_size=min_size, statement_timeout=STATEMENT_TIMEOUT)
    pool.open()
    _until(lambda: pool.get_stats()["pool_available"] == min_size)
    return pool


def _renewed(pool: ConnectionPool) -> bool:
    stats = pool.get_stats()
    return stats["connections_num"] >= 2 * MIN_SIZE and stats["pool_available"] == MIN_SIZE


def _borrow(pool: ConnectionPool, statement: str = "SELECT 1") -> Any:
    try:
        with pool.connection() as conn, conn.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchone()[0]
    except (PoolError, psycopg2.Error) as error:
        return error


def _borrow_until_it_fails(pool: ConnectionPool) -> float:
    while True:
        started = time.perf_counter()
        if isinstance(_borrow(pool, "SELECT 1 FROM pg_sleep(0.02)"), Exception):
            return time.perf_counter() - started


def _longest(number: int, act: Callable[[], Any]) -> float:
    with ThreadPoolExecutor(number) as threads:
        return max(work.result() for work in [threads.submit(_seconds, act) for _ in range(number)])


def _seconds(act: Callable[[], Any]) -> float:
    started = time.perf_counter()
    with suppress(psycopg2.Error):
        act()
    return time.perf_counter() - started


def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.001)


if __name__ == "__main__":
    main()
