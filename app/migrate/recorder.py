"""A run that only writes down what it would send."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection

from app.config import Settings
from app.database import OwnerDatabase
from app.migrate.files import FOLDER, File
from app.migrate.history import trusted
from app.migrate.plan import downwards, upwards
from app.migrate.role import refuse_unless_owner
from app.migrate.runner import named, run


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
        send = super().execute_sql
        return _Answer(lambda: send(sql, params).fetchall())

    def inspect(self, name: str) -> None:
        """Nothing was made, so there is nothing to look at."""

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
        conn: Connection = super()._connect()
        with conn.cursor() as cursor:
            refuse_unless_owner(cursor, self.settings.db_user)
            cursor.execute("SET default_transaction_read_only = on; SET TIME ZONE 'UTC'")
        return conn


class _Answer:
    """A cursor that sends its statement when its rows are asked for, and not before."""

    rowcount = 0

    def __init__(self, ask: Callable[[], list[Any]]) -> None:
        self.fetchall = ask

    def fetchone(self) -> Any:
        """The first row."""
        return next(iter(self.fetchall()), None)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchall())


def migrate_sql(database: Recorder, *, to: str | None = None, fake: bool = False) -> Iterator[str]:
    """The SQL that `migrate` would send, a file at a time. Raises as that does."""
    files, done = trusted(database, database.folder)
    for file in upwards(files, done, to):
        yield _sql(database, file, "record" if fake else "migrate")


def rollback_sql(database: Recorder, *, count: int = 1, to: str | None = None) -> Iterator[str]:
    """The SQL that `rollback` would send, a file at a time. Raises as that does."""
    files, done = trusted(database, database.folder)
    for file in downwards(files, done, count, to):
        yield _sql(database, file, "rollback")


def _sql(database: Recorder, file: File, what: str) -> str:
    database.statements.clear()
    script = file.load()
    with named(file.name, script):
        run(database, file, script, what)
    return "\n".join([f"-- {file.name}", *database.statements])
