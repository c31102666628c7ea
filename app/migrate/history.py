"""Which migrations there are, and which of them a database has."""

import re
from pathlib import Path

import peewee

from app.config import ROOT

FOLDER = ROOT / "migrations"
TABLE = "migratehistory"
_FILE = re.compile(r"\d{3}_\w+\.py")
_UNDEFINED_TABLE = "42P01"


def file_names(folder: Path = FOLDER) -> list[str]:
    """The names of the migration files, in the order they run."""
    return sorted(path.stem for path in folder.iterdir() if _FILE.fullmatch(path.name))


def applied(database: peewee.Database) -> list[str]:
    """The migrations a database has, in the order they ran; none when it was never migrated."""
    try:
        cursor = database.execute_sql(f"SELECT name FROM {TABLE} ORDER BY id")
    except peewee.ProgrammingError as error:
        if getattr(getattr(error, "orig", None), "pgcode", None) == _UNDEFINED_TABLE:
            return []
        raise
    return [name for (name,) in cursor.fetchall()]


def pending(database: peewee.Database, folder: Path = FOLDER) -> list[str]:
    """The files a database does not have yet."""
    done = set(applied(database))
    return [name for name in file_names(folder) if name not in done]
