"""The commands: flask db-check, db-bootstrap, db-revision, db-migrate, db-rollback, db-status."""

import click
from flask import Flask

from app.cli.check import db_check
from app.cli.revision import db_revision
from app.cli.schema import db_bootstrap, db_migrate, db_rollback, db_status

__all__ = ["init_app", "running"]


def init_app(app: Flask) -> None:
    """Register the commands."""
    for command in (db_check, db_bootstrap, db_revision, db_migrate, db_rollback, db_status):
        app.cli.add_command(command)


def running() -> str | None:
    """What makes this app: "run", "shell", or flask's own name for any other command; None under a server.

    `flask run` belongs to Flask, so only click's context tells that it is starting.
    """
    context = click.get_current_context(silent=True)
    return context.info_name if context else None
