"""The database: a pool that puts the tenant on every message.

psycopg2 speaks the simple query protocol, so several statements travel in one
message, and a message outside a transaction is a transaction of its own. The tenant
therefore costs no round trip, works through PgBouncer in transaction mode, leaves
nothing behind on the connection, and fails closed.
https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT
"""

import math
import os
from typing import Any

import peewee
import psycopg2
from playhouse.postgres_ext import PostgresqlExtDatabase, Psycopg2ExtAdapter
from psycopg2.extensions import (
    TRANSACTION_STATUS_IDLE,
    TRANSACTION_STATUS_UNKNOWN,
)
from psycopg2.extensions import connection as Connection

from app import tenancy
from app.config import Settings
from app.errors import (
    DatabaseNotReadyError,
    DatabaseUnavailableError,
    NamedCursorError,
    PoolTooLargeError,
    ScopeSwapError,
    UnsafeRoleError,
    WrongTenantError,
)
from app.pool import SESSION, Pool

SEPARATOR = ";\n"
_INSUFFICIENT_PRIVILEGE = "42501"

# one message for each new connection: whoever it logs in as, it is known before the first row
_GREETING = f"""
{SESSION};
SELECT current_user,
       EXISTS (SELECT FROM pg_roles
               WHERE (rolsuper OR rolbypassrls) AND pg_has_role(oid, 'MEMBER')) AS may_bypass,
       EXISTS (SELECT FROM pg_class
               WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
                 AND pg_has_role(relowner, 'MEMBER')) AS owns_tables
"""


# what is left for those who are not superusers
# https://www.postgresql.org/docs/current/runtime-config-connection.html
_ROOM = """
SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
"""


class _Adapter(Psycopg2ExtAdapter):
    """psycopg2, looked at once: names the process, sets UTC, refuses a log-in that is too strong."""

    def connect(self, db: peewee.Database, **params: Any) -> Connection:
        """Log in and be greeted. Raises UnsafeRoleError."""
        # named here, not at start: a forked worker opens its own connections
        conn: Connection = super().connect(db, application_name=f"fixapp {os.getpid()}", **params)
        conn.autocommit = True
        try:
            _refuse_unsafe_role(conn)
        except BaseException:
            conn.close()
            raise
        return conn


class Database(Pool):
    """A pool on which every statement speaks for the scope in force, or is refused."""

    psycopg2_adapter = _Adapter

    def open(self, settings: Settings) -> None:
        """Take the settings; no connection is made before the first statement."""
        self.init(
            settings.db_name,
            min_connections=settings.db_pool_min,
            max_connections=settings.db_pool_max,
            idle_timeout=settings.db_pool_idle_timeout,
            timeout=settings.db_connect_timeout,
            user=settings.db_user,
            password=settings.db_password,
            **server(settings),
        )

    def check(self, processes: int = 1) -> None:
        """Log in once and hang up.

        Raises DatabaseNotReadyError, UnsafeRoleError, or PoolTooLargeError when the pools of so
        many processes do not fit into the server's connections.
        """
        try:
            with self.connection_context():
                self._check_room(processes)
        except DatabaseUnavailableError as error:
            raise _not_ready(self.database, self.connect_params, error.__cause__ or error) from error

    def _check_room(self, processes: int) -> None:
        with self.cursor() as cursor:
            cursor.execute(_ROOM)
            (room,) = cursor.fetchone()
        if processes * self._max_connections > room:
            raise PoolTooLargeError(processes=processes, largest=self._max_connections, room=room)

    def ping(self) -> None:
        """Have the server answer, in nobody's name. Raises what keeps it from answering."""
        with peewee.__exception_wrapper__:
            self.cursor().execute("SELECT 1")

    def begin(self, isolation_level: str | int | None = None) -> None:
        """Send BEGIN and the tenant in one message.

        Raises NoTenantError outside a scope, ScopeSwapError when a transaction was begun by hand.
        """
        scope = tenancy.current_scope()
        status = self.connection().get_transaction_status()
        if status not in {TRANSACTION_STATUS_IDLE, TRANSACTION_STATUS_UNKNOWN}:
            raise ScopeSwapError(current="that of an open transaction", wanted=scope)
        level = isolation_level or self._isolation_level
        mode = f" ISOLATION LEVEL {self._adapter.isolation_level_str(level)}" if level else ""
        with peewee.__exception_wrapper__:
            self.cursor().execute(f"BEGIN{mode}; {scope.stamp}")
        self._state.scope = scope

    def execute_sql(self, sql: str, params: Any = None, named_cursor: Any = None) -> Any:
        """Send one statement with the tenant in front of it.

        Raises NoTenantError outside a scope, ScopeSwapError when the scope is not the one
        its transaction began in, NamedCursorError for a server-side cursor outside a
        transaction, WrongTenantError when a row of another tenant is written.
        """
        scope = tenancy.current_scope()
        status = self.connection().get_transaction_status()
        if status == TRANSACTION_STATUS_IDLE:
            if named_cursor:
                raise NamedCursorError
            sql = f"{scope.stamp}{SEPARATOR}{sql}"
        elif status != TRANSACTION_STATUS_UNKNOWN and scope != getattr(self._state, "scope", None):
            raise ScopeSwapError(current=getattr(self._state, "scope", "none"), wanted=scope)
        try:
            return super().execute_sql(sql, params, named_cursor=named_cursor)
        except peewee.ProgrammingError as error:
            if _breaks_a_policy(error):
                raise WrongTenantError(given="another scope", current=scope) from error
            raise


class OwnerDatabase(PostgresqlExtDatabase):
    """The owner's connection, for migrations: no pool, no tenant, one process at a time."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        super().__init__(
            settings.db_name,
            user=settings.db_owner_user,
            password=settings.db_owner_password,
            application_name=f"fixapp owner {os.getpid()}",
            **server(settings),
        )

    def _connect(self) -> Connection:
        try:
            conn: Connection = super()._connect()
        except psycopg2.OperationalError as error:
            raise _not_ready(self.database, self.connect_params, error) from error
        return conn

    @property
    def application_role(self) -> str:
        """The application's role, quoted: what migrations grant to."""
        return '"' + self.settings.db_user.replace('"', '""') + '"'


def owner_connection(settings: Settings, name: str) -> Connection:
    """Log in as the owner to any database, in autocommit. Raises DatabaseNotReadyError."""
    params = server(settings)
    try:
        conn: Connection = psycopg2.connect(
            dbname=name,
            user=settings.db_owner_user,
            password=settings.db_owner_password,
            application_name=f"fixapp owner {os.getpid()}",
            **params,
        )
    except psycopg2.OperationalError as error:
        raise _not_ready(name, params, error) from error
    conn.autocommit = True
    return conn


def _not_ready(name: str, params: dict[str, Any], error: BaseException) -> DatabaseNotReadyError:
    reason = " ".join(str(error).split())
    return DatabaseNotReadyError(name=name, host=params["host"], port=params["port"], reason=reason)


def server(settings: Settings) -> dict[str, Any]:
    """The parameters of libpq for the server alone, without a log-in.

    https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
    """
    params: dict[str, Any] = {
        "host": settings.db_host,
        "port": settings.db_port,
        "sslmode": settings.db_sslmode,
        "connect_timeout": math.ceil(settings.db_connect_timeout),
    }
    if settings.db_sslrootcert:
        params["sslrootcert"] = settings.db_sslrootcert
    if settings.db_sslmode == "verify-full":
        params["ssl_min_protocol_version"] = "TLSv1.3"
    return params


def statement(sql: str) -> str:
    """A statement as its author wrote it, without the tenant in front: for logs."""
    stamp, separator, rest = sql.partition(SEPARATOR)
    return rest if separator and stamp.startswith("SELECT set_config('app.") else sql


def _refuse_unsafe_role(conn: Connection) -> None:
    with conn.cursor() as cursor:
        cursor.execute(_GREETING)
        role, may_bypass, owns_tables = cursor.fetchone() or ("", True, True)
    if may_bypass:
        raise UnsafeRoleError(role=role, why="is a superuser or may bypass policies")
    if owns_tables:
        raise UnsafeRoleError(role=role, why="owns tables")


def _breaks_a_policy(error: peewee.ProgrammingError) -> bool:
    original = getattr(error, "orig", None)
    return getattr(original, "pgcode", None) == _INSUFFICIENT_PRIVILEGE and "row-level security" in str(error)


db = Database(None)
