"""What the schema should be: by the models, and by the migrations."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import psycopg2

from app import catalog, migrate
from app.catalog import Reading
from app.config import Settings
from app.database import OwnerDatabase
from app.errors import MigrationError
from app.migrate.history import TABLE
from app.models import concrete_models, schema


def by_models(scratch: Settings) -> Reading:
    """The models' schema, built in a scratch database and taken back. Raises MigrationError."""
    with building(scratch) as built:
        return built()


@contextmanager
def building(scratch: Settings) -> Iterator[Callable[[], Reading]]:
    """The same, built by a thread while the block does something else; call what is given to read it.

    The thread uses psycopg2 alone: Peewee is patched for the whole process while migrations run.
    """
    statements = list(schema(concrete_models(), OwnerDatabase(scratch).application_role))
    with closing(OwnerDatabase(scratch)) as database, database.atomic() as transaction:
        with ThreadPoolExecutor(max_workers=1) as pool:
            done = pool.submit(_build, database.cursor(), statements)

            def read_it() -> Reading:
                done.result()
                return catalog.read(database)

            yield read_it
        transaction.rollback(begin=False)


def by_migrations(scratch: Settings, *, until: str | None = None) -> Reading:
    """The schema the migrations make, left in the scratch database. Raises MigrationError.

    May be called again for those after `until`.
    """
    database = migrate.MigrationDatabase(scratch)
    try:
        for step in migrate.migrate(database):
            if step.name == until:
                break
        return actual(database)
    finally:
        database.close_all()


def actual(database: OwnerDatabase) -> Reading:
    """A migrated database's schema, the migrations' own history left out."""
    return catalog.read(database).without(TABLE)


def _build(cursor: Any, statements: list[str]) -> None:
    """All in one message, for there are many; one by one only to find the one that is refused."""
    try:
        cursor.execute("SAVEPOINT whole;\n" + ";\n".join(statements))
    except psycopg2.Error:
        cursor.execute("ROLLBACK TO SAVEPOINT whole")
        for statement in statements:
            _blame(cursor, statement)
        raise


def _blame(cursor: Any, statement: str) -> None:
    try:
        cursor.execute(statement)
    except psycopg2.Error as error:
        what = f"PostgreSQL refuses what the models say: {str(error).strip()} in: {statement.strip()}"
        raise MigrationError(what=what, remedy="Mend the model and run again") from error
