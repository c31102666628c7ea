"""Check-out and check-in on one server, side by side: this pool, Peewee's, SQLAlchemy's, psycopg_pool's."""

import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import psycopg_pool
import sqlalchemy
from playhouse.postgres_ext import PooledPostgresqlExtDatabase
from sqlalchemy.pool import QueuePool

from app.pool import Connection, ConnectionPool
from benchmarks.table import table
from dev.cluster import Cluster, throwaway

RESULTS = Path(__file__).parent / "results" / "pool.md"
HOW = """
A loan is a check-out and a check-in with nothing in between, by one thread; under contention
each loan runs SELECT 1. Rounds are interleaved, so that a busy machine is busy for all. Of one
thread's rounds the best counts, for whatever disturbs only adds; of the contended ones the middle.
"""
ROUNDS = 7
CONTENDED_ROUNDS = 7
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
        for _ in range(CONTENDED_ROUNDS):
            for contender in contenders:
                contender.loans.append(_contended(contender))
        text = _text(contenders)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(text)
    print(text)


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
    parameters = _login(server) | {"dbname": "postgres"}
    pool = ConnectionPool(lambda: parameters, min_size=CONNECTIONS, max_size=CONNECTIONS, timeout=30)

    def run(conn: Connection) -> Any:
        with conn.cursor() as cursor:
            cursor.execute("SELECT 1")
            return cursor.fetchone()

    return Contender("FixApp", "socket", pool.connection, run, pool.close)


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


def _text(contenders: list[Contender]) -> str:
    heads = ["", "finds the dead by", "us a loan", f"loans/s, {THREADS} threads on {CONNECTIONS}"]
    rows = [_row(contender) for contender in contenders]
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores shared with the database"
    return f"# Pools, side by side\n\n{machine}.\n{HOW}\n{table(heads, rows)}\n"


def _row(contender: Contender) -> list[str]:
    loan, loans = min(contender.microseconds), median(contender.loans)
    return [contender.name, contender.detects, f"{loan:.1f}", f"{loans:,.0f}"]


if __name__ == "__main__":
    main()
