"""What peewee-migrate works with: the owner's connection, with its lock and its time limits.

`pw_migrate` runs this file's text on its own, without a place on the import path: from
the project's folder it finds `app` because `make` put the folder on the environment's path.
"""

from app.migrate import PeeweeMigrateDatabase, migration_settings

DATABASE = PeeweeMigrateDatabase(migration_settings())
MIGRATE_TABLE = "migratehistory"
