"""What the schema should be: by the models, and by the migrations."""

from contextlib import closing

import psycopg2

from app import catalog, migrate
from app.catalog import Reading
from app.cli.scratch import run
from app.config import Settings
from app.database import OwnerDatabase
from app.errors import MigrationError
from app.migrate.history import TABLE
from app.models import concrete_models, schema


def by_models(scratch: Settings) -> Reading:
    """The models' schema, built in a scratch database and taken back. Raises MigrationError."""
    with closing(OwnerDatabase(scratch)) as database, database.atomic() as transaction:
        for statement in schema(concrete_models(), database.application_role):
            _built(database, statement)
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


def _built(database: OwnerDatabase, statement: str) -> None:
    try:
        run(database, statement)
    except psycopg2.Error as error:
        what = f"PostgreSQL refuses what the models say: {str(error).strip()} in: {statement.strip()}"
        raise MigrationError(what=what, remedy="Mend the model and run again") from error
