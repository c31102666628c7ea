"""A run that only writes down what it would send."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from app.config import Settings
from app.database import OwnerDatabase
from app.errors import DatabaseUnavailableError
from app.migrate import history, plan, role
from app.migrate.files import FOLDER, File
from app.migrate.runner import run


class Recorder(OwnerDatabase):
    """The owner's database, which writes down what it is sent.

    A statement is sent only when somebody wants its rows, and then the connection may read
    and nothing else: a file that asks what is there gets the answer of today.
    """

    recording = True

    def __init__(self, settings: Settings, folder: Path = FOLDER) -> None:
        self.folder = folder
        self.statements: list[str] = []
        super().__init__(settings)

    def execute_sql(self, sql: str, params: Any = None, **_options: Any) -> Any:
        """Write a statement down; its rows are there for whoever fetches them."""
        cursor = self.cursor()
        text = cursor.mogrify(sql, () if params is None else params).decode().strip()
        self.statements.append(text if text.endswith(";") else f"{text};")
        return _Answer(cursor, sql, params)

    def begin(self, *_arguments: Any) -> None:
        """Write BEGIN down."""
        self.statements.append("BEGIN;")

    def commit(self) -> None:
        """Write COMMIT down."""
        self.statements.append("COMMIT;\n")

    def rollback(self) -> None:
        """Nothing was sent, so there is nothing to take back."""

    def close_all(self) -> None:
        """Close the connection."""
        self.close()

    def _connect(self) -> Connection:
        try:
            conn: Connection = super()._connect()
        except psycopg2.OperationalError as error:
            raise DatabaseUnavailableError from error
        with conn.cursor() as cursor:
            role.refuse_unless_owner(cursor, self.settings.db_user)
            cursor.execute("SET default_transaction_read_only = on; SET TIME ZONE 'UTC'")
        return conn


class _Answer:
    """A cursor that sends its statement when its rows are asked for, and not before."""

    rowcount = 0

    def __init__(self, cursor: Any, sql: str, params: Any) -> None:
        self._cursor, self._sql, self._params = cursor, sql, params

    def fetchall(self) -> list[Any]:
        """All rows."""
        self._cursor.execute(self._sql, self._params or ())
        rows: list[Any] = self._cursor.fetchall()
        return rows

    def fetchone(self) -> Any:
        """The first row."""
        return next(iter(self.fetchall()), None)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchall())


def migrate_sql(database: Recorder, *, to: str | None = None, fake: bool = False) -> Iterator[str]:
    """The SQL that `migrate` would send, a file at a time. Raises as that does."""
    files, done = history.trusted(database, database.folder)
    for file in plan.upwards(files, done, to):
        yield _sql(database, file, "record" if fake else "migrate")


def rollback_sql(database: Recorder, *, count: int = 1, to: str | None = None) -> Iterator[str]:
    """The SQL that `rollback` would send, a file at a time. Raises as that does."""
    files, done = history.trusted(database, database.folder)
    for file in plan.downwards(files, done, count, to):
        yield _sql(database, file, "rollback")


def _sql(database: Recorder, file: File, what: str) -> str:
    database.statements.clear()
    run(database, file, file.load(), what)
    return "\n".join([f"-- {file.name}", *database.statements])
