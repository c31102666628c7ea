"""Migrations up and down, a file at a time.

A file is peewee-migrate's, and is given a migrator of that package; but nothing is replayed,
so a file speaks SQL, or names its models itself. The history's row is written in the
file's own transaction: there is nothing between done and not done.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import peewee
from peewee_migrate import Migrator
from playhouse.migrate import Operation

from app.errors import AppError, DatabaseUnavailableError, MigrationError
from app.migrate.files import Direction, File, Script
from app.migrate.history import TABLE, adopt, trusted
from app.migrate.owner import MigrationDatabase, limits, sqlstate
from app.migrate.plan import downwards, upwards
from app.migrate.retry import retried

_RECORD = f"INSERT INTO {TABLE} (name, checksum) VALUES (%s, %s)"
_FORGET = f"DELETE FROM {TABLE} WHERE name = %s"
_CONNECTION_GONE = {None, "57P01", "57P02", "57P03"}


@dataclass(frozen=True, slots=True)
class Step:
    """One file that ran, and how long it took in seconds."""

    name: str
    seconds: float


def migrate(database: MigrationDatabase, *, to: str | None = None, fake: bool = False) -> Iterator[Step]:
    """Run the pending files, up to and with `to`, yielding each when it is done.

    With `fake` they are only recorded. Raises MigrationFilesError before anything runs,
    MigrationBlockedError, MigrationError, and DatabaseUnavailableError when the server goes away.
    """
    files, done = trusted(database, database.folder)
    adopt(database, files)
    for file in upwards(files, done, to):
        yield _timed(database, file, "record" if fake else "migrate")


def rollback(database: MigrationDatabase, *, count: int = 1, to: str | None = None) -> Iterator[Step]:
    """Revert the latest `count` files, or all that came after `to`. Raises as `migrate` does."""
    files, done = trusted(database, database.folder)
    for file in downwards(files, done, count, to):
        yield _timed(database, file, "rollback")


def _timed(database: MigrationDatabase, file: File, what: str) -> Step:
    started = time.monotonic()
    script = file.load()
    database.refuse_lost_lock()
    with named(file.name, script):
        if script.transactional:
            retried(lambda: run(database, file, script, what), file.name, database)
        else:  # what it did before it was blocked cannot be taken back, so it is not begun again
            run(database, file, script, what)
    return Step(file.name, time.monotonic() - started)


def run(database: Any, file: File, script: Script, what: str) -> None:
    """Send one file's statements and its row of the history, as the file wants it.

    `database` may also be one that only writes down what it is sent.
    """
    if not script.transactional:
        database.execute_sql(limits(script.statement_timeout))
        _send(database, file, script, what)
        return
    with database.atomic():
        database.execute_sql(limits(script.statement_timeout, local=True))
        _send(database, file, script, what)


def _send(database: Any, file: File, script: Script, what: str) -> None:
    if what == "migrate":
        _run_operations(database, script.migrate)
        database.inspect(file.name)
    elif what == "rollback" and script.rollback is not None:
        _run_operations(database, script.rollback)
    if what == "rollback":
        database.execute_sql(_FORGET, (file.name,))
    else:
        database.execute_sql(_RECORD, (file.name, file.checksum))


def _run_operations(database: Any, direction: Direction) -> None:
    migrator = Migrator(database)
    direction(migrator, database, fake=False)
    # not `migrator()`, which opens a transaction of its own around them
    for operation in migrator.__ops__:
        operation.run() if isinstance(operation, Operation) else operation()


@contextmanager
def named(name: str, script: Script) -> Iterator[None]:
    """Turn whatever a file raises into an error that names it, and tells what is left of it."""
    try:
        yield
    except AppError:
        raise
    except Exception as error:
        raise _failed(name, script, error) from error


def _failed(name: str, script: Script, error: Exception) -> AppError:
    gone = isinstance(error, peewee.InterfaceError | peewee.OperationalError)
    if gone and sqlstate(error) in _CONNECTION_GONE:
        return DatabaseUnavailableError()
    kept = "nothing of it was applied" if script.transactional else "what it did before that stays"
    what = f"{name} failed and {kept}: {_reason(error)}"
    return MigrationError(what=what, remedy=_remedy(error))


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, peewee.PeeweeException) else f"{type(error).__name__}: {text}"


def _remedy(error: Exception) -> str:
    if "affected by row-level security" in str(error):
        return "Forced row-level security hides rows from the owner too: wrap the step in `app.migrate.sight`"
    return "Fix the file and run again"
