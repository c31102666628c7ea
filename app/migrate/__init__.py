"""Running the files of migrations/, and knowing which have run."""

from app.migrate.backfill import backfill, sight
from app.migrate.compatible import PeeweeMigrateDatabase
from app.migrate.files import file_names
from app.migrate.guard import forbid_migrations
from app.migrate.history import APPLIED, MigrationStatus, applied, compare, migration_status, pending
from app.migrate.owner import MigrationDatabase, migration_settings
from app.migrate.recorder import Recorder, migrate_sql, rollback_sql
from app.migrate.runner import Step, migrate, rollback

__all__ = [
    "APPLIED",
    "MigrationDatabase",
    "MigrationStatus",
    "PeeweeMigrateDatabase",
    "Recorder",
    "Step",
    "applied",
    "backfill",
    "compare",
    "file_names",
    "forbid_migrations",
    "migrate",
    "migrate_sql",
    "migration_settings",
    "migration_status",
    "pending",
    "rollback",
    "rollback_sql",
    "sight",
]
