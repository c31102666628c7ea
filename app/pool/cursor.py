"""Cursors whose statements end in time, and whose first message resets the session."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

import psycopg2
from psycopg2 import errors, extensions
from psycopg2.sql import Composable

_USABLE = (extensions.TRANSACTION_STATUS_IDLE, extensions.TRANSACTION_STATUS_INTRANS)
_FAILED = extensions.TRANSACTION_STATUS_INERROR
_execute = extensions.cursor.execute


class TimedConnection(Protocol):
    """What a cursor needs of its connection."""

    needs_reset: bool
    reset_pending: bool
    reset_sql: str
    started_at: float
    write_refused: bool
    taken_at: float
    returned_at: float
    closed: int

    def cursor(self) -> Any: ...  # noqa: D102 - psycopg2's own
    def get_transaction_status(self) -> int: ...  # noqa: D102
    def clock(self) -> float: ...  # noqa: D102 - told where it is defined
    def carries_reset(self) -> bool: ...  # noqa: D102
    def reset_now(self) -> None: ...  # noqa: D102
    def finish(self) -> None: ...  # noqa: D102
    def timed(self) -> AbstractContextManager[None]: ...  # noqa: D102


class Cursor(extensions.cursor):
    """A cursor whose statements end in time; the first after another borrower carries the reset in front."""

    connection: TimedConnection  # type: ignore[assignment] # a Connection always

    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002 - psycopg2's name for it
        """Send one message. Raises psycopg2's errors; QueryCanceled when it took too long."""
        conn = self.connection
        resets = conn.reset_pending and conn.carries_reset()
        if resets:
            query = _behind(conn.reset_sql, query, conn)
        # `timed()` written out: a generator here would cost as much again as all the rest
        conn.needs_reset = True
        conn.started_at = conn.clock()
        try:
            _execute(self, query, vars)
        except psycopg2.Error as error:
            conn.write_refused |= isinstance(error, errors.ReadOnlySqlTransaction)
            # cancelled in the middle of the reset, which is a transaction of its own
            if resets and conn.get_transaction_status() == _FAILED:
                _execute(self, "ROLLBACK")
            raise
        finally:
            conn.finish()
        if resets:
            conn.reset_pending = False

    def executemany(self, query: Any, vars_list: Any) -> None:
        """Send one message for each; `rowcount` is the last one's."""
        for values in vars_list:
            self.execute(query, values)

    def callproc(self, procname: Any, parameters: Any = None, /) -> Any:
        """Call a function, in time."""
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
        """Run what no reset can travel in front of: it goes ahead in a message of its own."""
        self.connection.reset_now()
        with self.connection.timed():
            return send(*given, **named)


class NamedCursor(Cursor):
    """A server-side cursor: each fetch is a message too, and none after its loan.

    Whoever forgot one would otherwise send its end, or a fetch, into the next borrower's transaction.
    """

    def __init__(self, conn: Any, *args: Any, **options: Any) -> None:
        super().__init__(conn, *args, **options)
        self._loan = conn.taken_at

    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002 - psycopg2's name for it
        """Declare the cursor."""
        # psycopg2 puts DECLARE in front of the text, so nothing else may be in front of it
        self._alone(_execute, self, query, vars)

    def fetchone(self) -> Any:
        """Fetch the next row, in time."""
        return self._alone(super().fetchone)

    def fetchmany(self, size: int | None = None) -> Any:
        """Fetch the next rows, in time."""
        return self._alone(super().fetchmany, size or self.arraysize)

    def fetchall(self) -> Any:
        """Fetch all further rows, timed as one statement."""
        return self._alone(super().fetchall)

    def __next__(self) -> Any:
        return self._alone(super().__next__)

    def scroll(self, value: int, mode: str = "relative") -> None:
        """Move on, in time."""
        self._alone(super().scroll, value, mode)

    def close(self) -> None:
        """Close the cursor on the server too, in time, if it is still there.

        It is not after its loan or its transaction's end, and to close it then, which the garbage
        collector may do at any moment, would be an error in a transaction of somebody else's.
        """
        if not self._is_over() and self._is_declared():
            super()._alone(super().close)

    def _alone(self, send: Callable[..., Any], *given: Any, **named: Any) -> Any:
        if self._is_over():
            raise psycopg2.InterfaceError("the cursor's connection was returned: read it before that")
        return super()._alone(send, *given, **named)

    def _is_declared(self) -> bool:
        if self.connection.closed or self.connection.get_transaction_status() not in _USABLE:
            return False
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT FROM pg_cursors WHERE name = %s", (self.name,))
            return bool(cursor.rowcount)

    def _is_over(self) -> bool:
        conn = self.connection
        return conn.taken_at != self._loan or conn.returned_at > conn.taken_at


def _behind(reset: str, query: Any, conn: Any) -> str | bytes:
    if isinstance(query, bytes):
        return reset.encode() + query
    return reset + (query.as_string(conn) if isinstance(query, Composable) else query)
