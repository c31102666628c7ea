"""One attempt to connect, from the wish for one to its end: in a thread of its own, one at a time.

psycopg2 cannot be given a deadline shorter than a whole second, nor one that covers a server with two
addresses and what is done after the log-in. So nobody connects for himself: who needs a connection waits in
the queue with a deadline of his own, and the thread that connects may take as long as libpq likes. One that
takes longer than `timeout` is given up: callers are told, and its place stays taken until its thread ends.
"""

import logging
import math
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import psycopg2
from psycopg2.extensions import make_dsn

from app.pool.connection import NEVER, RESET, Connection
from app.pool.errors import Failure, failure
from app.pool.state import Attempt, PoolState

log = logging.getLogger(__name__)

# seconds without any answer after which a pool that has nothing to lend asks whether the server is there
PROBE_AFTER = 0.5
# many connections made at once must not all come of age at once
LIFETIME_JITTER = 0.1
_LONGEST = 3600.0

# libpq's GSSAPI takes locks that a child forked meanwhile finds locked for ever; keepalives are TCP's own
# way to notice that the other machine is gone while nothing is being sent
# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
DEFAULTS: Mapping[str, Any] = {
    "gssencmode": "disable",
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}


class Connector:
    """Makes connections for one pool."""

    def __init__(
        self,
        state: PoolState,
        parameters: Callable[[], Mapping[str, Any]],
        configure: Callable[[Connection], None] | None = None,
        reset: str = RESET,
    ) -> None:
        self._state = state
        self._parameters = parameters
        self._configure = configure
        self._reset = reset
        self._secret = ""

    def grow(self) -> None:
        """Start an attempt, if a connection or a probe is wanted and may be tried now."""
        attempt = self._begin()
        if attempt is None:
            return
        thread = threading.Thread(target=self._run, args=(attempt,), name="pool-connect", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no more threads: as good as no connection
            self._fail(attempt, error)

    # --- begin -----------------------------------------------------------------------------------

    def _begin(self) -> Attempt | None:
        """Reserve a place for a new connection.

        One at a time: fifty callers at once are served sooner by what comes back than by forty new
        connections, and a server in trouble is not stormed.
        """
        state = self._state
        with state.lock:
            now = state.clock()
            if state.closed or state.attempt is not None or not state.breaker.allows(now):
                return None
            if state.size < state.limits.max_size and self._is_wanted(now):
                attempt = Attempt(now, now + state.limits.timeout)
            elif (deadline := self._probe_deadline(now)) is not None:
                attempt = Attempt(now, deadline, probe=state.size >= state.limits.max_size)
            else:
                return None
            state.sums.connections_num += 1
            state.attempt = attempt
            return attempt

    def _is_wanted(self, now: float) -> bool:
        state = self._state
        # one that is being reset is back before a new one could be made
        waiting = len(state.waiting) > len(state.resetting)
        # nobody waits during an outage, for all are refused; so it is asked whether it is over
        needed = waiting or (state.breaker.is_open and not state.idle)
        missing = state.size < state.limits.min_size
        # one came of age that can only be closed when another is there
        renewal = state.size == state.limits.min_size and any(now >= conn.expires_at for conn in state.idle)
        return needed or missing or renewal

    def _probe_deadline(self, now: float) -> float | None:
        """By when the server must answer a probe; None while none is needed.

        It must be known to be silent `timeout` seconds after it fell silent. But a process that was
        itself stopped finds everything overdue: half of `timeout` is left in any case.
        """
        state, timeout = self._state, self._state.limits.timeout
        if any(attempt.probe for attempt in state.abandoned):
            return None
        since = self._silent_since()
        if since is not None and now - since >= min(PROBE_AFTER, timeout / 4):
            return max(since + timeout, now + timeout / 2)
        return now + timeout if state.breaker.is_open and not state.idle else None

    def _silent_since(self) -> float | None:
        """Since when the server owes all of us an answer; None while it owes none, or a connection rests."""
        state = self._state
        asked = [start for conn in state.lent.values() if (start := conn.started_at) != NEVER]
        if state.waiting:
            asked.append(state.waiting[0].since)
        if state.idle or not asked:
            return None
        heard = max((conn.heard_at for conn in state.lent.values()), default=0.0)
        return max(min(asked), heard, state.answered_at)

    # --- connect, in the attempt's thread --------------------------------------------------------

    def _run(self, attempt: Attempt) -> None:
        try:
            conn = self._connect(attempt)
        except BaseException as error:  # noqa: BLE001 - whatever it was, those who wait must hear of it
            self._fail(attempt, error)
            return
        close_quietly(self._admit(attempt, conn))
        self.grow()

    def _connect(self, attempt: Attempt) -> Connection:
        state = self._state
        # a net under the pool's own deadline, for threads that nobody waits for any more
        net = {"connect_timeout": math.ceil(min(state.limits.timeout, _LONGEST)) + 1}
        parameters = {**DEFAULTS, **net, **self._parameters()}
        self._secret = str(parameters.get("password") or "")
        state.server = _name(parameters)
        conn = Connection(make_dsn(**parameters), clock=state.clock, reset=self._reset)
        attempt.connection = conn
        try:
            self._prepare(conn)
        except BaseException:
            close_quietly([conn])
            raise
        return conn

    def _prepare(self, conn: Connection) -> None:
        conn.autocommit = True
        conn.statement_timeout = self._state.limits.statement_timeout
        if self._configure is not None:
            self._configure(conn)
        if not conn.can_be_lent() and not conn.aborted:
            status = f"autocommit={conn.autocommit}, encoding={conn.encoding}, closed={conn.closed}"
            raise psycopg2.ProgrammingError(
                f"configure left a connection that cannot be lent ({status}, transaction "
                f"status {conn.info.transaction_status}). Leave it idle, in autocommit and in UTF8."
            )
        conn.session_timeout = conn.statement_timeout
        conn.needs_reset = False

    # --- end -------------------------------------------------------------------------------------

    def _admit(self, attempt: Attempt, conn: Connection) -> list[Connection]:
        """Put a new connection to use; what this returns is to be closed.

        One that was given up and aborted is not used. One that was given up while libpq was still at it
        is: nothing is wrong with it, and it ends the outage.
        """
        state, limits = self._state, self._state.limits
        with state.lock:
            now = state.clock()
            self._end(attempt)
            if state.closed or conn.invalidated:
                return [conn]
            state.sums.connections_ms += max(0.0, now - attempt.started)
            state.answered_at = now
            outage = state.breaker.record_success(now)
            gone = self._end_search() if conn.takes_writes() else []
            conn.opened_at = conn.returned_at = conn.heard_at = now
            conn.expires_at = now + limits.max_lifetime * random.uniform(1 - LIFETIME_JITTER, 1)
            if state.size < limits.max_size:
                state.receive(conn, now)
            else:
                gone.append(conn)
        if outage:
            log.info("%s answers again after %.1f s", state.server, outage)
        return gone

    def _end_search(self) -> list[Connection]:
        """A log-in found a server that takes writes: what was connected before makes way."""
        state = self._state
        if not state.search.is_on:
            return []
        state.search.end()
        return state.invalidate_all()

    def _fail(self, attempt: Attempt, error: BaseException) -> None:
        conn = attempt.connection
        logged_in = conn is not None and not isinstance(error, psycopg2.OperationalError)
        reason = failure(error, self._state.server, secret=self._secret, logged_in=logged_in)
        # that nobody else is let in says nothing against a full pool
        harmless = attempt.probe and reason.answered
        if self._state.attempt is attempt and not self._state.closed and not harmless:
            self._log(reason)  # before those who wait are told: whoever sees the error finds the line
        with self._state.lock:
            known = self._state.attempt is attempt
            self._end(attempt)
            if harmless:
                self._state.answered_at = now = self._state.clock()
                self._state.breaker.record_success(now)
            elif known and not self._state.closed:
                self._record(attempt, reason)

    def give_up_overdue(self, now: float) -> None:
        """Stop counting on an attempt whose time is over; its thread ends by itself."""
        state, attempt = self._state, self._state.attempt
        if attempt is not None and now >= attempt.deadline:
            cause = TimeoutError(f"no answer for {now - attempt.started:.1f} s")
            reason = failure(cause, state.server, silent=True)
            self._log(reason)
            with state.lock:
                if state.attempt is attempt:
                    self._abandon(attempt, reason)
        self._abort_abandoned(now)

    def _abandon(self, attempt: Attempt, reason: Failure) -> None:
        self._state.attempt = None
        self._state.abandoned.add(attempt)
        if attempt.connection is not None:
            attempt.connection.abort()
        self._record(attempt, reason)

    def _abort_abandoned(self, now: float) -> None:
        """End what is done after a log-in that came too late, when that takes too long as well."""
        with self._state.lock:
            for attempt in self._state.abandoned:
                conn = attempt.connection
                if conn is not None and now - conn.opened_at >= self._state.limits.timeout:
                    conn.abort()

    def _record(self, attempt: Attempt, reason: Failure) -> None:
        state = self._state
        state.sums.connections_errors += 1
        state.breaker.record_failure(reason, attempt.started)
        if state.is_pointless(state.clock()):
            state.refuse_all(reason.error)

    def _end(self, attempt: Attempt) -> None:
        self._state.abandoned.discard(attempt)
        if self._state.attempt is attempt:
            self._state.attempt = None

    def _log(self, reason: Failure) -> None:
        self._state.warnings.emit(reason.kind.__name__, f"{reason.server}: {reason.reason}")


def close_quietly(connections: Sequence[Connection]) -> None:
    """Close what nobody will use again; that it is broken already is no news."""
    for conn in connections:
        with suppress(psycopg2.Error):
            conn.close()


def _name(parameters: Mapping[str, Any]) -> str:
    """Say in a message who logs in where; never with what password."""
    user, host, port = (parameters.get(name) or "" for name in ("user", "host", "port"))
    database = parameters.get("dbname") or parameters.get("database") or ""
    return f"the database {user}@{host}:{port}/{database}"
