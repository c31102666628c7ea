"""The Peewee database that every model is bound to: whatever is asked of it, the unit in force does."""

from contextlib import suppress
from typing import Any
from uuid import uuid4

import peewee
from peewee import _ConnectionState
from playhouse.postgres_ext import PooledPostgresqlExtDatabase

from app.database.rows import keep_rows_in_units
from app.database.unit import current_unit, unit_in_force
from app.errors import DatabaseUnavailableError
from app.pool import Connection

# the pools are the applications' own (routing.py); these figures are only told to Peewee
_MAX_CONNECTIONS = 10
_STALE_TIMEOUT = 30

keep_rows_in_units()


class Database(PooledPostgresqlExtDatabase):
    """One database for all models; the unit in force says as whom, on which connection of which pool.

    Outside a unit every statement raises NoTenantError before it is sent.
    """

    @property
    def _state(self) -> _ConnectionState:
        """Peewee's record of the connection: the unit's, and outside any unit that of a closed one."""
        unit = unit_in_force()
        return _ConnectionState() if unit is None else unit.state

    @_state.setter
    def _state(self, value: object) -> None:
        """Peewee's own, made for threads, is not used."""

    def connect(self, reuse_if_open: bool = False) -> bool:
        """Take the unit's connection now instead of at its first statement."""
        unit = current_unit()
        if unit.state.conn is not None:
            if reuse_if_open:
                return False
            raise peewee.OperationalError("Connection already opened.")
        unit.connection()
        return True

    def close(self) -> bool:
        """Return the unit's connection; the next statement takes one again. False outside a unit."""
        unit = unit_in_force()
        was_open = unit is not None and unit.state.conn is not None
        if unit is not None:
            unit.give_back()
        return was_open

    def connection(self) -> Connection:
        """The unit's connection. A cursor made from it carries no tenant and sees no rows."""
        return current_unit().connection()

    def cursor(self, named_cursor: Any = None) -> Any:
        """A cursor of the unit's connection, without a tenant."""
        conn = self.connection()
        return conn.cursor(_name(), withhold=True) if named_cursor else conn.cursor()

    def execute_sql(self, sql: str, params: Any = None, named_cursor: Any = None) -> Any:
        """Send one statement in the unit in force."""
        return current_unit().execute(sql, params or (), name=_name() if named_cursor else None)

    def begin(self, isolation_level: str | int | None = None) -> None:
        """Begin a transaction of the unit."""
        level = isolation_level or self._isolation_level
        current_unit().begin(f" ISOLATION LEVEL {self._adapter.isolation_level_str(level)}" if level else "")

    def commit(self) -> None:
        """Commit the unit's transaction."""
        current_unit().commit()

    def rollback(self) -> None:
        """Roll the unit's transaction back."""
        current_unit().rollback()

    def savepoint(self) -> "_Savepoint":
        """A savepoint whose rollback hides no earlier error."""
        return _Savepoint(self)


class _Savepoint(peewee._savepoint):
    """A savepoint that leaves a dead connection alone, so that its first error is the one to see."""

    def rollback(self, begin: bool = True) -> None:
        """Roll back to the savepoint; on a dead connection there is nothing to keep."""
        unit = unit_in_force()
        if unit is None or not unit.is_broken():
            with suppress(DatabaseUnavailableError):  # it broke just now: the error under way says more
                super().rollback(begin)


def _name() -> str:
    return f"cursor_{uuid4().hex}"


db = Database("the unit's own", max_connections=_MAX_CONNECTIONS, stale_timeout=_STALE_TIMEOUT)
