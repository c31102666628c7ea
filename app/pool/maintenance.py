"""The maintenance worker: a thread that keeps a pool's promises while nobody is looking.

It never waits for the server: what could wait (connecting, cancelling, resetting) it starts in other
threads. A tick costs 20 us with ten connections at rest, ten times a second.
"""

import logging
import threading
import time
import weakref
from collections.abc import Callable, Sequence

from app.pool.connection import ABORT_AFTER, CANCEL_AFTER, NEVER, Connection
from app.pool.connector import Connector, close_quietly
from app.pool.leaks import describe
from app.pool.state import PoolState

log = logging.getLogger(__name__)

TICK = 0.1
# a connection that is lent again sooner carries its own reset
RESET_AFTER = 0.2
REPORT_EVERY = 1.0

Report = Callable[[dict[str, int]], None]


class Maintenance:
    """Sizes, ages, deadlines, leaks and resets of one pool."""

    def __init__(
        self,
        state: PoolState,
        connector: Connector,
        report: Report | None = None,
        passed_through: Sequence[str] = (),
    ) -> None:
        self._state = state
        self.warnings = state.warnings
        self._connector = connector
        self._report = report
        self._passed_through = passed_through
        self._reported_at = state.clock()
        self._resetter: threading.Thread | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to look after."""
        return self._state.closed and not self._state.lent

    def start(self) -> None:
        """Begin to tick, until the pool is closed and empty or nobody refers to it."""
        threading.Thread(
            target=_work, args=(weakref.ref(self),), name="pool-maintenance", daemon=True
        ).start()

    def tick(self) -> None:
        """Look after everything once."""
        now = self._state.clock()
        self._connector.give_up_overdue(now)
        self._end_overdue_statements(now)
        self._reclaim_leaks()
        close_quietly(self._worn_out(now))
        self._reset_resting(now)
        self._state.refuse_beyond_max_waiting()
        self._connector.grow()
        self._tell(now)

    def _tell(self, now: float) -> None:
        if self._report is not None and now - self._reported_at >= REPORT_EVERY:
            self._reported_at = now
            self._report(self._state.stats())

    # --- statements ------------------------------------------------------------------------------

    def _end_overdue_statements(self, now: float) -> None:
        """End statements that take too long, and those on a server that is frozen or gone.

        Each has its time. But where an attempt to connect and every statement had no answer
        for as long as a client may wait, the server is known to be silent, and they end then.
        """
        state, aborted = self._state, list[float]()
        with state.lock:
            silent = state.breaker.silent and not state.heard_lately(now)
            # nobody waits for the answer to a reset, so it gets no longer than a client would wait
            hurried = [*state.lent.values()] if silent else []
            hurried += state.resetting.values()
            aborted = [_abort(conn, now) for conn in hurried if conn.silent_for(now) >= state.limits.timeout]
            aborted += [_abort(conn, now) for conn in state.lent.values() if _overdue(conn, now, ABORT_AFTER)]
            late = [
                (conn, conn.started_at) for conn in state.lent.values() if _overdue(conn, now, CANCEL_AFTER)
            ]
        for conn, started in late:
            if conn.cancellation is None and started != NEVER:
                conn.cancel_statement(started)
        for seconds in aborted:
            log.warning("a statement had no answer for %.1f s; its connection was aborted", seconds)

    # --- connections nobody uses -----------------------------------------------------------------

    def _reclaim_leaks(self) -> None:
        """Close what was lent to owners that ended. No statement is under way on it, so nothing can wait."""
        state = self._state
        with state.lock:
            leaked = [conn for conn in state.lent.values() if _is_leaked(conn)]
            for conn in leaked:
                del state.lent[id(conn)]
            state.sums.leaks += len(leaked)
        for conn in leaked:
            log.warning("a connection leaked: taken at %s", describe(conn.taken_from, self._passed_through))
        close_quietly(leaked)

    def _worn_out(self, now: float) -> list[Connection]:
        """Take out resting connections that died, were idle too long, or came of age."""
        state, gone = self._state, list[Connection]()
        with state.lock:
            for conn in list(state.idle):  # longest at rest first
                if self._is_worn_out(conn, now):
                    state.idle.remove(conn)
                    gone.append(conn)
        return gone

    def _is_worn_out(self, conn: Connection, now: float) -> bool:
        state, limits = self._state, self._state.limits
        surplus = state.size > limits.min_size
        dead = conn.is_dead()
        idle = not dead and surplus and now - conn.returned_at >= limits.max_idle
        old = not dead and not idle and now >= conn.expires_at
        old = old and (surplus or limits.min_size == limits.max_size)
        state.sums.connections_lost += dead
        state.sums.idle_closed += idle
        state.sums.lifetime_closed += old
        return dead or idle or old

    # --- resets at rest --------------------------------------------------------------------------

    def _reset_resting(self, now: float) -> None:
        if self._resetter is not None and self._resetter.is_alive():
            return
        if any(_rests_unreset(conn, now) for conn in self._state.idle):
            resetter = threading.Thread(target=self._reset_all, name="pool-reset", daemon=True)
            try:
                resetter.start()
            except RuntimeError:  # no more threads: the next tick tries again, and the next borrower resets
                return
            self._resetter = resetter

    def _reset_all(self) -> None:
        while (conn := self._next_to_reset()) is not None:
            self._reset(conn)

    def _next_to_reset(self) -> Connection | None:
        state = self._state
        with state.lock:
            now = state.clock()
            conn = next((conn for conn in state.idle if _rests_unreset(conn, now)), None)
            if conn is not None:
                state.idle.remove(conn)
                state.resetting[id(conn)] = conn
            return conn

    def _reset(self, conn: Connection) -> None:
        try:
            conn.reset_now()
            conn.needs_reset = False
        except Exception as error:  # noqa: BLE001 - whatever it was, its place must not be lost
            conn.invalidated = True
            if not conn.closed:
                self.warnings.emit("ResetError", f"a session could not be reset: {error!r}")
        if not self._state.put_back(conn):
            close_quietly([conn])
            self._connector.grow()


def _work(reference: Callable[[], Maintenance | None]) -> None:
    while (maintenance := reference()) is not None:
        try:
            maintenance.tick()
        except Exception:
            # a pool without maintenance would break every promise at once
            if maintenance.warnings.allows("tick"):
                log.exception("the pool's maintenance stumbled and goes on")
        if maintenance.is_over:
            return
        del maintenance
        time.sleep(TICK)


def _overdue(conn: Connection, now: float, grace: float) -> bool:
    return conn.silent_for(now) >= conn.statement_timeout + grace


def _abort(conn: Connection, now: float) -> float:
    seconds = conn.silent_for(now)
    conn.abort()
    return seconds


def _is_leaked(conn: Connection) -> bool:
    # an owner may end before the thread that works for it: closing would wait for its statement
    return conn.owner is not None and conn.owner() is None and conn.started_at == NEVER


def _rests_unreset(conn: Connection, now: float) -> bool:
    return conn.reset_pending and now - conn.returned_at >= RESET_AFTER
