"""Running the files of migrations/, and knowing which have run."""

from app.migrate.history import applied, file_names, pending
from app.migrate.owner import MigrationDatabase, migration_settings
from app.migrate.runner import Step, migrate, rollback

__all__ = [
    "MigrationDatabase",
    "Step",
    "applied",
    "file_names",
    "migrate",
    "migration_settings",
    "pending",
    "rollback",
]
