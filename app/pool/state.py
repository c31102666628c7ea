"""The state of a pool: who has which connection, who waits for one, what was counted.

Everything here happens under one lock and none of it is I/O, so nobody waits for somebody else's connecting,
checking or closing. What must be closed is handed to the caller, who closes it outside.

Connections rest on a stack: the one used last is lent first, so that the others grow old enough to be closed.
Waiting clients are served in the order they came, each directly by whoever gives a connection back.
"""

import threading
import weakref
from bisect import insort
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.pool.breaker import CircuitBreaker, PrimarySearch, RateLimitedLog
from app.pool.connection import Connection
from app.pool.errors import PoolClosed, PoolError, PoolTimeout, TooManyRequests, failure
from app.pool.stats import Limits, Sums

# seconds without a connection lent or returned after which a pool is stalled, not merely busy
STALLED_AFTER = 0.25

Owner = weakref.ref[Any]


class WaitingClient:
    """One thread in the queue, and what it will wake up to."""

    __slots__ = ("_gate", "connection", "error", "owner", "since")

    def __init__(self, owner: Owner, since: float) -> None:
        self.owner = owner
        self.since = since
        self.connection: Connection | None = None
        self.error: PoolError | None = None
        self._gate = threading.Lock()
        self._gate.acquire()

    def wait(self, seconds: float) -> None:
        """Sleep until served, refused or out of time."""
        self._gate.acquire(timeout=min(max(0.0, seconds), threading.TIMEOUT_MAX))

    def wake(self) -> None:
        """End the sleep."""
        self._gate.release()


@dataclass(eq=False)
class Attempt:
    """One attempt to connect, under way in a thread of its own."""

    started: float
    deadline: float
    # one beyond max_size, made to learn whether the server answers at all
    probe: bool = False
    # known once the server let us in, while it is being configured
    connection: Connection | None = None


class PoolState:
    """The connections of one pool in one process."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self.limits = limits
        self.clock = clock
        self.lock = threading.Lock()
        self.idle: list[Connection] = []
        self.lent: dict[int, Connection] = {}
        self.resetting: dict[int, Connection] = {}
        self.waiting: deque[WaitingClient] = deque()
        self.attempt: Attempt | None = None
        # given up, but their threads may still hold a place on the server
        self.abandoned: set[Attempt] = set()
        self.breaker = CircuitBreaker()
        self.search = PrimarySearch()
        self.warnings = RateLimitedLog(clock)
        self.sums = Sums()
        # for messages: who logs in where, known with the first attempt
        self.server = "the database"
        self.started = self.closed = False
        self.moved_at = self.answered_at = clock()

    @property
    def size(self) -> int:
        """All that may be a connection to the server, but for probes. Without the lock."""
        making = sum(not attempt.probe for attempt in (self.attempt, *self.abandoned) if attempt is not None)
        return len(self.idle) + len(self.lent) + len(self.resetting) + making

    def stats(self) -> dict[str, int]:
        """The state now and the sums until now, of one and the same moment."""
        with self.lock:
            return {
                "pool_min": self.limits.min_size,
                "pool_max": self.limits.max_size,
                "pool_size": self.size,
                "pool_available": len(self.idle),
                "requests_waiting": len(self.waiting),
                **self.sums.as_integers(),
            }

    def start_once(self) -> bool:
        """Whether the caller is the first to start it."""
        with self.lock:
            first, self.started = not self.started, True
            self.moved_at = self.clock() if first else self.moved_at
            return first

    # --- lending ---------------------------------------------------------------------------------

    def take(self, owner: Owner, now: float, *, again: bool = False) -> Connection | WaitingClient:
        """Lend the connection used last, or a place in the queue.

        Raises PoolClosed, TooManyRequests, or what keeps the server from being reached.
        """
        with self.lock:
            self.sums.requests_num += not again
            if self.idle:
                return self._lend(self.idle.pop(), owner, now)
            self._refuse_if_pointless(now)
            self.sums.requests_queued += not again
            client = WaitingClient(owner, now)
            self.waiting.append(client)
            return client

    def settle(self, client: WaitingClient) -> Connection:
        """End a wait: return the connection that came, or raise what kept it away."""
        if client.connection is not None:
            return client.connection
        with self.lock:
            if client.connection is not None:
                return client.connection
            now = self.clock()
            if client.error is None:
                self.waiting.remove(client)
                client.error = self._why_nothing_came(client, now)
            self.sums.requests_wait_ms += max(0.0, now - client.since)
            self.sums.requests_errors += 1
        if type(client.error) is PoolTimeout:
            self.warnings.emit("PoolTimeout", f"all {self.limits.max_size} connections stayed busy")
        raise client.error

    def give_back(self, conn: Connection) -> list[Connection]:
        """Take a connection back; what this returns is to be closed. One that is not lent is left alone."""
        with self.lock:
            if self.lent.pop(id(conn), None) is None:
                return []
            now = self.moved_at = self.clock()
            self.sums.usage_ms += max(0.0, now - conn.taken_at)
            others = self._look_for_the_primary(conn, now) if conn.write_refused else []
            if not self._is_kept(conn, now):
                return [conn, *others]
            conn.reset_pending |= conn.needs_reset and bool(conn.reset_sql)
            conn.needs_reset = False
            conn.statement_timeout = conn.session_timeout
            conn.returned_at = now
            self.receive(conn, now)
            return others

    def put_back(self, conn: Connection) -> bool:
        """End a reset at rest; False when the connection is to be closed."""
        with self.lock:
            self.resetting.pop(id(conn), None)
            lost = conn.invalidated or bool(conn.closed)
            self.sums.connections_lost += lost
            if self.closed or lost:
                return False
            self.receive(conn, self.clock())
            return True

    def discard(self, conn: Connection) -> list[Connection]:
        """Take out a dead connection and every other that died with it."""
        with self.lock:
            self.lent.pop(id(conn), None)
            dead = [conn, *(other for other in self.idle if other.is_dead())]
            self.idle = [other for other in self.idle if other not in dead]
            self.sums.connections_lost += len(dead)
        return dead

    def close(self) -> list[Connection]:
        """Tell all who wait, lend nothing more. Lent connections are closed when they come back."""
        with self.lock:
            self.closed = True
            self.refuse_all(lambda: PoolClosed(max_size=self.limits.max_size))
            resting, self.idle = self.idle, []
        return resting

    def refuse_beyond_max_waiting(self) -> None:
        """Refuse the newest of too many waiting clients, once the pool has stalled."""
        with self.lock:
            now = self.clock()
            while len(self.waiting) > self.limits.max_waiting and self._is_stalled(now):
                client = self.waiting.pop()
                client.error = self._too_many(now)
                client.wake()

    # --- called with the lock held ---------------------------------------------------------------

    def receive(self, conn: Connection, now: float) -> None:
        """Hand a connection to whoever waits longest, or let it rest."""
        if not self.waiting:
            insort(self.idle, conn, key=_by_last_use)
            return
        client = self.waiting.popleft()
        self.sums.requests_wait_ms += max(0.0, now - client.since)
        client.connection = self._lend(conn, client.owner, now)
        client.wake()

    def refuse_all(self, error: Callable[[], PoolError]) -> None:
        """Tell all who wait why."""
        for client in self.waiting:
            client.error = error()
            client.wake()
        self.waiting.clear()

    def is_pointless(self, now: float) -> bool:
        """Whether waiting is pointless: nothing can be made, and nothing that is lent shows life."""
        if not self.breaker.is_open:
            return False
        if self.breaker.answered:
            return not self.lent
        return not self.heard_lately(now)

    def heard_lately(self, now: float) -> bool:
        """Whether the server answered a borrower within the time a client would wait."""
        timeout, connected = self.limits.timeout, (*self.lent.values(), *self.idle)
        return any(now - conn.heard_at < timeout and not conn.is_hung_up() for conn in connected)

    def invalidate_all(self) -> list[Connection]:
        """Let no connection that is there now be lent again; what rests is returned, to be closed."""
        for conn in (*self.lent.values(), *self.resetting.values()):
            conn.invalidated = True
        resting, self.idle = self.idle, []
        return resting

    def _lend(self, conn: Connection, owner: Owner, now: float) -> Connection:
        conn.owner = owner
        conn.taken_at = self.moved_at = now
        self.lent[id(conn)] = conn
        return conn

    def _is_kept(self, conn: Connection, now: float) -> bool:
        if self.closed:
            return False
        if not conn.can_be_lent():
            self.sums.returns_bad += 1
            return False
        if now >= conn.expires_at and self.size >= self.limits.min_size:
            self.sums.lifetime_closed += 1
            return False
        return True

    def _look_for_the_primary(self, conn: Connection, now: float) -> list[Connection]:
        """Make way for log-ins that may find the primary: all at first, then one at each step of the pace."""
        conn.write_refused = False
        # the borrower himself asked for READ ONLY where the server takes writes
        if conn.closed or conn.invalidated or conn.takes_writes() or not self.search.may_look(now):
            return []
        conn.invalidated = True
        return self.invalidate_all() if self.search.refusals == 1 else []

    def _refuse_if_pointless(self, now: float) -> None:
        error: PoolError | None = None
        if self.closed:
            error = PoolClosed(max_size=self.limits.max_size)
        elif self.is_pointless(now):
            error = self.breaker.error()
        elif len(self.waiting) >= self.limits.max_waiting and self._is_stalled(now):
            error = self._too_many(now)
        if error is not None:
            self.sums.requests_errors += 1
            raise error

    def _is_stalled(self, now: float) -> bool:
        """Whether nothing moves; while something does, whoever waits only waits his turn."""
        return now - self.moved_at >= STALLED_AFTER

    def _too_many(self, now: float) -> TooManyRequests:
        waiting, limit = len(self.waiting), self.limits.max_waiting
        return TooManyRequests(waiting=waiting, max_waiting=limit, stalled=now - self.moved_at)

    def _why_nothing_came(self, client: WaitingClient, now: float) -> PoolError:
        error = self.breaker.error()
        if error is not None:
            return error
        # an attempt that has had no answer for so long says more than "all are busy"
        silence = 0.0 if self.attempt is None else now - self.attempt.started
        if silence >= self.limits.timeout / 2:
            return failure(TimeoutError(f"no answer for {silence:.1f} s"), self.server).error()
        seconds, waiting = now - client.since, len(self.waiting)
        return PoolTimeout(max_size=self.limits.max_size, seconds=round(seconds, 2), waiting=waiting)


def _by_last_use(conn: Connection) -> float:
    return conn.returned_at
