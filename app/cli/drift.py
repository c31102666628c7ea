"""Drift: a database that is not what its migrations made, and models that are ahead of the migrations."""

from concurrent.futures import ThreadPoolExecutor
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
    with scratch(settings) as one, scratch(settings) as other, ThreadPoolExecutor(1) as meanwhile:
        models = meanwhile.submit(by_models, one)
        with closing(OwnerDatabase(settings)) as database:
            done = migrate.applied(database)
            found = actual(database)
        made = by_migrations(other, until=done[-1]) if done else Reading({}, {})
        complete = made if done == migrate.file_names() else by_migrations(other)
    return [
        *catalog.drift(found, made, by="the migrations"),
        *catalog.drift(complete, models.result(), by="the models", remedy=_REVISION),
    ]
