"""The unit of work: who, where, with what and in which transaction, in one object that begins and ends.

Everything that touches data happens inside one. It takes its connection at the first
statement, and when it ends it rolls back what is open, returns the connection at once and
forgets what its queries read. One ContextVar holds it, and nothing else does: there is no
thread-local connection, and no hook of the web framework that returns one.

A ContextVar is copied into tasks and may be carried into threads, so a unit also knows the
place it was entered at: anywhere else it is not in force.
"""

import asyncio
import logging
import threading
import time
import weakref
from contextvars import ContextVar
from functools import partial
from typing import Any

from peewee import _ConnectionState
from psycopg2 import extensions

from app.database.login import translated
from app.database.messages import context_sql, only_reads, send
from app.database.principal import Principal
from app.database.routing import PASSED_THROUGH, Databases
from app.errors import (
    DatabaseUnavailableError,
    NamedCursorError,
    NoTenantError,
    OpenTransactionError,
    ScopeSwapError,
)
from app.pool import Connection, PoolError
from app.pool.leaks import describe, note_caller

log = logging.getLogger(__name__)

_IDLE = extensions.TRANSACTION_STATUS_IDLE
_OPEN = (extensions.TRANSACTION_STATUS_INTRANS, extensions.TRANSACTION_STATUS_INERROR)
_current: "ContextVar[Unit | None]" = ContextVar("unit", default=None)


class Unit:
    """One principal at work, on one connection of one application's databases.

    `statement_timeout` (seconds) is given to each of its statements instead of the role's own.
    """

    __slots__ = (
        "__weakref__",
        "_began_at",
        "_context",
        "_outer",
        "_place",
        "_rows",
        "_wrote",
        "databases",
        "ended",
        "principal",
        "state",
        "statement_timeout",
        "statements",
    )

    def __init__(
        self, principal: Principal, databases: Databases, *, statement_timeout: float | None = None
    ) -> None:
        self.principal = principal
        self.databases = databases
        self.statement_timeout = statement_timeout
        # Peewee's own record of a connection and its open transactions
        self.state = _ConnectionState()
        self.statements = 0
        self.ended = False
        self._context = context_sql(principal, statement_timeout)
        self._place = _here()
        self._rows: dict[int, tuple[weakref.ref[Any], Any]] = {}
        self._outer: Unit | None = None
        self._began_at: Any = None
        self._wrote = False

    # --- beginning and ending --------------------------------------------------------------------

    def enter(self) -> None:
        """Put the unit in force, here and nowhere else."""
        self._place = _here()
        # no Token: it holds the context that holds the unit, and a unit that was forgotten would stay
        self._outer = _current.get()
        _current.set(self)

    def leave(self, *, failed: bool = False) -> None:
        """End the unit, and put back in force what was before."""
        if _current.get() is self:
            _current.set(self._outer)
        self.end(failed=failed)

    def end(self, *, failed: bool = False) -> None:
        """Roll back what is open, return the connection, forget the rows.

        Raises OpenTransactionError, outside production, for a transaction that was begun by hand,
        unless the unit `failed` already.
        """
        if self.ended:
            return
        self.ended = True
        by_hand = self._is_open() and not self.state.transactions
        # one begun with a bare cursor is named by where its connection was taken
        began_at = self._began_at or (self.state.conn.taken_from if by_hand else ())
        # first, for a server-side cursor that was not read to its end closes itself with them
        self._rows.clear()
        # the pool closes a connection that comes back in a transaction: no wait for a frozen server
        self._return()
        if by_hand:
            error = OpenTransactionError(who=self.principal, where=describe(began_at, PASSED_THROUGH))
            log.error("%s", error)
            if not failed and not self.databases.settings.in_production:
                raise error

    def give_back(self) -> None:
        """Return the connection between two statements; in a transaction it is kept."""
        if self.state.conn is not None and not self.state.transactions and not self._is_open():
            self._return()

    def _return(self) -> None:
        conn = self.state.conn
        self.state.reset()
        if conn is not None:
            self.databases.shared.putconn(conn)

    def _is_open(self) -> bool:
        conn = self.state.conn
        return conn is not None and not conn.closed and conn.get_transaction_status() in _OPEN

    def is_here(self) -> bool:
        """Whether this is the thread and the task that entered it, and it has not ended."""
        return self._place == _here() and not self.ended

    def move_here(self) -> None:
        """Let the calling thread go on with a unit that nobody else is in at the moment."""
        self._place = _here()

    # --- statements ------------------------------------------------------------------------------

    def connection(self) -> Connection:
        """The unit's connection, taken from the pool at the first call; a broken one is replaced.

        Raises DatabaseUnavailableError or one of its kind, also when the connection broke in the
        middle of a transaction.
        """
        conn: Connection | None = self.state.conn
        if conn is not None and conn.closed:
            if self.state.transactions:
                raise DatabaseUnavailableError
            self._return()
            conn = None
        return conn or self._take()

    def execute(
        self, sql: str, params: Any = None, *, name: str | None = None, leaves_nothing: bool = False
    ) -> Any:
        """Send one statement, outside a transaction with the context in front; returns its cursor.

        `leaves_nothing` promises that the statement changes nothing of the session, so that the
        next borrower's message needs no cleaning in front. Raises NamedCursorError for a
        server-side cursor outside a transaction, WrongTenantError, DatabaseUnavailableError,
        OutcomeUnknownError, and Peewee's errors.
        """
        conn = self.connection()
        alone = conn.get_transaction_status() == _IDLE
        if name and alone:
            raise NamedCursorError
        writes = not only_reads(sql)
        self._wrote = self._wrote or writes
        needed_reset = conn.needs_reset
        # psycopg2 knows no server-side cursor in autocommit but one WITH HOLD, inside a transaction too
        cursor = conn.cursor(name, withhold=True) if name else conn.cursor()
        text = f"{self._context};\n{sql}" if alone else sql
        self._observed(cursor, text, sql, params, at_stake=alone and writes)
        if leaves_nothing:
            conn.needs_reset = needed_reset
        elif alone and conn.get_transaction_status() != _IDLE:
            self._began_at = note_caller()
        return cursor

    def begin(self, mode: str = "") -> None:
        """Send BEGIN and the context in one message. Raises ScopeSwapError in an open transaction."""
        conn = self.connection()
        if conn.get_transaction_status() in _OPEN:
            raise ScopeSwapError(current="a transaction that was begun by hand", wanted="`db.atomic()`")
        self._wrote = False
        # `db.begin()` by hand comes here too
        self._began_at = note_caller()
        self._bracket(conn, f"BEGIN{mode}; {self._context}")

    def commit(self) -> None:
        """Commit.

        Raises OutcomeUnknownError when the connection breaks before the answer to a transaction that
        wrote, DatabaseUnavailableError when it broke before: then nothing of it was done.
        """
        conn = self.state.conn
        if conn is None or conn.closed:
            raise DatabaseUnavailableError
        self._bracket(conn, "COMMIT", at_stake=self._wrote)

    def rollback(self) -> None:
        """Roll back. On a dead connection that is done already, and its first error the one to see."""
        conn = self.state.conn
        if conn is None or conn.closed:
            return
        try:
            self._bracket(conn, "ROLLBACK")
        except DatabaseUnavailableError:
            log.info("a transaction ended with its connection")

    def is_broken(self) -> bool:
        """Whether the connection died under the unit."""
        return self.state.conn is not None and bool(self.state.conn.closed)

    def _take(self) -> Connection:
        if self.ended:
            raise NoTenantError
        try:
            conn = self.databases.shared.getconn(owner=self)
        except PoolError as error:
            raise translated(error) from error
        if self.statement_timeout is not None:
            conn.statement_timeout = self.statement_timeout
        self.state.set_connection(conn)
        return conn

    def _bracket(self, conn: Connection, text: str, *, at_stake: bool = False) -> None:
        """Send what begins or ends a transaction: it leaves nothing of its own in the session."""
        needed_reset = conn.needs_reset
        send(conn.cursor(), text, None, principal=self.principal, at_stake=at_stake)
        conn.needs_reset = needed_reset

    def _observed(self, cursor: Any, text: str, told: str, params: Any, *, at_stake: bool) -> None:
        """Send one statement, and tell the observers of it as its author wrote it."""
        self.statements += 1
        observers = self.databases.observers
        started = time.perf_counter() if observers else 0.0
        try:
            send(cursor, text, params, principal=self.principal, at_stake=at_stake)
        finally:
            for observe in observers:
                observe(told, params, time.perf_counter() - started)

    # --- rows ------------------------------------------------------------------------------------

    def rows_of(self, query: Any) -> Any:
        """What this unit read with a query object, or None."""
        kept = self._rows.get(id(query))
        return kept[1] if kept else None

    def keep_rows(self, query: Any, rows: Any) -> None:
        """Keep what a query read until the unit or the query object ends; None forgets it."""
        key = id(query)
        if rows is None:
            self._rows.pop(key, None)
        else:
            self._rows[key] = (weakref.ref(query, partial(_forget, weakref.ref(self), key)), rows)


def unit_in_force() -> Unit | None:
    """The unit in force here, or None."""
    unit = _current.get()
    return unit if unit is not None and unit.is_here() else None


def current_unit() -> Unit:
    """The unit in force here. Raises NoTenantError outside any."""
    unit = _current.get()
    if unit is None or not unit.is_here():
        raise NoTenantError
    return unit


def principal_in_force() -> Principal | None:
    """The principal in force here, or None: for logs, which must never fail."""
    unit = unit_in_force()
    return unit.principal if unit else None


def begin_request() -> None:
    """Begin with no unit in force, whatever ran on this thread before."""
    _current.set(None)


def _here() -> tuple[int, int]:
    loop = asyncio._get_running_loop()
    return threading.get_ident(), 0 if loop is None else id(asyncio.current_task(loop))


def _forget(unit: "weakref.ref[Unit]", key: int, _query: Any) -> None:
    alive = unit()
    if alive is not None:
        alive._rows.pop(key, None)
