"""The pool as its users see it: getconn and putconn, and what may go wrong in between."""

import os
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

import psycopg2

from app.pool.connection import RESET, Connection
from app.pool.connector import Connector, close_quietly
from app.pool.errors import PoolClosed, PoolError
from app.pool.leaks import ThreadOwners, note_caller
from app.pool.maintenance import Maintenance, Report
from app.pool.state import Owner, PoolState, WaitingClient
from app.pool.stats import Limits

_pools: weakref.WeakSet["ConnectionPool"] = weakref.WeakSet()
# connections of the process this one was forked from: closing them here would end them there
_of_the_parent: list[PoolState] = []


class ConnectionPool:
    """Lends psycopg2 connections in autocommit, and keeps its promises when the server does not.

    `parameters` gives libpq's keywords at each new connection. `min_size` connections are kept open; more
    than that, up to `max_size`, are closed `max_idle` seconds after their last use, and every one
    `max_lifetime` seconds after it was made. `timeout` seconds are all a caller waits: for a free connection,
    for a new one, for both. Beyond `max_waiting` callers are refused at once when nothing moves.
    `statement_timeout` is what the server allows a statement, unless `configure` or a borrower sets the
    connection's own.

    `configure` is called with each new connection, in the connector's thread; what it raises closes the
    connection and fails the attempt. `check` says whether a connection is alive before it is lent; by
    default a look at its socket. `reset` is SQL that travels in front of the next borrower's first message;
    "" for none. `report` is called with `get_stats()` once a second, by the maintenance worker.
    `passed_through` are paths of files and folders that are not named as the place where a leaked
    connection was taken.

    The names are psycopg_pool's: https://www.psycopg.org/psycopg3/docs/api/pool.html
    """

    def __init__(
        self,
        parameters: Callable[[], Mapping[str, Any]],
        *,
        min_size: int = 2,
        max_size: int = 10,
        timeout: float = 2.0,
        max_waiting: int = 100,
        max_idle: float = 30.0,
        max_lifetime: float = 1800.0,
        statement_timeout: float = 5.0,
        configure: Callable[[Connection], None] | None = None,
        check: Callable[[Connection], bool] | None = None,
        reset: str = RESET,
        report: Report | None = None,
        passed_through: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = Limits(
            min_size, max_size, timeout, max_waiting, max_idle, max_lifetime, statement_timeout
        )
        self._clock = clock
        self._check = check
        self.parameters = parameters
        self._connecting = (parameters, configure, reset)
        self._maintaining = (report, tuple(passed_through))
        self._begin()
        _pools.add(self)

    def open(self) -> None:
        """Begin to fill; needless to call, for the first getconn does. Raises PoolClosed."""
        if self._state.closed:
            raise PoolClosed(max_size=self.limits.max_size)
        if self._state.start_once():
            self._maintenance.start()
            self._connector.grow()

    def getconn(self, timeout: float | None = None, *, owner: object | None = None) -> Connection:
        """Lend a connection, alive and clean, within `timeout` seconds (the pool's own by default).

        When `owner` ends, or by default the calling thread, the connection is taken back as leaked.

        Raises PoolTimeout when all stayed busy, TooManyRequests when too many wait while nothing moves,
        PoolClosed after `close()`, and ConnectionUnavailable or one of its kind when the server cannot be
        reached.
        """
        state, now = self._state, self._clock()
        if not state.started:
            self.open()
        reference = self._threads.current if owner is None else weakref.ref(owner)
        taken = state.take(reference, now)
        if type(taken) is Connection and self._is_alive(taken):
            taken.taken_from = note_caller()
            return taken
        deadline = now + (self.limits.timeout if timeout is None else timeout)
        conn = self._getconn_slowly(state, taken, reference, deadline)
        conn.taken_from = note_caller()
        return conn

    def putconn(self, conn: Connection) -> None:
        """Take a connection back, in whatever state: one that is not idle and in autocommit is closed."""
        gone = self._state.give_back(conn)
        if gone:
            close_quietly(gone)
            self._connector.grow()

    def connection(self, timeout: float | None = None) -> "Loan":
        """Lend a connection for the length of a `with` block. Raises what `getconn` does."""
        return Loan(self, timeout)

    def get_stats(self) -> dict[str, int]:
        """The pool's state, and its sums since it was made, under psycopg_pool's names.

        https://www.psycopg.org/psycopg3/docs/advanced/pool.html#pool-stats
        """
        return self._state.stats()

    def close(self) -> None:
        """Close: who waits is told, resting connections close now, lent ones as they return."""
        close_quietly(self._state.close())

    # --- inside ----------------------------------------------------------------------------------

    def _getconn_slowly(
        self, state: PoolState, taken: Connection | WaitingClient, owner: Owner, deadline: float
    ) -> Connection:
        """Wait as long as it takes, and leave out the dead."""
        while True:
            if isinstance(taken, WaitingClient):
                conn = self._wait(state, taken, deadline)
                if self._is_alive(conn, handed_over=True):
                    return conn
            else:
                conn = taken
            close_quietly(state.discard(conn))
            taken = state.take(owner, self._clock(), again=True)
            if isinstance(taken, Connection) and self._is_alive(taken):
                return taken

    def _is_alive(self, conn: Connection, *, handed_over: bool = False) -> bool:
        if self._check is None:
            return (handed_over and conn.was_just_heard(self._clock())) or not conn.is_dead()
        try:
            return self._check(conn)
        except psycopg2.Error:
            return False
        except BaseException:
            close_quietly(self._state.discard(conn))
            raise

    def _wait(self, state: PoolState, client: WaitingClient, deadline: float) -> Connection:
        # the maintenance worker asks again, so that a glance is enough for those in a hurry
        if len(state.lent) < self.limits.max_size:
            self._connector.grow()
        try:
            client.wait(deadline - self._clock())
        except BaseException:
            # an interrupt while asleep: what was handed over meanwhile must not be lost
            with suppress(PoolError):
                close_quietly(state.give_back(state.settle(client)))
            raise
        return state.settle(client)

    def _begin(self) -> None:
        """Begin with an empty pool; no thread and no connection before the first use."""
        self._state = PoolState(self.limits, self._clock)
        self._threads = ThreadOwners()
        self._connector = Connector(self._state, *self._connecting)
        self._maintenance = Maintenance(self._state, self._connector, *self._maintaining)

    def _forget(self) -> None:
        """Start over in a forked child, without closing what is the parent's."""
        _of_the_parent.append(self._state)
        self._begin()


class Loan:
    """A connection for the length of a `with` block."""

    __slots__ = ("_conn", "_pool", "_timeout")

    def __init__(self, pool: ConnectionPool, timeout: float | None) -> None:
        self._pool = pool
        self._timeout = timeout

    def __enter__(self) -> Connection:
        self._conn = self._pool.getconn(self._timeout)
        return self._conn

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.putconn(self._conn)


def _after_fork() -> None:
    for pool in _pools:
        pool._forget()


os.register_at_fork(after_in_child=_after_fork)
