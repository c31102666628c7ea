"""Which migrations a database has, and whether they are the files of migrations/."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import peewee

from app.errors import MigrationFilesError
from app.migrate.files import FOLDER, File, file_names, read_files

TABLE = "migratehistory"
APPLIED = f"SELECT name FROM {TABLE} ORDER BY id"
_UNDEFINED_TABLE = "42P01"


@dataclass(frozen=True, slots=True)
class Record:
    """A row of the history; the checksum is missing where peewee-migrate wrote the row."""

    name: str
    checksum: str | None


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """Where a database stands: what it has, what it lacks, and what this code has no file for."""

    applied: list[str]
    pending: list[str]
    unknown: list[str]


def migration_status(database: peewee.Database, folder: Path = FOLDER) -> MigrationStatus:
    """Compare a database with the names of the files; one statement, which any role may send."""
    return compare(applied(database), file_names(folder))


def compare(done: list[str], names: Sequence[str]) -> MigrationStatus:
    """What ran, beside the names of the files that should have."""
    return MigrationStatus(
        done,
        [name for name in names if name not in set(done)],
        [name for name in done if name not in set(names)],
    )


def applied(database: peewee.Database) -> list[str]:
    """The migrations a database has, in the order they ran; none when it was never migrated."""
    return [name for (name,) in _rows(database, APPLIED)]


def pending(database: peewee.Database, folder: Path = FOLDER) -> list[str]:
    """The files a database does not have yet."""
    return migration_status(database, folder).pending


def trusted(database: peewee.Database, folder: Path = FOLDER) -> tuple[list[File], list[str]]:
    """The files, and the names that ran here. Raises MigrationFilesError where the two are in doubt."""
    files = read_files(folder)
    rows = _rows(database, f"SELECT name, to_jsonb(h) ->> 'checksum' FROM {TABLE} h ORDER BY id")
    records = [Record(*row) for row in rows]
    problems = [*_foreign(files, records), *_edited(files, records), *_late(files, records)]
    if problems:
        raise MigrationFilesError(problems)
    return files, [record.name for record in records]


def adopt(database: peewee.Database, files: list[File]) -> None:
    """Give the rows that peewee-migrate wrote the checksums of their files."""
    statement = f"UPDATE {TABLE} SET checksum = %s WHERE name = %s AND checksum IS NULL"
    for (name,) in _rows(database, f"SELECT name FROM {TABLE} WHERE checksum IS NULL"):
        for file in files:
            if file.name == name:
                database.execute_sql(statement, (file.checksum, name))


def _rows(database: peewee.Database, query: str) -> list[tuple[str, ...]]:
    try:
        rows: list[tuple[str, ...]] = database.execute_sql(query).fetchall()
    except peewee.ProgrammingError as error:
        if getattr(getattr(error, "orig", None), "pgcode", None) == _UNDEFINED_TABLE:
            return []
        raise
    return rows


def _foreign(files: list[File], records: list[Record]) -> Iterator[str]:
    names = [file.name for file in files]
    for name, times in Counter(record.name for record in records).items():
        if times > 1:
            yield f"{name} is in the history {times} times: look which run was real, delete the other row"
        if name not in names and name < (names or [""])[-1]:
            yield f"{name} ran here, but its file is missing: get it back from version control"
        elif name not in names:
            yield f"{name} ran here and is unknown to this code: check out the code that has its file"


def _edited(files: list[File], records: list[Record]) -> Iterator[str]:
    checksums = {record.name: record.checksum for record in records}
    for file in files:
        if checksums.get(file.name) not in (None, file.checksum):
            yield f"{file.name} was edited after it ran here: put it back, and say what is new in a new file"


def _late(files: list[File], records: list[Record]) -> Iterator[str]:
    done = {record.name for record in records}
    latest = max(done, default="")
    for file in files:
        if file.name not in done and file.name < latest:
            yield f"{file.name} has not run, but {latest} has: give it the next number"
