"""Migrations up and down, a file at a time, each in a transaction of its own.

peewee-migrate replays history by patching Peewee for the whole process, so this runs in
a command and never where requests are served.
"""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import peewee
from peewee_migrate import Router

from app.errors import MigrationError
from app.migrate.history import FOLDER, TABLE, applied, file_names
from app.migrate.owner import MigrationDatabase

# peewee-migrate logs each failure with its traceback; here the error itself says it
_silent = logging.getLogger("app.migrate.silent")
_silent.disabled = True


@dataclass(frozen=True, slots=True)
class Step:
    """One file that ran, and how long it took in seconds."""

    name: str
    seconds: float


class _Router(Router):
    """peewee-migrate's router with a history of its own, not the one all routers of a process share."""

    @cached_property
    def model(self) -> type[peewee.Model]:
        class History(peewee.Model):
            name = peewee.CharField(unique=True)

            class Meta:
                database = self.database
                table_name = TABLE

        return History


def migrate(database: MigrationDatabase) -> Iterator[Step]:
    """Run every pending file, yielding each when it is done. Raises MigrationError."""
    router = _Router(database, migrate_dir=FOLDER, migrate_table=TABLE, logger=_silent)
    _refuse_unknown(applied(database))
    for name in list(router.diff):
        started = time.monotonic()
        try:
            router.run(name)
        except (peewee.PeeweeException, ValueError, TypeError, SyntaxError) as error:
            raise _failed(name, error) from error
        yield Step(name, time.monotonic() - started)


def rollback(database: MigrationDatabase, *, count: int = 1, to: str | None = None) -> Iterator[Step]:
    """Revert the latest `count` files, or all that came after `to`. Raises MigrationError."""
    done = applied(database)
    _refuse_unknown(done)
    for name in reversed(_chosen(done, count, to)):
        started = time.monotonic()
        try:
            _Router(database, migrate_dir=FOLDER, migrate_table=TABLE, logger=_silent).rollback()
        except (peewee.PeeweeException, ValueError, TypeError, SyntaxError) as error:
            raise _failed(name, error) from error
        yield Step(name, time.monotonic() - started)


def _chosen(done: list[str], count: int, to: str | None) -> list[str]:
    if to is not None and to not in done:
        what = f"{to!r} is not among the applied migrations ({', '.join(done) or 'none'})"
        raise MigrationError(what=what, remedy="Name one of them")
    if to is not None:
        return done[done.index(to) + 1 :]
    if count > len(done):
        what = f"{count} migrations are to be reverted, but only {len(done)} are applied"
        raise MigrationError(what=what, remedy=f"Ask for at most {len(done)}")
    return done[len(done) - count :]


def _refuse_unknown(done: list[str]) -> None:
    unknown = [name for name in done if name not in file_names()]
    if unknown:
        what = f"The database has {', '.join(unknown)}, which migrations/ does not"
        raise MigrationError(what=what, remedy="Check out the code that has the file, and run again")


def _failed(name: str, error: Exception) -> MigrationError:
    what = f"{name} failed and nothing of it was applied: {str(error).strip()}"
    return MigrationError(what=what, remedy="Mend the file and run again")
