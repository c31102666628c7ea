"""The owner's connection, for migrations: no pool, no tenant, one process at a time."""

import os
from typing import Any

import psycopg2
from playhouse.postgres_ext import PostgresqlExtDatabase
from psycopg2.extensions import connection as PlainConnection

from app.config import Settings
from app.database.login import not_ready, server


class OwnerDatabase(PostgresqlExtDatabase):
    """The database as its owner sees it. Raises DatabaseNotReadyError when it connects."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        super().__init__(settings.db_name, **_login(settings))

    def _connect(self) -> PlainConnection:
        try:
            conn: PlainConnection = super()._connect()
        except psycopg2.OperationalError as error:
            raise not_ready(self.connect_params | {"dbname": self.database}, error) from error
        return conn

    @property
    def application_role(self) -> str:
        """The application's role, quoted: what migrations grant to."""
        return '"' + self.settings.db_user.replace('"', '""') + '"'


def owner_connection(settings: Settings, name: str) -> PlainConnection:
    """Log in as the owner to any database, in autocommit. Raises DatabaseNotReadyError."""
    params = _login(settings) | {"dbname": name}
    try:
        conn: PlainConnection = psycopg2.connect(**params)
    except psycopg2.OperationalError as error:
        raise not_ready(params, error) from error
    conn.autocommit = True
    return conn


def _login(settings: Settings) -> dict[str, Any]:
    return {
        **server(settings),
        "user": settings.db_owner_user,
        "password": settings.db_owner_password,
        "application_name": f"fixapp owner {os.getpid()}",
    }
