"""The owner's connection for migrations: one run at a time, and none that waits for ever."""

from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from app.config import Settings, read_settings
from app.database import OwnerDatabase
from app.errors import ConfigurationError, MigrationError
from app.migrate.concurrently import execute_concurrently, is_meant
from app.migrate.files import FOLDER, STATEMENT_TIMEOUT
from app.migrate.guard import refuse_if_serving
from app.migrate.lock import hold
from app.migrate.role import let_application_read, refuse_unless_owner

# `row_security = off` makes no row visible: it makes a statement fail where a policy would hide rows
# from it. Forced policies blind the owner too; a backfill would touch nothing, and be proud of it.
# https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-ROW-SECURITY
_LIMITS = """
{set} TIME ZONE 'UTC'; {set} row_security = off;
{set} lock_timeout = '1s'; {set} statement_timeout = '{timeout}'
"""


class MigrationDatabase(OwnerDatabase):
    """The owner's database, which takes the migration lock before its first statement.

    Raises NotOwnerError, MigrationLockedError, DatabaseUnavailableError when it connects.
    """

    recording = False

    def __init__(self, settings: Settings, folder: Path = FOLDER) -> None:
        self.folder = folder
        self._holder: Connection | None = None
        super().__init__(settings)

    def execute_sql(self, sql: str, params: Any = None, **options: Any) -> Any:
        """Send a statement; one that says CONCURRENTLY is made safe to run again."""
        if is_meant(sql):
            return execute_concurrently(self, sql, super().execute_sql)
        return super().execute_sql(sql, params, **options)

    def inspect(self, name: str) -> None:
        """Look at what a file made before it counts; whoever knows the rules overrides this."""

    def refuse_lost_lock(self) -> None:
        """Raise MigrationError when the connection that holds the lock is gone."""
        try:
            if self._holder is not None:
                self._holder.cursor().execute("SELECT 1")
        except psycopg2.Error as error:
            what = "The connection that held the migration lock was lost"
            raise MigrationError(what=what, remedy="Run again: what is done is recorded") from error

    def close_all(self) -> None:
        """Close both connections; the lock is free at once."""
        self.close()
        if self._holder is not None:
            self._holder.close()

    def _connect(self) -> Connection:
        refuse_if_serving()
        if self._holder is None or self._holder.closed:
            self._holder = self._holding(super()._connect())
        conn: Connection = super()._connect()
        with conn.cursor() as cursor:
            cursor.execute(limits())
            let_application_read(cursor, self.settings.db_user)
        return conn

    def _holding(self, conn: Connection) -> Connection:
        try:
            with conn.cursor() as cursor:
                refuse_unless_owner(cursor, self.settings.db_user)
            hold(conn)
        except BaseException:
            conn.close()
            raise
        return conn


def limits(statement_timeout: str = STATEMENT_TIMEOUT, *, local: bool = False) -> str:
    """The SQL that sets what a migration may take, for a session or for a transaction."""
    return _LIMITS.strip().format(set="SET LOCAL" if local else "SET", timeout=statement_timeout)


def migration_settings() -> Settings:
    """The settings, with the owner's password in them. Raises ConfigurationError."""
    settings = read_settings()
    if not settings.db_owner_password:
        right = f"the password of DB_OWNER_USER, {settings.db_owner_user!r}, which migrations log in as"
        raise ConfigurationError([f"DB_OWNER_PASSWORD is missing; it must be {right}"])
    return settings


def sqlstate(error: Exception) -> str | None:
    """PostgreSQL's code for an error, or None where the connection itself failed.

    https://www.postgresql.org/docs/current/errcodes-appendix.html
    """
    code: str | None = getattr(getattr(error, "orig", None), "pgcode", None)
    return code
