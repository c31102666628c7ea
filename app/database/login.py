"""How a connection is made: its parameters, its greeting, and the errors that keep it away."""

import math
import os
from typing import Any

from psycopg2.extensions import connection as PlainConnection

from app import errors
from app.config import Settings
from app.errors import (
    AppError,
    DatabaseNotReadyError,
    DatabaseUnavailableError,
    PoolTooLargeError,
    UnsafeRoleError,
)
from app.pool import (
    SESSION,
    Connection,
    ConnectionUnavailable,
    LoginRefused,
    PoolClosed,
    PoolError,
    PoolTimeout,
    ServerStarting,
    TooManyConnections,
    TooManyRequests,
)

# TCP's own way to notice that the other machine is gone while nothing is being sent
# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-KEEPALIVES
_KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}

# one message for each new connection: whoever it logs in as, it is known before the first row
_GREETING = f"""
{SESSION};
SELECT current_user,
       EXISTS (SELECT FROM pg_roles
               WHERE (rolsuper OR rolbypassrls) AND pg_has_role(oid, 'MEMBER')) AS may_bypass,
       EXISTS (SELECT FROM pg_class
               WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
                 AND pg_has_role(relowner, 'MEMBER')) AS owns_tables,
       (SELECT setting::int FROM pg_settings WHERE name = 'statement_timeout') AS statement_timeout
"""
_MILLISECONDS = 1000

# what is left for those who are not superusers
# https://www.postgresql.org/docs/current/runtime-config-connection.html
_ROOM = """
SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
"""

_TRANSLATIONS: tuple[tuple[type[PoolError], type[AppError]], ...] = (
    (LoginRefused, errors.DatabaseLoginRefusedError),
    (TooManyConnections, errors.TooManyConnectionsError),
    (ServerStarting, errors.DatabaseStartingError),
    (ConnectionUnavailable, DatabaseUnavailableError),
    (PoolClosed, errors.PoolClosedError),
)


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


def parameters(settings: Settings) -> dict[str, Any]:
    """The parameters of libpq for a log-in as the application."""
    # libpq's own time limit is only a net under the pool's, for attempts that nobody waits for any more
    limit = {"connect_timeout": math.ceil(settings.db_connect_timeout) + 1}
    return {
        **server(settings),
        **_KEEPALIVE,
        **limit,
        "dbname": settings.db_name,
        "user": settings.db_user,
        "password": settings.db_password,
        # named here, not at start: a forked worker opens its own connections
        "application_name": f"fixapp {os.getpid()}",
    }


def greet(conn: Connection) -> None:
    """Set a new connection up, and learn how long its role's statements may take.

    Raises UnsafeRoleError for a role that no policy would hold.
    """
    conn.autocommit = True
    with conn.cursor() as cursor:
        cursor.execute(_GREETING)
        role, may_bypass, owns_tables, milliseconds = cursor.fetchone()
    if may_bypass:
        raise UnsafeRoleError(role=role, why="is a superuser or may bypass policies")
    if owns_tables:
        raise UnsafeRoleError(role=role, why="owns tables")
    conn.statement_timeout = milliseconds / _MILLISECONDS or math.inf


def check_room(conn: PlainConnection, processes: int, each: int) -> None:
    """Raise PoolTooLargeError when so many processes with so many connections do not fit."""
    with conn.cursor() as cursor:
        cursor.execute(_ROOM)
        (room,) = cursor.fetchone() or (0,)
    if processes * each > room:
        raise PoolTooLargeError(processes=processes, each=each, room=room)


def translated(error: PoolError) -> AppError:
    """The product's error for one of the pool's; an error of the greeting stays what it is."""
    if isinstance(error, ConnectionUnavailable) and isinstance(error.__cause__, AppError):
        cause = error.__cause__
        return type(cause)(**cause.values)
    if isinstance(error, TooManyRequests):
        return errors.PoolFullError(waiting=error.values["waiting"])
    if isinstance(error, PoolTimeout):
        return errors.PoolTimeoutError(seconds=error.values["seconds"])
    return next((ours() for theirs, ours in _TRANSLATIONS if isinstance(error, theirs)), AppError())


def not_ready(params: dict[str, Any], cause: BaseException) -> DatabaseNotReadyError:
    """The error for a database that cannot be logged in to, with its place and the reason."""
    reason = " ".join(str(cause).split())
    return DatabaseNotReadyError(
        name=params["dbname"], host=params["host"], port=params["port"], reason=reason
    )
