"""One connection: it times its statements, and carries its own cleaning.

How a statement on a frozen server ends. No timeout of PostgreSQL's or the kernel's
helps there: the server is stopped, and its kernel still acknowledges every packet. So
each statement notes here when it must be over, and the pool's keeper shuts the socket of
one that is not. Measured on a round trip of 20 us: 0.8 us for each statement, against 2 to
4 us for psycopg2's wait callback, which moreover is one for the whole process and forbids
COPY (https://www.psycopg.org/docs/advanced.html#support-for-coroutine-libraries).

How a connection comes back clean. Whether a statement left something in its session
cannot be known without reading SQL. So the first message of the next borrower carries
RESET in front: no round trip, 10 us of the server's time. It is a transaction of its own,
so that a borrower's error or ROLLBACK does not bring the old settings back. DISCARD ALL
cannot travel so, but its parts can. A connection that rests is cleaned by the keeper, off
everybody's path, so that an advisory lock does not outlive its borrower for long.
https://www.postgresql.org/docs/current/sql-discard.html
"""

import os
import select
import socket
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import CodeType
from typing import Any

import psycopg2
from psycopg2 import extensions
from psycopg2.sql import Composable

NEVER = float("inf")

# after RESET ALL, too: psycopg2 reads dates in ISO only, and this product speaks UTC
SESSION = "SET TIME ZONE 'UTC'; SET DateStyle TO 'ISO'"
RESET = (
    "BEGIN; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; CLOSE ALL; UNLISTEN *; DEALLOCATE ALL; "
    f"SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES; {SESSION}; COMMIT;\n"
)

# seconds; a look costs 1 us, but for many threads also a turn in the queue for the interpreter
_JUST_NOW = 0.002

_NEWS = select.POLLIN | select.POLLERR | select.POLLHUP | select.POLLRDHUP
_GOODBYE = select.POLLERR | select.POLLHUP | select.POLLRDHUP
_IDLE = extensions.TRANSACTION_STATUS_IDLE
_execute = extensions.cursor.execute


class Holder:
    """A thread, as far as the pool knows it: this object dies with its thread's locals."""

    __slots__ = ("__weakref__", "ref")

    def __init__(self) -> None:
        self.ref = weakref.ref(self)


class Connection(extensions.connection):
    """A psycopg2 connection that knows its age, its borrower and its statement's deadline."""

    holder: weakref.ref[Holder] | None = None
    origin: Sequence[tuple[CodeType, int]] = ()
    opened_at = taken_at = returned_at = heard_at = 0.0
    expires_at = NEVER
    deadline = NEVER
    # whose it is: what it returns is to be closed
    give_back: Callable[["Connection"], list["Connection"]]
    # used since it was lent; what it was used for is not yet forgotten; not to be lent again
    touched = reset_due = doomed = False

    def __init__(self, dsn: str, *, clock: Callable[[], float], patience: float) -> None:
        self.clock = clock
        self.patience = patience
        super().__init__(dsn)
        self._news = select.poll()
        self._news.register(self.fileno(), _NEWS)

    def cursor(  # type: ignore[override] # the stubs' overloads, in one
        self, name: Any = None, cursor_factory: Any = None, **options: Any
    ) -> Any:
        """A cursor that is timed. One of somebody else's class is not, but finds a clean session."""
        if cursor_factory is None:
            factory = Cursor if name is None else NamedCursor
            return super().cursor(name, cursor_factory=factory, **options)
        self.clean()
        self.touched = True
        return super().cursor(name, cursor_factory=cursor_factory, **options)

    def clean(self) -> None:
        """Forget what earlier borrowers left in the session, in one message."""
        if self.reset_due and self.get_transaction_status() == _IDLE:
            self.reset_due = False
            try:
                self.cursor().execute(RESET)
            except BaseException:
                self.reset_due = True
                raise

    def is_dead(self) -> bool:
        """Whether the server said goodbye to this idle connection. No round trip.

        An idle connection is sent nothing unasked but a last error and the end of the stream.
        https://www.postgresql.org/docs/current/protocol-flow.html
        """
        return bool(self.closed) or bool(self._news.poll(0))

    def was_just_heard(self, now: float) -> bool:
        """Whether the server answered on it so lately that looking at the socket would be waste."""
        return now - self.heard_at < _JUST_NOW and not self.closed

    def hung_up(self) -> bool:
        """Whether the other end of the socket is gone; asked of one that is in use."""
        poll = select.poll()
        try:
            poll.register(self.fileno(), _GOODBYE)
        except (psycopg2.Error, ValueError):  # closed, perhaps this very moment
            return True
        return bool(poll.poll(0))

    def can_be_lent_again(self) -> bool:
        """Whether it came back idle, alive and as it was lent. Asks nothing of the server."""
        usable = not (self.closed or self.doomed) and self.get_transaction_status() == _IDLE
        return usable and self.autocommit and self._speaks_utf8()

    def _speaks_utf8(self) -> bool:
        # the server decodes a whole message before the RESET in it can mend the encoding
        return self.encoding == "UTF8" == self.get_parameter_status("client_encoding")

    def silent_for(self, now: float) -> float:
        """For how many seconds the statement under way has had no answer; 0 without one."""
        return 0.0 if self.deadline == NEVER else now - (self.deadline - self.patience)

    def cut(self) -> None:
        """End the statement under way: its thread reads the end of the stream at once."""
        self.deadline = NEVER
        # on a copy of the descriptor: the original belongs to the thread that is waiting on it
        with suppress(OSError, psycopg2.Error), socket.socket(fileno=os.dup(self.fileno())) as end:
            end.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Run what takes one answer of the server; the keeper cuts it when it takes too long."""
        self.touched = True
        self.deadline = self.clock() + self.patience
        try:
            yield
        except psycopg2.errors.ReadOnlySqlTransaction:
            # the primary became a standby: the next connection may find the new primary
            self.doomed = True
            raise
        finally:
            self.deadline = NEVER
            if not self.closed:
                self.heard_at = self.clock()


class Cursor(extensions.cursor):
    """A cursor whose statements have a deadline, and whose first one cleans the session."""

    connection: Connection

    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002 - psycopg2's name for it
        """Send one message, with RESET in front when an earlier borrower used the connection."""
        conn = self.connection
        carries_reset = conn.reset_due and conn.get_transaction_status() == _IDLE
        if carries_reset:
            query = _after_reset(query, conn)
        # `timed()` written out: a generator here would cost as much again as all the rest
        conn.touched = True
        conn.deadline = conn.clock() + conn.patience
        try:
            _execute(self, query, vars)
        except psycopg2.errors.ReadOnlySqlTransaction:
            conn.doomed = True
            raise
        finally:
            conn.deadline = NEVER
            if not conn.closed:
                conn.heard_at = conn.clock()
        if carries_reset:
            conn.reset_due = False

    def executemany(self, query: Any, vars_list: Any) -> None:
        """Send one message for each; `rowcount` is the last one's."""
        for values in vars_list:
            self.execute(query, values)

    def callproc(self, procname: Any, parameters: Any = None, /) -> Any:
        """Call a function, timed."""
        return self._alone(super().callproc, procname, *(() if parameters is None else (parameters,)))

    def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
        """Run COPY, timed as one statement."""
        self._alone(super().copy_expert, sql, file, size)

    def copy_from(self, file: Any, table: str, *options: Any, **named: Any) -> None:
        """Run COPY FROM, timed as one statement."""
        self._alone(super().copy_from, file, table, *options, **named)

    def copy_to(self, file: Any, table: str, *options: Any, **named: Any) -> None:
        """Run COPY TO, timed as one statement."""
        self._alone(super().copy_to, file, table, *options, **named)

    def _alone(self, send: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """Run what no RESET can travel in front of: it goes ahead in a message of its own."""
        self.connection.clean()
        with self.connection.timed():
            return send(*given, **named)


class NamedCursor(Cursor):
    """A server-side cursor: each fetch is a message too."""

    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002 - psycopg2's name for it
        """Declare the cursor."""
        # psycopg2 puts DECLARE in front of the text, so nothing else may be in front of it
        self._alone(_execute, self, query, vars)

    def fetchone(self) -> Any:
        """The next row, timed."""
        return self._alone(super().fetchone)

    def fetchmany(self, size: int | None = None) -> Any:
        """The next rows, timed."""
        return self._alone(super().fetchmany, size or self.arraysize)

    def fetchall(self) -> Any:
        """All further rows, timed as one statement."""
        return self._alone(super().fetchall)

    def __next__(self) -> Any:
        return self._alone(super().__next__)

    def scroll(self, value: int, mode: str = "relative") -> None:
        """Move on, timed."""
        self._alone(super().scroll, value, mode)

    def close(self) -> None:
        """Close the cursor on the server too, timed."""
        self._alone(super().close)


def _after_reset(query: Any, conn: Connection) -> str | bytes:
    if isinstance(query, bytes):
        return RESET.encode() + query
    return RESET + (query.as_string(conn) if isinstance(query, Composable) else query)
