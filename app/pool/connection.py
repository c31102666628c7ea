"""One connection: whether it is alive, how its statement ends in time, how its session is reset.

How a statement ends. No timeout of PostgreSQL's or the kernel's helps on a frozen server: it is stopped,
and its kernel still acknowledges every packet. So a statement notes when it began, and the pool's
maintenance worker compares that with `statement_timeout`, which the server itself should have enforced:
CANCEL_AFTER seconds later it asks the server to cancel the statement, ABORT_AFTER seconds later it shuts
the socket. Measured on a round trip of 20 us: 0.8 us for each statement, against 2 to 4 us for psycopg2's
wait callback, which moreover is one for the whole process and forbids COPY.
https://www.psycopg.org/docs/advanced.html#support-for-coroutine-libraries

How a session is reset. Whether a statement left something in its session cannot be known without reading
SQL. So the first message of the next borrower carries RESET in front: no round trip, 10 us of the server's
time. It is a transaction of its own, so that a borrower's error or ROLLBACK does not bring the old settings
back. DISCARD ALL cannot travel so, but its parts can. A connection that rests is reset by the maintenance
worker, so that an advisory lock does not outlive its borrower for long.
https://www.postgresql.org/docs/current/sql-discard.html
"""

import os
import select
import socket
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import CodeType
from typing import Any

import psycopg2
from psycopg2 import extensions

from app.pool.cancel import CancelHandle
from app.pool.cursor import Cursor, NamedCursor

NEVER = float("inf")
# seconds after statement_timeout: a server that is alive has ended the statement by then
CANCEL_AFTER = 0.3
ABORT_AFTER = 0.8

# needed after RESET ALL, too: psycopg2 reads dates in ISO only, and times are read in UTC
SESSION = "SET TIME ZONE 'UTC'; SET DateStyle TO 'ISO'"
RESET = (
    "BEGIN; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; CLOSE ALL; UNLISTEN *; DEALLOCATE ALL; "
    f"SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES; {SESSION}; COMMIT;\n"
)

# seconds; a look costs 1 us, but for many threads also a turn in the queue for the interpreter
_JUST_NOW = 0.002

# Linux alone tells that the other end will send no more; elsewhere that shows as something to read
_HUNG_UP = select.POLLERR | select.POLLHUP | getattr(select, "POLLRDHUP", 0)
_NEWS = select.POLLIN | _HUNG_UP
_IDLE = extensions.TRANSACTION_STATUS_IDLE


class Connection(extensions.connection):
    """A psycopg2 connection in autocommit whose statements end in time.

    A borrower may set `statement_timeout` (seconds; restored at putconn), `invalidated` (True: closed at
    putconn) and `needs_reset` (back to what it was, after a statement that leaves nothing in the session).
    `closed` is not 0 once it broke under a statement; `aborted` says that the pool broke it, for want of an
    answer.
    """

    # the longest a statement should take by what the server allows this session
    statement_timeout = session_timeout = 5.0
    # this borrower left, or earlier borrowers left, something in the session
    needs_reset = reset_pending = False
    # not to be lent again; the pool shut its socket; the server refused a write as read-only
    invalidated = aborted = write_refused = False

    owner: weakref.ref[Any] | None = None
    taken_from: Sequence[tuple[CodeType, int]] = ()
    # by the pool's clock; `started_at` is that of the statement under way
    opened_at = taken_at = returned_at = heard_at = 0.0
    started_at = expires_at = NEVER
    # set while a cancellation is on its way
    cancellation: "threading.Event | None" = None

    def __init__(self, dsn: str, *, clock: Callable[[], float], reset: str = RESET) -> None:
        self.clock = clock
        self.reset_sql = reset
        super().__init__(dsn)
        self.opened_at = self.heard_at = clock()
        self._cancel_handle = CancelHandle(self)
        self._news = select.poll()
        self._news.register(self.fileno(), _NEWS)

    def cursor(  # type: ignore[override] # the stubs' overloads, in one
        self, name: Any = None, cursor_factory: Any = None, **options: Any
    ) -> Any:
        """Make a cursor whose statements end in time; one of another class only finds a clean session."""
        if cursor_factory is None:
            factory = Cursor if name is None else NamedCursor
            return super().cursor(name, cursor_factory=factory, **options)
        self.reset_now()
        self.needs_reset = True
        return super().cursor(name, cursor_factory=cursor_factory, **options)

    def commit(self) -> None:
        """Commit, outside autocommit, in time."""
        with self.timed():
            super().commit()

    def rollback(self) -> None:
        """Roll back, outside autocommit, in time."""
        with self.timed():
            super().rollback()

    def reset_now(self) -> None:
        """Reset what earlier borrowers left in the session, in a message of its own."""
        if self.carries_reset():
            self.reset_pending = False
            try:
                self.cursor().execute(self.reset_sql)
            except BaseException:
                self.reset_pending = True
                raise

    def carries_reset(self) -> bool:
        """Whether the next message must carry the reset in front."""
        return self.reset_pending and self.get_transaction_status() == _IDLE

    # --- alive or not, by looking at the socket --------------------------------------------------

    def is_dead(self) -> bool:
        """Whether the server ended this idle connection. No round trip.

        An idle connection is sent nothing unasked but a last error and the end of the stream.
        https://www.postgresql.org/docs/current/protocol-flow.html
        """
        return bool(self.closed) or bool(self._news.poll(0))

    def was_just_heard(self, now: float) -> bool:
        """Whether the server answered on it so lately that looking at the socket would be waste."""
        return now - self.heard_at < _JUST_NOW and not self.closed

    def is_hung_up(self) -> bool:
        """Whether the other end of the socket is gone; may be asked of one that is in use."""
        poll = select.poll()
        try:
            poll.register(self.fileno(), _HUNG_UP)
        except (psycopg2.Error, ValueError):  # closed, perhaps this very moment
            return True
        return bool(poll.poll(0))

    def can_be_lent(self) -> bool:
        """Whether it is idle, alive and as it was lent. Asks nothing of the server."""
        usable = not (self.closed or self.invalidated) and self.get_transaction_status() == _IDLE
        return usable and self.autocommit and self._is_utf8()

    def _is_utf8(self) -> bool:
        # the server decodes a whole message before the reset in it can change the encoding
        return self.encoding == "UTF8" == self.get_parameter_status("client_encoding")

    def takes_writes(self) -> bool:
        """Whether the server says that it takes writes in this session; False when it does not say.

        https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-ASYNC
        """
        names = ("in_hot_standby", "default_transaction_read_only")
        return all(self.get_parameter_status(name) == "off" for name in names)

    # --- ending the statement under way ----------------------------------------------------------

    def silent_for(self, now: float) -> float:
        """For how many seconds the statement under way has had no answer; 0 without one."""
        started = self.started_at
        return 0.0 if started == NEVER else now - started

    def cancel_statement(self, started: float) -> None:
        """Ask the server to cancel the statement that began then, in a thread: a frozen server blocks it.

        A cancellation names a backend, not a statement. So the borrower waits in `finish` until it was sent,
        or the next statement, perhaps another borrower's, would be the one that is cancelled.
        https://www.postgresql.org/docs/current/libpq-cancel.html
        """
        sent = threading.Event()
        self.cancellation = sent
        # `finish` writes `started_at` and then reads `cancellation`, this the other way round: one sees the
        # other
        if self.started_at == started:
            with suppress(RuntimeError):  # no more threads: the statement is aborted a little later
                threading.Thread(target=self._cancel, args=(sent,), name="pool-cancel", daemon=True).start()
                return
        self.cancellation = None
        sent.set()

    def _cancel(self, sent: threading.Event) -> None:
        try:
            self._cancel_handle.send()  # in vain where the server lets nobody in: abort() comes next
        finally:
            sent.set()

    def abort(self) -> None:
        """End the statement under way: its thread reads the end of the stream at once."""
        self.started_at = NEVER
        self.invalidated = self.aborted = True
        # on a copy of the descriptor: the original belongs to the thread that is waiting on it
        with suppress(OSError, psycopg2.Error), socket.socket(fileno=os.dup(self.fileno())) as end:
            end.shutdown(socket.SHUT_RDWR)

    def finish(self) -> None:
        """Note that the server answered, or that the connection broke."""
        self.started_at = NEVER
        if self.cancellation is not None:
            self._await_cancellation()
        if not self.closed:
            self.heard_at = self.clock()

    def _await_cancellation(self) -> None:
        sent, self.cancellation = self.cancellation, None
        if sent is not None and not self.closed and not sent.wait(ABORT_AFTER - CANCEL_AFTER):
            self.abort()

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Run what takes one answer of the server, so that it ends in time."""
        self.needs_reset = True
        self.started_at = self.clock()
        try:
            yield
        except psycopg2.errors.ReadOnlySqlTransaction:
            self.write_refused = True
            raise
        finally:
            self.finish()
