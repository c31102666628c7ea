"""A server that may be frozen, killed and stopped, pools on it, and a witness beside them."""

import inspect
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from typing import Any

import psycopg2
import pytest

from app.pool import SESSION, Connection, ConnectionPool, ConnectionUnavailable, TooManyRequests
from dev.cluster import Cluster, throwaway
from tests.faults.proxy import Proxy, proxied

# seconds on top of a promise: a machine three times slower must pass
SLACK = 2.0

Make = Callable[..., ConnectionPool]
_OPTIONS = inspect.signature(ConnectionPool).parameters.keys()
_numbers = count(1)


@pytest.fixture(scope="session")
def shaky() -> Iterator[Cluster]:
    """A server of its own: the others' must not suffer with it."""
    with throwaway() as cluster:
        witness = Witness(cluster)
        # the ledger holds the server to what it acknowledged
        witness.sql("ALTER SYSTEM SET synchronous_commit = on")
        witness.sql("SELECT pg_reload_conf()")
        witness.close()
        yield cluster


@pytest.fixture
def running(shaky: Cluster) -> Cluster:
    """The server, started again if the test before stopped it."""
    if shaky.pid() is None:
        shaky.start()
    return shaky


@pytest.fixture
def make_pool(running: Cluster) -> Iterator[Make]:
    """Makes pools of superusers, named so that the witness can tell them apart.

    Options that are not the pool's are libpq's.
    """
    pools: list[ConnectionPool] = []

    def make(**options: Any) -> ConnectionPool:
        own = {"configure": greet} | {name: value for name, value in options.items() if name in _OPTIONS}
        libpq = {name: value for name, value in options.items() if name not in _OPTIONS}
        parameters = login(running) | {"application_name": f"pool {next(_numbers)}"} | libpq
        pools.append(ConnectionPool(lambda: parameters, **own))
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


def greet(conn: Connection) -> None:
    """Give a new session what the reset gives it later."""
    conn.cursor().execute(SESSION)


@pytest.fixture
def pool(make_pool: Make) -> ConnectionPool:
    """A pool of 2 to 10 connections, filled."""
    return filled(make_pool())


@pytest.fixture
def witness(running: Cluster) -> Iterator["Witness"]:
    """Somebody who looks at the server past every pool."""
    witness = Witness(running)
    yield witness
    witness.close()


@pytest.fixture
def network(running: Cluster) -> Iterator[Proxy]:
    """A network of our own in front of the server."""
    with proxied(running.host, running.port) as proxy:
        yield proxy


class Witness:
    """A superuser's connection that reads pg_stat_activity."""

    def __init__(self, server: Cluster) -> None:
        self._conn = psycopg2.connect(**login(server) | {"application_name": "witness"})
        self._conn.autocommit = True

    def sql(self, text: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a statement; its rows, if any."""
        with self._conn.cursor() as cursor:
            cursor.execute(text, values)
            return cursor.fetchall() if cursor.description else []

    def backends(self, pool: ConnectionPool) -> list[int]:
        """The process ids of a pool's backends."""
        name = pool.parameters()["application_name"]
        rows = self.sql("SELECT pid FROM pg_stat_activity WHERE application_name = %s ORDER BY pid", name)
        return [pid for (pid,) in rows]

    def kill(self, *pids: int) -> None:
        """Terminate backends, and wait until they are gone."""
        self.sql("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", list(pids))
        eventually(
            lambda: not self.sql("SELECT 1 FROM pg_stat_activity WHERE pid = ANY(%s::int[])", list(pids))
        )

    def close(self) -> None:
        """Hang up."""
        self._conn.close()


class NoThreads(threading.Thread):
    """A thread that does not start, as where the process may have no more."""

    def start(self) -> None:
        """Fail."""
        raise RuntimeError("can't start new thread")


def login(server: Cluster) -> dict[str, Any]:
    """Where the server is and how its superuser logs in."""
    where = {"host": server.host, "port": server.port, "dbname": "postgres"}
    return where | {"user": server.user, "password": server.password}


def filled(pool: ConnectionPool) -> ConnectionPool:
    """The pool, once it has its least number of connections at rest."""
    pool.open()
    eventually(lambda: pool.get_stats()["pool_available"] >= pool.get_stats()["pool_min"])
    return pool


def eventually(condition: Callable[[], bool], within: float = 3.0) -> float:
    """Wait until something is so; the seconds it took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < within, f"not so within {within:g} s"
        time.sleep(0.005)
    return time.monotonic() - started


def together(number: int, act: Callable[[], Any]) -> list[tuple[float, Any]]:
    """Let threads act at the same moment; for each, the seconds it took and its result or error."""
    gate = threading.Barrier(number)

    def timed() -> tuple[float, Any]:
        gate.wait()
        started = time.monotonic()
        try:
            result = act()
        except Exception as error:  # noqa: BLE001 - the error is the result
            result = error
        return time.monotonic() - started, result

    with ThreadPoolExecutor(number) as threads:
        futures: list[Future[tuple[float, Any]]] = [threads.submit(timed) for _ in range(number)]
        return [future.result() for future in futures]


def timed(act: Callable[[], Any]) -> tuple[float, Any]:
    """The seconds an act takes, and its result or error."""
    return together(1, act)[0]


def borrow(pool: ConnectionPool, *statements: str) -> Any:
    """Take a connection, run statements, give it back; the last one's first value."""
    with pool.connection() as conn:
        return run(conn, *statements)


def run(conn: Connection, *statements: str) -> Any:
    """Run statements; the last one's first value."""
    with conn.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchone()[0] if statements and cursor.description else None


def all_failed_within(seconds: float, waits: list[tuple[float, Any]]) -> None:
    """Every caller had an error that says what is wrong, in time."""
    errors = (ConnectionUnavailable, TooManyRequests, psycopg2.OperationalError)
    assert [result for _, result in waits if not isinstance(result, errors)] == []
    assert max(waited for waited, _ in waits) < seconds
