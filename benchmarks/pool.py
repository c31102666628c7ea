"""Check-out and check-in side by side on one server: this pool, Peewee's, SQLAlchemy's, psycopg_pool's.

    python -m benchmarks.pool          needs SQLAlchemy, psycopg and psycopg_pool beside the product

The rounds of all pools are interleaved, so that a busy machine is busy for all of them;
the best round counts, for everything that disturbs only ever adds.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg_pool
import sqlalchemy
from playhouse.postgres_ext import PooledPostgresqlExtDatabase
from sqlalchemy.pool import QueuePool

from app.pool import Pool
from dev.cluster import Cluster, throwaway

ROUNDS = 7
CYCLES = 3000
THREADS = 32
CONNECTIONS = 10
SECONDS = 1.0


@dataclass
class Contender:
    """One pool: how to borrow from it, how to run a statement on what was borrowed, how to end it."""

    name: str
    detects: str
    borrow: Callable[[], Any]
    run: Callable[[Any], Any]
    close: Callable[[], None]
    microseconds: list[float] = field(default_factory=list)
    loans: list[float] = field(default_factory=list)


def main() -> None:
    """Print a table: microseconds for a loan that does nothing, loans in a second under contention."""
    with throwaway() as server, _contenders(server) as contenders:
        for _ in range(ROUNDS):
            for contender in contenders:
                contender.microseconds.append(_uncontended(contender))
        for _ in range(3):
            for contender in contenders:
                contender.loans.append(_contended(contender))
        _print(contenders)


@contextmanager
def _contenders(server: Cluster) -> Iterator[list[Contender]]:
    contenders = [
        _ours(server),
        _peewees(server),
        _sqlalchemys(server),
        _psycopgs(server, check=True),
        _psycopgs(server, check=False),
    ]
    try:
        yield contenders
    finally:
        for contender in contenders:
            contender.close()


def _ours(server: Cluster) -> Contender:
    pool = Pool("postgres", min_connections=CONNECTIONS, timeout=30, **_login(server))
    return Contender("FixApp", "socket", pool.connection_context, lambda _: _one(pool), pool.close_all)


def _peewees(server: Cluster) -> Contender:
    pool = PooledPostgresqlExtDatabase("postgres", max_connections=CONNECTIONS, timeout=30, **_login(server))
    return Contender("Peewee", "SELECT 1", pool.connection_context, lambda _: _one(pool), pool.close_all)


def _sqlalchemys(server: Cluster) -> Contender:
    where = sqlalchemy.URL.create(
        "postgresql+psycopg2", server.user, server.password, server.host, server.port, "postgres"
    )
    engine = sqlalchemy.create_engine(
        where, poolclass=QueuePool, pool_size=CONNECTIONS, max_overflow=0, pool_pre_ping=True, pool_timeout=30
    )

    def run(connection: Any) -> Any:
        return connection.exec_driver_sql("SELECT 1").fetchone()

    autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
    return Contender("SQLAlchemy", "SELECT 1", autocommit.connect, run, engine.dispose)


def _psycopgs(server: Cluster, *, check: bool) -> Contender:
    pool: Any = psycopg_pool.ConnectionPool(
        kwargs=_login(server) | {"dbname": "postgres", "autocommit": True},
        min_size=CONNECTIONS,
        max_size=CONNECTIONS,
        timeout=30,
        check=psycopg_pool.ConnectionPool.check_connection if check else None,
    )
    pool.wait()
    name, detects = ("psycopg_pool, check", "empty query") if check else ("psycopg_pool", "nothing")
    return Contender(
        name, detects, pool.connection, lambda conn: conn.execute("SELECT 1").fetchone(), pool.close
    )


def _one(pool: Any) -> Any:
    return pool.execute_sql("SELECT 1").fetchone()


def _login(server: Cluster) -> dict[str, Any]:
    return {"host": server.host, "port": server.port, "user": server.user, "password": server.password}


def _uncontended(contender: Contender) -> float:
    borrow = contender.borrow
    with borrow() as lent:
        contender.run(lent)
    started = time.perf_counter()
    for _ in range(CYCLES):
        with borrow():
            pass
    return (time.perf_counter() - started) / CYCLES * 1e6


def _contended(contender: Contender) -> float:
    """Loans of one statement each, by more threads than there are connections."""
    ends = time.perf_counter() + SECONDS
    counts = [0] * THREADS

    def work(number: int) -> None:
        while time.perf_counter() < ends:
            with contender.borrow() as lent:
                contender.run(lent)
            counts[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / SECONDS


def _print(contenders: list[Contender]) -> None:
    print(f"{'pool':<22}{'finds the dead by':<20}{'us a loan':>10}{'loans/s':>10}   {THREADS} threads")
    for contender in contenders:
        best, most = min(contender.microseconds), max(contender.loans)
        print(f"{contender.name:<22}{contender.detects:<20}{best:>10.1f}{most:>10.0f}")


if __name__ == "__main__":
    main()
