"""The pool as Peewee sees it: check-out, check-in, and what may go wrong in between."""

import math
import os
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from typing import Any

import peewee
from playhouse.pool import PooledDatabase
from playhouse.postgres_ext import PooledPostgresqlExtDatabase

from app.errors import AppError
from app.pool.connection import Connection, Holder
from app.pool.keeper import Keeper
from app.pool.limits import MAX_LIFETIME, MAX_WAITING, STATEMENT_TIMEOUT, Limits
from app.pool.opener import Opener, close_quietly
from app.pool.origin import note
from app.pool.stock import Stock
from app.pool.waiting import Attempt, Thread, Waiter

# TCP's own way to notice that the other machine is gone while nothing is being sent
# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-KEEPALIVES
_KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}

_LONGEST = 3600.0

_pools: weakref.WeakSet["Pool"] = weakref.WeakSet()
# connections of the process this one was forked from: closing them here would end them there
_of_the_parent: list[Stock] = []


class Pool(PooledPostgresqlExtDatabase):
    """A `PooledPostgresqlExtDatabase` that keeps its promises when the database does not.

    `timeout` seconds are all a caller waits: for a free connection, for a new one, for both.
    `min_connections` are kept open; more than that are closed `idle_timeout` seconds after
    their last use, and every one `stale_timeout` seconds after it was made.
    """

    clock = staticmethod(time.monotonic)

    def __init__(
        self,
        database: str | None,
        max_connections: int = 10,
        stale_timeout: float = MAX_LIFETIME,
        timeout: float = 2.0,
        **options: Any,
    ) -> None:
        self._smallest, self._idle_timeout = 2, 30.0
        # each is called with `stats()` once a second, by the keeper
        self.watchers: list[Callable[[dict[str, int]], None]] = []
        self._statement_timeout, self._max_waiting = STATEMENT_TIMEOUT, MAX_WAITING
        super().__init__(database, max_connections, stale_timeout, timeout, **options)
        # Peewee holds its lock while it connects; the stock has one that is never held so long
        self._lock = nullcontext()
        _pools.add(self)

    def init(
        self,
        database: str | None,
        *,
        min_connections: int | None = None,
        idle_timeout: float | None = None,
        statement_timeout: float | None = None,
        max_waiting: int | None = None,
        **options: Any,
    ) -> None:
        """Take the settings, drop what was open under others; nothing is connected yet."""
        super().init(database, **(_KEEPALIVE | options))
        self._smallest = self._smallest if min_connections is None else min_connections
        self._idle_timeout = idle_timeout or self._idle_timeout
        self._statement_timeout = statement_timeout or self._statement_timeout
        self._max_waiting = self._max_waiting if max_waiting is None else max_waiting
        # only a net under the pool's own deadline, for threads nobody waits for any more
        self.connect_params["connect_timeout"] = math.ceil(min(self._wait_timeout, _LONGEST)) + 1
        self.connect_params["connection_factory"] = self._make_connection
        self._renew()

    # --- check-out and check-in ------------------------------------------------------------------

    def connect(self, reuse_if_open: bool = False) -> bool:
        """Check a connection out for this thread.

        Raises PoolTimeoutError when all stayed busy, PoolFullError when too many wait already,
        PoolClosedError after `shutdown()`, and DatabaseUnavailableError or one of its
        kind when the server cannot be reached.
        """
        # past PooledDatabase.connect, which polls: here the waiting is done by `_connect`
        return bool(super(PooledDatabase, self).connect(reuse_if_open))

    def start(self) -> None:
        """Begin to fill the pool; needless to call, for the first check-out does."""
        if self._stock.start_once():
            self._keeper.start()
            self._opener.grow()

    def _connect(self) -> Connection:
        stock, now = self._stock, self.clock()
        deadline = now + self._wait_timeout
        if not stock.started:
            self.start()
        holder = self._holder()
        taken = stock.take(holder, now)
        while True:
            handed_over = isinstance(taken, Waiter)
            conn = self._wait(stock, taken, deadline) if isinstance(taken, Waiter) else taken
            if (handed_over and conn.was_just_heard(self.clock())) or not conn.is_dead():
                conn.origin = note()
                return conn
            close_quietly(stock.bury(conn))
            taken = stock.take(holder, self.clock(), again=True)

    def _wait(self, stock: Stock, waiter: Waiter, deadline: float) -> Connection:
        self._opener.grow()
        try:
            waiter.wait(deadline - self.clock())
        except BaseException:
            # an interrupt while asleep: what was handed over meanwhile must not be lost
            with suppress(AppError):
                close_quietly(stock.give_back(stock.settle(waiter)))
            raise
        return stock.settle(waiter)

    def _close(self, conn: Connection, close_conn: bool = False) -> None:
        conn.doomed |= close_conn
        gone = conn.give_back(conn)
        if gone:
            close_quietly(gone)
            self._opener.grow()

    def _holder(self) -> Thread:
        """The calling thread, as an object that ends when the thread does."""
        try:
            holder: Holder = self._state.holder
        except AttributeError:
            holder = self._state.holder = Holder()
        return holder.ref

    @contextmanager
    def hurried(self, seconds: float) -> Iterator[None]:
        """Run a block whose statements are cut after so many seconds each: for probes of the server."""
        conn: Connection = self.connection()
        before, conn.patience = conn.patience, seconds
        try:
            yield
        finally:
            conn.patience = before

    # --- transactions ----------------------------------------------------------------------------

    def rollback(self) -> None:
        """Roll back. On a dead connection that is done already, and its first error the one to see."""
        with _unless_broken(self):
            super().rollback()

    def savepoint(self) -> "Savepoint":
        """A savepoint whose rollback hides no error either."""
        return Savepoint(self)

    def is_broken(self) -> bool:
        """Whether this thread's connection died under it."""
        conn = self._state.conn
        return conn is not None and bool(conn.closed)

    # --- all connections -------------------------------------------------------------------------

    def stats(self) -> dict[str, int]:
        """The pool's state and sums since it was opened, under psycopg_pool's names."""
        return self._stock.stats()

    def shutdown(self) -> None:
        """Close the pool: who waits is told, resting connections close now, lent ones as they return.

        Later calls raise PoolClosedError, until `init()` opens it again.
        """
        self.close()
        close_quietly(self._stock.close())

    def close_all(self) -> None:
        """Close as `shutdown()` does; the next check-out begins with an empty pool."""
        self.close()
        self._renew()

    def close_idle(self) -> None:
        """Close the connections that rest; the pool fills itself again."""
        with self._stock.lock:
            resting, self._stock.idle = self._stock.idle, []
        close_quietly(resting)

    def close_stale(self, age: float = 600) -> int:
        """Take connections away from those who hold them for more than `age` seconds; how many."""
        latest = self.clock() - age
        found = self._stock.take_out(lambda conn: conn.taken_at < latest)
        for conn in found:
            conn.cut()
        return len(found)

    def manual_close(self) -> bool | None:
        """Close this thread's connection for good, instead of giving it back."""
        if self.is_closed():
            return False
        self._state.conn.doomed = True
        self.close()
        return None

    def dispose(self) -> None:
        """Forget every connection without closing it: they are another process's."""
        _of_the_parent.append(self._stock)
        self._renew()
        self._state.reset()

    def _renew(self) -> None:
        before = getattr(self, "_stock", None)
        if before is not None and before not in _of_the_parent:
            close_quietly(before.close())
        limits = Limits(
            smallest=min(self._smallest, self._max_connections),
            largest=self._max_connections,
            wait=self._wait_timeout,
            idle=self._idle_timeout,
            lifetime=self._stale_timeout or math.inf,
            statement=self._statement_timeout,
            waiting=self._max_waiting,
        )
        self._stock = Stock(limits, self.clock)
        secret = str(self.connect_params.get("password") or "")
        self._opener = Opener(self._stock, partial(self._dial, self._stock), secret)
        self._keeper = Keeper(self._stock, self._opener, self.watchers)

    # --- connecting, in a thread of the opener's -------------------------------------------------

    def _dial(self, stock: Stock, attempt: Attempt) -> Connection:
        """Connect and greet, by Peewee's own way, which ends in `_make_connection`."""
        self._state.dialling = (stock, attempt)
        conn: Connection = super(PooledDatabase, self)._connect()
        return conn

    def _make_connection(self, dsn: str) -> Connection:
        stock, attempt = self._state.dialling
        conn = Connection(dsn, clock=self.clock, patience=stock.limits.patience)
        conn.give_back = stock.give_back
        attempt.connection = conn
        return conn


class Savepoint(peewee._savepoint):
    """A savepoint that leaves a dead connection alone, so that its first error is the one to see."""

    def rollback(self, begin: bool = True) -> None:
        """Roll back to the savepoint; on a dead connection there is nothing to keep."""
        with _unless_broken(self.db):
            super().rollback(begin)


@contextmanager
def _unless_broken(pool: Pool) -> Iterator[None]:
    """Run a rollback; that its connection is or was dead is no error of its own."""
    try:
        yield
    except (peewee.OperationalError, peewee.InterfaceError):
        if not pool.is_broken():
            raise


def _after_fork() -> None:
    for pool in _pools:
        pool.dispose()


os.register_at_fork(after_in_child=_after_fork)
