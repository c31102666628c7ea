"""The commands: flask db-check, db-bootstrap, db-revision, db-migrate, db-rollback, db-status."""

import click
from flask import Flask
from flask.cli import ScriptInfo

from app.cli.check import db_check
from app.cli.exits import as_click_error, exit_code, report_errors
from app.cli.migrations import db_bootstrap, db_migrate, db_rollback, db_status
from app.cli.revision import db_revision
from app.cli.serve import serve

__all__ = ["as_click_error", "exit_code", "init_app", "report_errors", "running"]


def init_app(app: Flask) -> None:
    """Register the commands."""
    for command in (db_check, db_bootstrap, db_revision, db_migrate, db_rollback, db_status, serve):
        app.cli.add_command(command)


def running() -> str | None:
    """What makes this app: "run", "shell", or flask's own name for any other command; None under a server.

    `flask run` belongs to Flask, so only click's context tells that it is starting.
    """
    context = click.get_current_context(silent=True)
    # a server may have a context of click's too
    return context.info_name if context and context.find_object(ScriptInfo) else None
