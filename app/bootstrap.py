"""What has to be there before the first migration: the database, and the application's role.

Roles belong to the whole server and need its administrator, so they are no migration's
business. Every step may be repeated; two runs at once take turns.
https://www.postgresql.org/docs/current/sql-createrole.html
"""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import encrypt_password

from app.config import Settings
from app.database import owner_connection

_LOCK = "SELECT pg_advisory_lock(hashtext('fixapp bootstrap'))"
_ATTRIBUTES = "LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION NOINHERIT"
# a statement that runs longer, or a lock held longer, is somebody's mistake and everybody's outage
_LIMITS = {
    "statement_timeout": "5s",
    "lock_timeout": "1s",
    "idle_in_transaction_session_timeout": "10s",
    "timezone": "UTC",
}


def bootstrap(settings: Settings) -> Iterator[str]:
    """Make what is missing, yielding a line for each thing that is in order.

    Logs in as DB_OWNER_USER, who must be allowed to create roles and databases.
    Raises DatabaseUnavailableError when that log-in fails.
    """
    with closing(owner_connection(settings, "postgres")) as conn, conn.cursor() as cursor:
        # this lock is the whole server's, because it is taken in the one database all runs share
        cursor.execute(_LOCK)
        _make_role(cursor, settings)
        yield f"role {settings.db_user}: logs in, owns nothing, bypasses nothing"
        _make_database(cursor, settings)
        yield f"database {settings.db_name}: UTF8, owned by {settings.db_owner_user}"
        with (
            closing(owner_connection(settings, settings.db_name)) as inner,
            inner.cursor() as inside,
        ):
            set_privileges(inside, settings)
        yield f"privileges: {settings.db_user} may use the schema, nobody else may enter"


def _make_role(cursor: Any, settings: Settings) -> None:
    role = sql.Identifier(settings.db_user)
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (settings.db_user,))
    verb = "ALTER" if cursor.fetchone() else "CREATE"
    # hashed here, so that no server log ever shows the password
    secret = encrypt_password(settings.db_password, settings.db_user, cursor.connection, "scram-sha-256")
    statement = sql.SQL(f"{verb} ROLE {{}} {_ATTRIBUTES} PASSWORD {{}}")
    cursor.execute(statement.format(role, sql.Literal(secret)))
    for name, value in _LIMITS.items():
        cursor.execute(sql.SQL(f"ALTER ROLE {{}} SET {name} = {{}}").format(role, sql.Literal(value)))


def _make_database(cursor: Any, settings: Settings) -> None:
    cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (settings.db_name,))
    if not cursor.fetchone():
        name, owner = sql.Identifier(settings.db_name), sql.Identifier(settings.db_owner_user)
        statement = "CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8'"
        cursor.execute(sql.SQL(statement).format(name, owner))


def set_privileges(cursor: Any, settings: Settings) -> None:
    """Let the application's role use the database the cursor is in, and nobody else enter it."""
    name, role = sql.Identifier(settings.db_name), sql.Identifier(settings.db_user)
    for statement in (
        "REVOKE ALL ON DATABASE {name} FROM PUBLIC",
        "GRANT CONNECT ON DATABASE {name} TO {role}",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        "GRANT USAGE ON SCHEMA public TO {role}",
    ):
        cursor.execute(sql.SQL(statement).format(name=name, role=role))
