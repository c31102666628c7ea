"""What the schema should be: by the models, and by the migrations."""

from contextlib import closing
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
    with closing(OwnerDatabase(scratch)) as database, database.atomic() as transaction:
        _build(database.cursor(), list(schema(concrete_models(), database.application_role)))
        reading = catalog.read(database)
        transaction.rollback(begin=False)
    return reading


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
        raise MigrationError(what=what, remedy="Fix the model and run again") from error
