"""Who has which connection, and who waits for one.

Everything here happens under one lock and none of it is I/O, so nobody waits for
somebody else's connecting, checking or closing. What must be closed is handed to the
caller, who closes it outside.

Connections rest on a stack: the one used last is lent first, so that the others grow
old enough to be closed. Waiters are served in the order they came, each directly by
whoever gives a connection back.
"""

import random
import threading
from bisect import insort
from collections import deque
from collections.abc import Callable

from app.errors import AppError, DatabaseUnavailableError, PoolClosedError, PoolFullError, PoolTimeoutError
from app.pool.connection import Connection
from app.pool.limits import LIFETIME_JITTER, Limits
from app.pool.outage import Herald, Outage
from app.pool.stats import Counts
from app.pool.waiting import Attempt, Thread, Waiter


class Stock:
    """The connections of one pool in one process."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self.limits = limits
        self.clock = clock
        self.lock = threading.Lock()
        self.idle: list[Connection] = []
        self.in_use: dict[int, Connection] = {}
        self.aside: dict[int, Connection] = {}
        self.waiters: deque[Waiter] = deque()
        self.attempt: Attempt | None = None
        # given up, but their threads may still hold a place on the server
        self.late: set[Attempt] = set()
        self.outage: Outage | None = None
        self.started = self.closed = False
        self.counts = Counts()
        self.herald = Herald()

    @property
    def size(self) -> int:
        """All that may be a connection to the server: resting, lent, being cleaned or being made."""
        making = len(self.late) + (self.attempt is not None)
        return len(self.idle) + len(self.in_use) + len(self.aside) + making

    def stats(self) -> dict[str, int]:
        """The state now and the sums until now."""
        with self.lock:
            return {
                "pool_min": self.limits.smallest,
                "pool_max": self.limits.largest,
                "pool_size": self.size,
                "pool_available": len(self.idle),
                "requests_waiting": len(self.waiters),
                **self.counts.as_stats(),
            }

    def start_once(self) -> bool:
        """Whether the caller is the first to start it."""
        with self.lock:
            first, self.started = not self.started, True
            return first

    @property
    def is_full(self) -> bool:
        """Whether no more connections may be made; read without the lock, so only nearly true."""
        return len(self.in_use) >= self.limits.largest

    # --- lending ---------------------------------------------------------------------------------

    def take(self, holder: Thread, now: float, *, again: bool = False) -> Connection | Waiter:
        """Lend the connection used last, or a place in the queue.

        Raises PoolClosedError, PoolFullError, or what keeps the database from being reached.
        """
        with self.lock:
            self.counts.requests_num += not again
            if self.idle:
                return self._lend(self.idle.pop(), holder, now)
            self._refuse_if_vain(now)
            self.counts.requests_queued += not again
            waiter = Waiter(holder, now)
            self.waiters.append(waiter)
            return waiter

    def settle(self, waiter: Waiter) -> Connection:
        """End a wait: the connection that came, or raise what kept it away."""
        if waiter.connection is not None:
            return waiter.connection
        now = self.clock()
        with self.lock:
            if waiter.connection is not None:
                return waiter.connection
            if waiter.error is None:
                self.waiters.remove(waiter)
                waiter.error = self._why_nothing_came(now)
            self.counts.requests_wait += now - waiter.since
            self.counts.requests_errors += 1
        if type(waiter.error) is PoolTimeoutError:
            self.herald.say(now, waiter.error.code, f"all {self.limits.largest} connections stayed busy")
        raise waiter.error or PoolClosedError()

    def give_back(self, conn: Connection) -> list[Connection]:
        """Take a connection back; what this returns is to be closed. A strange one is left alone."""
        now = self.clock()
        with self.lock:
            if self.in_use.pop(id(conn), None) is None:
                return []
            self.counts.usage += now - conn.taken_at
            if self.closed:
                return [conn]
            if not conn.can_be_lent_again():
                self.counts.returns_bad += 1
                return [conn]
            if now >= conn.expires_at and self.size >= self.limits.smallest:
                self.counts.lifetime_closed += 1
                return [conn]
            conn.reset_due |= conn.touched
            conn.touched = False
            conn.returned_at = now
            self._receive(conn, now)
        return []

    def put_back(self, conn: Connection) -> bool:
        """End a cleaning; False when the connection is to be closed."""
        with self.lock:
            del self.aside[id(conn)]
            self.counts.connections_lost += conn.doomed
            if self.closed or conn.doomed:
                return False
            self._receive(conn, self.clock())
            return True

    def bury(self, conn: Connection) -> list[Connection]:
        """Take out a dead connection and every other that died with it."""
        with self.lock:
            self.in_use.pop(id(conn), None)
            dead = [conn, *(other for other in self.idle if other.is_dead())]
            self.idle = [other for other in self.idle if other not in dead]
            self.counts.connections_lost += len(dead)
        return dead

    def take_out(self, matches: Callable[[Connection], bool]) -> list[Connection]:
        """Take lent connections away from their borrowers, to be closed."""
        with self.lock:
            found = [conn for conn in self.in_use.values() if matches(conn)]
            for conn in found:
                del self.in_use[id(conn)]
        return found

    def close(self) -> list[Connection]:
        """Tell all who wait, lend nothing more. Lent connections are closed when they come back."""
        with self.lock:
            self.closed = True
            self._refuse_all(PoolClosedError)
            resting, self.idle = self.idle, []
        return resting

    # --- connecting ------------------------------------------------------------------------------

    def begin_attempt(self, now: float) -> Attempt | None:
        """Reserve a place for a new connection, if one is wanted and may be tried now.

        One at a time: fifty callers at once are served sooner by what comes back than by
        forty new connections, and a server in trouble is not stormed.
        """
        with self.lock:
            if self.closed or self.attempt is not None or not self._may_grow(now):
                return None
            self.counts.connections_num += 1
            self.attempt = Attempt(now)
            return self.attempt

    def opened(self, attempt: Attempt, conn: Connection) -> bool:
        """Put a new connection to use; False when the pool was closed meanwhile."""
        now = self.clock()
        with self.lock:
            self._end(attempt)
            if self.closed:
                return False
            self.counts.connections += now - attempt.started
            self.outage = None
            conn.opened_at = conn.returned_at = conn.heard_at = now
            conn.expires_at = now + self.limits.lifetime * random.uniform(1 - LIFETIME_JITTER, 1)
            conn.touched = conn.reset_due = False
            self._receive(conn, now)
            return True

    def failed(self, attempt: Attempt, outage: Outage) -> None:
        """Note why an attempt failed, unless it was given up before, and tell those who wait in vain."""
        with self.lock:
            known = self.attempt is attempt
            self._end(attempt)
            if known and not self.closed:
                self._note(outage)

    def overdue(self, attempt: Attempt, outage: Outage) -> None:
        """Give up an attempt whose time is over; its thread ends on its own."""
        with self.lock:
            if self.attempt is not attempt:
                return
            self.attempt = None
            self.late.add(attempt)
            if attempt.connection is not None:
                attempt.connection.cut()
            self._note(outage)

    def _note(self, outage: Outage) -> None:
        self.counts.connections_errors += 1
        self.outage = outage
        if self._is_vain(self.clock()):
            self._refuse_all(outage.error)

    def _end(self, attempt: Attempt) -> None:
        self.late.discard(attempt)
        if self.attempt is attempt:
            self.attempt = None

    def _may_grow(self, now: float) -> bool:
        if self.size >= self.limits.largest:
            return False
        if self.outage is not None and now < self.outage.next_try:
            return False
        # one that is being cleaned is back before a new one could be made
        waiting = len(self.waiters) > len(self.aside)
        # nobody waits during an outage, for all are refused; so it is asked whether it is over
        needed = waiting or (self.outage is not None and not self.idle)
        return needed or self.size < self.limits.smallest or self._must_renew(now)

    def _must_renew(self, now: float) -> bool:
        """Whether one has come of age that can only be closed when another is there."""
        return self.size == self.limits.smallest and any(now >= conn.expires_at for conn in self.idle)

    # --- all below is called with the lock held --------------------------------------------------

    def _lend(self, conn: Connection, holder: Thread, now: float) -> Connection:
        conn.holder = holder
        conn.taken_at = now
        self.in_use[id(conn)] = conn
        return conn

    def _receive(self, conn: Connection, now: float) -> None:
        if not self.waiters:
            insort(self.idle, conn, key=_by_last_use)
            return
        waiter = self.waiters.popleft()
        self.counts.requests_wait += now - waiter.since
        waiter.connection = self._lend(conn, waiter.holder, now)
        waiter.wake()

    def _refuse_if_vain(self, now: float) -> None:
        error: AppError
        if self.closed:
            error = PoolClosedError()
        elif self.outage is not None and self._is_vain(now):
            error = self.outage.error()
        elif len(self.waiters) >= self.limits.waiting:
            error = PoolFullError(waiting=len(self.waiters))
        else:
            return
        self.counts.requests_errors += 1
        raise error

    def _refuse_all(self, error: Callable[[], AppError]) -> None:
        for waiter in self.waiters:
            waiter.error = error()
            waiter.wake()
        self.waiters.clear()

    def _is_vain(self, now: float) -> bool:
        """Whether waiting is vain: nothing can be made, and nothing that is lent shows life."""
        if self.outage is None:
            return False
        if self.outage.server_at_work:
            return not self.in_use
        return not self.heard_lately(now)

    def heard_lately(self, now: float) -> bool:
        """Whether the server answered a borrower within the time a caller would wait."""
        return any(
            now - conn.heard_at < self.limits.wait and not conn.hung_up() for conn in self.in_use.values()
        )

    def _why_nothing_came(self, now: float) -> AppError:
        if self.outage is not None:
            return self.outage.error()
        # an attempt that has had no answer for so long says more than "all are busy"
        if self.attempt is not None and now - self.attempt.started >= self.limits.wait / 2:
            return DatabaseUnavailableError()
        return PoolTimeoutError(seconds=self.limits.wait)


def _by_last_use(conn: Connection) -> float:
    return conn.returned_at
