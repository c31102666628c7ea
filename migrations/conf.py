"""What peewee-migrate works with: the owner's connection, with its lock and its time limits.

`pw_migrate` runs this file's text on its own, without a place on the import path: from
the project's folder it finds `app` because `make` put the folder on the environment's path.
"""

from app.cli import as_click_error
from app.errors import AppError
from app.migrate import PeeweeMigrateDatabase, migration_settings

try:
    DATABASE = PeeweeMigrateDatabase(migration_settings())
except AppError as error:
    raise as_click_error(error) from error
MIGRATE_TABLE = "migratehistory"
