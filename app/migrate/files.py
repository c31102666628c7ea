"""The files of migrations/: which there are, whether they are in order, and what one says."""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from app.config import ROOT
from app.errors import MigrationError, MigrationFilesError

FOLDER = ROOT / "migrations"
STATEMENT_TIMEOUT = "60s"
Direction = Callable[..., Any]

# peewee-migrate runs three digits only, and passes over every other file without a word
_NAME = re.compile(r"(\d{3})_\w+")
_NO_MIGRATIONS = {"conf", "__init__"}


@dataclass(frozen=True, slots=True)
class Script:
    """What a file says once it is read: both directions, and how it wants to be run."""

    migrate: Direction
    rollback: Direction | None
    transactional: bool
    statement_timeout: str


@dataclass(frozen=True, slots=True)
class File:
    """A file of migrations/ as it is now."""

    name: str
    text: str

    @property
    def checksum(self) -> str:
        """What the history keeps of the text, so that a later edit is noticed."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def load(self) -> Script:
        """Run the file's text, which defines its functions. Raises MigrationError."""
        scope: dict[str, Any] = {"__name__": self.name, "__file__": f"{self.name}.py"}
        try:
            exec(compile(self.text, f"{self.name}.py", "exec", dont_inherit=True), scope)  # noqa: S102 - this is what a migration is
        except Exception as error:
            what = f"{self.name} cannot be read: {type(error).__name__}: {error}"
            raise MigrationError(what=what, remedy="Fix the file and run again") from error
        if not callable(scope.get("migrate")):
            what = f"{self.name} has no function `migrate(migrator, database, *, fake=False)`"
            raise MigrationError(what=what, remedy="Write it, like the one of migrations/001_functions.py")
        return Script(
            scope["migrate"],
            scope.get("rollback"),
            scope.get("transactional", True),
            scope.get("statement_timeout", STATEMENT_TIMEOUT),
        )


def file_names(folder: Path = FOLDER) -> list[str]:
    """The names of the migration files, in the order they run."""
    return sorted(name for name in _stems(folder) if _NAME.fullmatch(name))


def read_files(folder: Path = FOLDER) -> list[File]:
    """The migration files, in the order they run. Raises MigrationFilesError for a number out of line."""
    problems = list(_misnumbered(_stems(folder)))
    if problems:
        raise MigrationFilesError(problems)
    return [File(name, (folder / f"{name}.py").read_text("utf-8")) for name in file_names(folder)]


def _stems(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.py") if path.stem not in _NO_MIGRATIONS)


def _misnumbered(stems: list[str]) -> Iterator[str]:
    numbered = [(int(match[1]), match[0]) for stem in stems if (match := _NAME.fullmatch(stem))]
    for stem in stems:
        if not _NAME.fullmatch(stem):
            yield f"{stem} is misnumbered: call it three digits, an underscore, letters, as in 004_machines"
    for (number, name), (following, other) in pairwise([(0, ""), *numbered]):
        if following == number:
            yield f"{name} and {other} have the same number: give the newer one the next number"
        elif following != number + 1:
            yield f"{other} is misnumbered: {number + 1:03} comes next"
