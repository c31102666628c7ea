"""flask db-bootstrap, db-migrate, db-rollback, db-status."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TypeVar

import click
from flask import current_app
from flask.cli import with_appcontext

from app import migrate
from app.bootstrap import bootstrap
from app.cli.judged import JudgedDatabase
from app.database import db
from app.tenancy import platform_scope


@click.command("db-bootstrap")
@with_appcontext
def db_bootstrap() -> None:
    """Make the database and the application's role; may be repeated."""
    for line in bootstrap(current_app.config["SETTINGS"]):
        click.echo(f"✓ {line}")


@click.command("db-migrate")
@click.option("--to", metavar="NAME", help="Stop after NAME.")
@click.option("--fake", is_flag=True, help="Record the files without running them.")
@click.option("--dry-run", is_flag=True, help="Print the SQL, and send none of it.")
def db_migrate(to: str | None, *, fake: bool, dry_run: bool) -> None:
    """Run the pending migrations, each in a transaction of its own."""
    if dry_run:
        with _opened(migrate.Recorder) as recorder:
            _print(migrate.migrate_sql(recorder, to=to, fake=fake))
        return
    with _opened(JudgedDatabase) as database:
        if not _show(migrate.migrate(database, to=to, fake=fake), "recorded" if fake else "applied"):
            click.echo("Nothing to do: every migration is applied.")


@click.command("db-rollback")
@click.option("--count", type=click.IntRange(min=1), help="How many of the latest to revert; 1 if not given.")
@click.option("--to", metavar="NAME", help="Revert everything that came after NAME.")
@click.option("--dry-run", is_flag=True, help="Print the SQL, and send none of it.")
def db_rollback(count: int | None, to: str | None, *, dry_run: bool) -> None:
    """Revert the latest migrations."""
    if count is not None and to is not None:
        raise click.UsageError("Give --count or --to, not both.")
    if dry_run:
        with _opened(migrate.Recorder) as recorder:
            _print(migrate.rollback_sql(recorder, count=count or 1, to=to))
        return
    with _opened(migrate.MigrationDatabase) as database:
        if not _show(migrate.rollback(database, count=count or 1, to=to), "reverted"):
            click.echo("Nothing to do.")


@click.command("db-status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def db_status(as_json: bool) -> None:
    """Show which migrations are applied and which are pending."""
    with platform_scope("flask db-status"):
        schema = migrate.migration_status(db)
    if as_json:
        click.echo(json.dumps(asdict(schema)))
        return
    for name in schema.applied:
        click.echo(f"{'? no file' if name in schema.unknown else '✓ applied'}  {name}")
    for name in schema.pending:
        click.echo(f"· pending  {name}")
    click.echo(f"{len(schema.applied)} applied, {len(schema.pending)} pending")


_Owner = TypeVar("_Owner", migrate.MigrationDatabase, JudgedDatabase, migrate.Recorder)


@contextmanager
def _opened(kind: type[_Owner]) -> Iterator[_Owner]:
    """One of the owner's databases, closed afterwards: the lock is free before the process ends."""
    database = kind(migrate.migration_settings())
    try:
        yield database
    finally:
        database.close_all()


def _print(files: Iterable[str]) -> None:
    for text in files:
        click.echo(text)


def _show(steps: Iterable[migrate.Step], verb: str) -> int:
    """Print each step as it ends; returns how many there were."""
    shown = 0
    for step in steps:
        click.echo(f"✓ {verb} {step.name}  {step.seconds * 1000:.0f} ms")
        shown += 1
    return shown
