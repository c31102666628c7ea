"""Connections past the application, for those who may: to look behind the policies, never to test them."""

from dataclasses import replace

import psycopg2
from psycopg2.extensions import connection as Connection

from app.config import Settings


def as_owner(settings: Settings, name: str | None = None) -> Connection:
    """Log in as the server's superuser, to the settings' database or to another."""
    conn: Connection = psycopg2.connect(
        host=settings.db_host,
        port=settings.db_port,
        dbname=name or settings.db_name,
        user=settings.db_owner_user,
        password=settings.db_owner_password,
    )
    conn.autocommit = True
    return conn


def as_application(settings: Settings) -> Connection:
    """Log in as the application's role, without its pool."""
    return as_owner(replace(settings, db_owner_user=settings.db_user, db_owner_password=settings.db_password))
