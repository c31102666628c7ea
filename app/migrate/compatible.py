"""What peewee-migrate's own command gets: the same lock, limits and history as ours."""

from typing import Any

from app.migrate.files import File
from app.migrate.history import adopt, trusted
from app.migrate.owner import MigrationDatabase


class PeeweeMigrateDatabase(MigrationDatabase):
    """The owner's database for `pw_migrate`, which asks nothing about files and checksums.

    So it is asked here: when it connects, and again in each transaction, just before its end,
    where rows that peewee-migrate wrote get their checksums. Raises MigrationFilesError.
    """

    _files: list[File] | None = None

    def connect(self, reuse_if_open: bool = False) -> bool:
        """Connect, and refuse files that are in doubt before anything runs."""
        connected = bool(super().connect(reuse_if_open=reuse_if_open))
        if self._files is None:
            self._files, _ = trusted(self, self.folder)
            adopt(self, self._files)
        return connected

    def commit(self, *arguments: Any) -> None:
        """Commit, with the checksum of the file that ran."""
        adopt(self, self._files or [])
        super().commit(*arguments)
