"""Renames: named by an option, or asked for; never guessed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import click

from app.catalog import Reading, Step
from app.catalog.objects import Column, Table
from app.errors import MigrationError

_OPTION = re.compile(r"(?:(?P<table>[a-z]\w*)\.)?(?P<old>[a-z]\w*)=(?P<new>[a-z]\w*)")


@dataclass(frozen=True, slots=True)
class Rename:
    """A table's new name, or with `table` that of one of its columns."""

    table: str
    old: str
    new: str

    @property
    def up(self) -> Step:
        """There."""
        return self._step(self.old, self.new)

    @property
    def down(self) -> Step:
        """And back."""
        return self._step(self.new, self.old)

    def _step(self, old: str, new: str) -> Step:
        what = f"{self.table} RENAME COLUMN {old}" if self.table else f"{old} RENAME"
        called = f"{self.table}.{old}" if self.table else old
        note = f"code that still says {called} fails from here on"
        return Step((f"ALTER TABLE {what} TO {new}",), self.table or new, note)


def parsed(options: tuple[str, ...], models: Reading, migrated: Reading) -> list[Rename]:
    """The renames of `--rename`. Raises MigrationError for one that names nothing."""
    found = []
    for option in options:
        match = _OPTION.fullmatch(option)
        if match is None:
            raise _wrong(option, "it is neither table=new_name nor table.column=new_name")
        rename = Rename(match["table"] or "", match["old"], match["new"])
        _check(option, rename, models, migrated)
        found.append(rename)
    # a table's new name comes first: its columns are then named with it
    return sorted(found, key=lambda rename: bool(rename.table))


def asked(migrated: Reading, models: Reading) -> Iterator[Rename]:
    """Ask about everything that went where something came."""
    for old, new in _candidates(migrated, models):
        what = f"{new.table}.{new.name}" if isinstance(new, Column) else new.name
        if click.confirm(f"Is {what} the {old.name} of before, renamed?", default=False):
            yield Rename(new.table if isinstance(new, Column) else "", old.name, new.name)


def _check(option: str, rename: Rename, models: Reading, migrated: Reading) -> None:
    if not rename.table:
        if ("table", rename.old) not in migrated.objects:
            raise _wrong(option, f"the migrations make no table {rename.old}")
        if ("table", rename.new) not in models.objects:
            raise _wrong(option, f"no model has the table {rename.new}")
    elif ("column", rename.table, rename.new) not in models.objects:
        raise _wrong(option, f"no model has the column {rename.table}.{rename.new}")


def _candidates(migrated: Reading, models: Reading) -> Iterator[tuple[Table | Column, Table | Column]]:
    gone = [obj for key, obj in migrated.objects.items() if key not in models.objects]
    made = [obj for key, obj in models.objects.items() if key not in migrated.objects]
    for old, new in product(gone, made):
        match old, new:
            case Table(), Table():
                yield old, new
            case Column(table=before), Column(table=after) if before == after:
                yield old, new


def _wrong(option: str, why: str) -> MigrationError:
    return MigrationError(what=f"--rename {option}: {why}", remedy="Write --rename rcas.titel=title")
