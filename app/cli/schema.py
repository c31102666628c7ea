"""flask db-bootstrap, db-migrate, db-rollback, db-status."""

import json
from collections.abc import Iterable
from contextlib import closing

import click
from flask import current_app
from flask.cli import with_appcontext

from app import migrate
from app.bootstrap import bootstrap
from app.database import db
from app.tenancy import platform_scope


@click.command("db-bootstrap")
@with_appcontext
def db_bootstrap() -> None:
    """Make the database and the application's role; may be repeated."""
    for line in bootstrap(current_app.config["SETTINGS"]):
        click.echo(f"✓ {line}")


@click.command("db-migrate")
def db_migrate() -> None:
    """Run the pending migrations, each in a transaction of its own."""
    with closing(_database()) as database:
        if not _show(migrate.migrate(database), "applied"):
            click.echo("Nothing to do: every migration is applied.")


@click.command("db-rollback")
@click.option("--count", type=click.IntRange(min=1), help="How many of the latest to revert; 1 if not given.")
@click.option("--to", metavar="NAME", help="Revert everything that came after NAME.")
def db_rollback(count: int | None, to: str | None) -> None:
    """Revert the latest migrations."""
    if count is not None and to is not None:
        raise click.UsageError("Give --count or --to, not both.")
    with closing(_database()) as database:
        if not _show(migrate.rollback(database, count=count or 1, to=to), "reverted"):
            click.echo("Nothing to do.")


@click.command("db-status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def db_status(as_json: bool) -> None:
    """Show which migrations are applied and which are pending."""
    with platform_scope("flask db-status"):
        done = migrate.applied(db)
    names = migrate.file_names()
    waiting = [name for name in names if name not in done]
    unknown = [name for name in done if name not in names]
    if as_json:
        click.echo(json.dumps({"applied": done, "pending": waiting, "unknown": unknown}))
        return
    for name in done:
        click.echo(f"{'✓ applied' if name in names else '? no file'}  {name}")
    for name in waiting:
        click.echo(f"· pending  {name}")
    click.echo(f"{len(done)} applied, {len(waiting)} pending")


def _database() -> migrate.MigrationDatabase:
    return migrate.MigrationDatabase(migrate.migration_settings())


def _show(steps: Iterable[migrate.Step], verb: str) -> int:
    """Print each step as it ends; returns how many there were."""
    shown = 0
    for step in steps:
        click.echo(f"✓ {verb} {step.name}  {step.seconds * 1000:.0f} ms")
        shown += 1
    return shown
