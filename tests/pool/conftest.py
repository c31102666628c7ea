"""A server that may be frozen, killed and stopped, pools on it, and a witness beside them."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from typing import Any

import psycopg2
import pytest

from app.pool import Pool
from dev.cluster import Cluster, throwaway
from tests.faults.proxy import Proxy, proxied

Make = Callable[..., Pool]
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
    """Makes pools of superusers, named so that the witness can tell them apart."""
    pools: list[Pool] = []

    def make(**options: Any) -> Pool:
        pool = Pool("postgres", **login(running) | {"application_name": f"pool {next(_numbers)}"} | options)
        pools.append(pool)
        return pool

    yield make
    for pool in pools:
        pool.close_all()


@pytest.fixture
def pool(make_pool: Make) -> Pool:
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
        self._conn = psycopg2.connect(dbname="postgres", application_name="witness", **login(server))
        self._conn.autocommit = True

    def sql(self, text: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a statement; its rows, if any."""
        with self._conn.cursor() as cursor:
            cursor.execute(text, values)
            return cursor.fetchall() if cursor.description else []

    def backends(self, pool: Pool) -> list[int]:
        """The process ids of a pool's backends."""
        name = pool.connect_params["application_name"]
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


def login(server: Cluster) -> dict[str, Any]:
    """Where the server is and how its superuser logs in."""
    return {"host": server.host, "port": server.port, "user": server.user, "password": server.password}


def filled(pool: Pool) -> Pool:
    """The pool, once it has its least number of connections at rest."""
    pool.start()
    eventually(lambda: pool.stats()["pool_available"] >= pool.stats()["pool_min"])
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


def borrow(pool: Pool, *statements: str) -> Any:
    """Check out, run statements, check in; the last one's first value."""
    pool.connect()
    try:
        for statement in statements:
            cursor = pool.execute_sql(statement)
        return cursor.fetchone()[0] if statements and cursor.description else None
    finally:
        pool.close()
