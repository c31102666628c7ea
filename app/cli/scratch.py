"""Scratch databases: made to be looked at or tried in, and dropped.

Each is held by an advisory lock for as long as its process lives, so that whatever a killed
process left behind is known for what it is, and goes when the next one is made.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import psycopg2
from psycopg2 import sql

from app.bootstrap import set_privileges
from app.config import Settings
from app.database import OwnerDatabase, owner_connection
from app.errors import MigrationError

_LOCK = "SELECT pg_try_advisory_lock(hashtext(%s))"
_LEFT_OVER = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"


@contextmanager
def scratch(settings: Settings, *, template: str = "template0") -> Iterator[Settings]:
    """The settings of a database for the length of a block, empty or a copy of the template.

    Raises MigrationError where the owner may not create databases.
    """
    prefix = f"{settings.db_name[:32]}_scratch_"
    own = replace(settings, db_name=f"{prefix}{os.getpid()}_{secrets.token_hex(3)}")
    with closing(owner_connection(settings, "postgres")) as conn, conn.cursor() as cursor:
        _sweep(cursor, prefix)
        cursor.execute(_LOCK, (own.db_name,))
        _create(cursor, own, template)
        try:
            if template == "template0":
                with (
                    closing(owner_connection(settings, own.db_name)) as inner,
                    inner.cursor() as inside,
                ):
                    set_privileges(inside, own)
            yield own
        finally:
            _drop(cursor, own.db_name)


def run(database: OwnerDatabase, statement: str) -> None:
    """Run SQL as it stands: a % in it is a %."""
    database.cursor().execute(statement)


def _create(cursor: Any, own: Settings, template: str) -> None:
    statement = "CREATE DATABASE {} TEMPLATE {} ENCODING 'UTF8'"
    try:
        cursor.execute(sql.SQL(statement).format(sql.Identifier(own.db_name), sql.Identifier(template)))
    except psycopg2.errors.InsufficientPrivilege:
        what = f"{own.db_owner_user!r} may not create the scratch database this needs"
        raise MigrationError(what=what, remedy=f"Have ALTER ROLE {own.db_owner_user} CREATEDB run") from None


def _sweep(cursor: Any, prefix: str) -> None:
    cursor.execute(_LEFT_OVER, (prefix,))
    for (name,) in cursor.fetchall():
        cursor.execute(_LOCK, (name,))
        if cursor.fetchone()[0]:
            _drop(cursor, name)


def _drop(cursor: Any, name: str) -> None:
    cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
    cursor.execute("SELECT pg_advisory_unlock(hashtext(%s))", (name,))
