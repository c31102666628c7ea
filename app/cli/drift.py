"""Drift: a database that is not what its migrations made, and models that are ahead of the migrations."""

from contextlib import closing

from app import catalog, migrate
from app.catalog import Finding, Reading
from app.cli.expected import actual, by_migrations, by_models
from app.cli.scratch import scratch
from app.config import Settings
from app.database import OwnerDatabase

_REVISION = "flask db-revision NAME"


def drifted(settings: Settings) -> list[Finding]:
    """Object by object, with what mends it. Needs the owner's password.

    Raises MigrationError, UnreadableSchemaError, DatabaseUnavailableError.
    """
    with closing(OwnerDatabase(settings)) as database:
        done = migrate.applied(database)
        found = actual(database)
    with scratch(settings) as empty:
        models = by_models(empty)
        made = by_migrations(empty, until=done[-1]) if done else None
        complete = by_migrations(empty) if done != migrate.file_names() or made is None else made
    return [
        *catalog.drift(found, made or Reading({}, {}), by="the migrations"),
        *catalog.drift(complete, models, by="the models", remedy=_REVISION),
    ]
