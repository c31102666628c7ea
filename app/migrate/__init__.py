"""Running the files of migrations/, and knowing which have run."""

from app.migrate.backfill import backfill, sight
from app.migrate.compatible import PeeweeMigrateDatabase
from app.migrate.files import file_names
from app.migrate.guard import serving
from app.migrate.history import Standing, applied, pending, standing
from app.migrate.owner import MigrationDatabase, migration_settings
from app.migrate.recorder import Recorder, migrate_sql, rollback_sql
from app.migrate.runner import Step, migrate, rollback

__all__ = [
    "MigrationDatabase",
    "PeeweeMigrateDatabase",
    "Recorder",
    "Standing",
    "Step",
    "applied",
    "backfill",
    "file_names",
    "migrate",
    "migrate_sql",
    "migration_settings",
    "pending",
    "rollback",
    "rollback_sql",
    "serving",
    "sight",
    "standing",
]
