"""The owner's connection for migrations: one run at a time, and none that waits for ever."""

from typing import Any

import psycopg2
from psycopg2 import errorcodes
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import quote_ident

from app.config import Settings, read_settings
from app.database import OwnerDatabase
from app.errors import ConfigurationError, DatabaseUnavailableError, MigrationError
from app.migrate.history import TABLE

LOCK_WAIT = "60s"
_LIMITS = "SET TIME ZONE 'UTC'; SET lock_timeout = '5s'; SET statement_timeout = '60s'"
_HISTORY = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (
    id serial PRIMARY KEY,
    name varchar(255) NOT NULL CONSTRAINT uniq_{TABLE}_name UNIQUE,
    migrated_at timestamptz DEFAULT CURRENT_TIMESTAMP NOT NULL
)
"""
_HOLDER = f"""
SELECT a.application_name, a.xact_start FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.relation = '{TABLE}'::regclass AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted
"""


class MigrationDatabase(OwnerDatabase):
    """The owner's database, which takes the migration lock before its first statement.

    The lock is a table lock on the history, held by a connection of its own until the
    process ends. The application's role may only read the history, so it cannot take it
    (an advisory lock it could), and the mode lets this connection write the history.
    https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES
    """

    _lock_holder: Connection | None = None

    def _connect(self) -> Connection:
        try:
            if self._lock_holder is None or self._lock_holder.closed:
                self._lock_holder = _locked(super()._connect())
            conn: Connection = super()._connect()
        except psycopg2.OperationalError as error:
            raise DatabaseUnavailableError from error
        with conn.cursor() as cursor:
            cursor.execute(_LIMITS)
            _let_application_read(cursor, self.settings.db_user)
        return conn

    def close_all(self) -> None:
        """Close both connections; the lock is free at once."""
        self.close()
        if self._lock_holder is not None:
            self._lock_holder.close()


def migration_settings() -> Settings:
    """The settings, with the owner's password in them. Raises ConfigurationError."""
    settings = read_settings()
    if not settings.db_owner_password:
        right = f"the password of DB_OWNER_USER, {settings.db_owner_user!r}, which migrations log in as"
        raise ConfigurationError([f"DB_OWNER_PASSWORD is missing; it must be {right}"])
    return settings


def _locked(conn: Connection) -> Connection:
    """Hold the migration lock on this connection. Raises MigrationError after LOCK_WAIT."""
    with conn.cursor() as cursor:
        _make_history(cursor)
        cursor.execute("SET idle_in_transaction_session_timeout = 0; SET statement_timeout = 0")
        cursor.execute(f"SET lock_timeout = '{LOCK_WAIT}'")
        try:
            cursor.execute(f"BEGIN; LOCK TABLE {TABLE} IN SHARE UPDATE EXCLUSIVE MODE")
        except psycopg2.errors.LockNotAvailable:
            cursor.execute("ROLLBACK")
            cursor.execute(_HOLDER)
            holder, since = cursor.fetchone() or ("another process", "now")
            conn.close()
            what = f"Another migration has held the lock for {LOCK_WAIT} ({holder}, since {since})"
            raise MigrationError(what=what, remedy="Wait until it ends, or end it, and run again") from None
    return conn


def _make_history(cursor: Any) -> None:
    try:
        cursor.execute(_HISTORY)
    except psycopg2.Error as error:
        # two first runs at once: the other one made it between our look and our CREATE
        if error.pgcode not in {errorcodes.UNIQUE_VIOLATION, errorcodes.DUPLICATE_TABLE}:
            raise


def _let_application_read(cursor: Any, role: str) -> None:
    try:
        cursor.execute("SELECT has_table_privilege(%s, %s, 'SELECT')", (role, TABLE))
    except psycopg2.errors.UndefinedObject:
        what = f"The application's role {role!r} does not exist"
        raise MigrationError(what=what, remedy="Run `flask db-bootstrap` first") from None
    if not cursor.fetchone()[0]:
        cursor.execute(f"GRANT SELECT ON {TABLE} TO {quote_ident(role, cursor.connection)}")
