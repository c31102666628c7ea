"""flask db-revision: the next migration, written from the difference between models and migrations."""

import re
import runpy
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import click
import psycopg2
from flask.cli import with_appcontext
from peewee import PeeweeException
from peewee_migrate import Migrator

from app import migrate
from app.catalog import Reading, Step, plan
from app.cli.expected import actual, by_migrations, by_models
from app.cli.migration_file import migration_text, readable, verbatim
from app.cli.renames import Rename, asked, parsed
from app.cli.scratch import run, scratch
from app.config import Settings
from app.database import OwnerDatabase
from app.errors import DataLossError, MigrationError
from app.migrate.files import FOLDER

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Revision:
    """A migration to be: its name, its steps there and back, and the readings at both ends."""

    name: str
    up: list[Step]
    down: list[Step]
    before: Reading
    after: Reading


@click.command("db-revision")
@click.argument("name")
@click.option(
    "--rename", "renames", multiple=True, metavar="OLD=NEW", help="rcas.titel=title, machines=devices"
)
@click.option("--confirm-data-loss", is_flag=True, help="Write it even if it drops what holds data.")
@with_appcontext
def db_revision(name: str, renames: tuple[str, ...], confirm_data_loss: bool) -> None:
    """Write the migration that brings the database to where the models are."""
    settings = migrate.migration_settings()
    _refuse_name(name)
    with scratch(settings) as migrated:
        revision = _compare(name, migrated, renames)
        if revision is None:
            click.echo("Nothing to do: the migrations make what the models say.")
            return
        _refuse_loss(revision, confirmed=confirm_data_loss)
        text = _tried(settings, migrated, revision)
    path = FOLDER / f"{_next_number():03d}_{name}.py"
    path.write_text(text)
    click.echo(f"✓ {path.relative_to(FOLDER.parent)}, run up and down in a scratch database")
    for line in _summary(revision):
        click.echo(f"  {line}")


def _refuse_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise MigrationError(what=f"{name!r} is no name for a migration", remedy="Write it like add_machines")


def _compare(name: str, migrated: Settings, options: tuple[str, ...]) -> Revision | None:
    models = by_models(migrated)
    before = by_migrations(migrated)
    renames = parsed(options, models, before)
    start = _renamed(migrated, renames) if renames else before
    if not options and sys.stdin.isatty() and (renames := list(asked(before, models))):
        start = _renamed(migrated, renames)
    up = [*(rename.up for rename in renames), *plan(start, models)]
    down = [*plan(models, start), *(rename.down for rename in reversed(renames))]
    return Revision(name, up, down, before, models) if up else None


def _renamed(migrated: Settings, renames: list[Rename]) -> Reading:
    """How the migrated schema reads with the new names in it; the database itself stays as it is."""
    with closing(OwnerDatabase(migrated)) as database, database.atomic() as transaction:
        for rename in renames:
            try:
                run(database, rename.up.statements[0])
            except psycopg2.Error as error:
                raise MigrationError(what=str(error).strip(), remedy="Name a column that is there") from error
        reading = actual(database)
        transaction.rollback(begin=False)
    return reading


def _refuse_loss(revision: Revision, *, confirmed: bool) -> None:
    losses = [step.loses for step in revision.up if step.loses]
    if losses and not confirmed:
        raise DataLossError(losses)


def _tried(settings: Settings, migrated: Settings, revision: Revision) -> str:
    """The text that was run both ways and left no difference: readable, else PostgreSQL's own words."""
    role = OwnerDatabase(settings).application_role.strip('"')
    for spell in (readable, verbatim):
        text = migration_text(revision.name, revision.up, revision.down, role=role, spell=spell)
        with scratch(settings, template=migrated.db_name) as trial:
            fault = _fault(trial, text, revision)
        if not fault:
            return text
    remedy = f"Write this one by hand: pw_migrate create {revision.name}"
    raise MigrationError(what=f"The generated migration does not do what it should: {fault}", remedy=remedy)


def _fault(trial: Settings, text: str, revision: Revision) -> str:
    """What is wrong with a migration's text; empty when it goes up and down and leaves nothing."""
    with tempfile.TemporaryDirectory() as folder, closing(OwnerDatabase(trial)) as database:
        file = Path(folder, "revision.py")
        file.write_text(text)
        try:
            functions = runpy.run_path(str(file))
        except SyntaxError as error:
            return f"it is no Python: {error}"
        for direction, wanted in (("migrate", revision.after), ("rollback", revision.before)):
            try:
                _run(database, functions[direction])
            except PeeweeException as error:
                return f"{direction}: {str(error).strip()}"
            if left := plan(actual(database), wanted):
                return f"{direction} leaves {'; '.join(left[0].statements)}"
    return ""


def _run(database: OwnerDatabase, function: object) -> None:
    """As peewee-migrate runs it."""
    migrator = Migrator(database)
    with database.transaction():
        function(migrator, database, fake=False)  # type: ignore[operator] # what every migration defines
        migrator()


def _next_number() -> int:
    return max((int(name[:3]) for name in migrate.file_names()), default=0) + 1


def _summary(revision: Revision) -> Iterator[str]:
    for step in revision.up:
        yield from filter(None, (step.loses and f"loses {step.loses}", step.note))
