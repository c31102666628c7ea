"""flask serve: look at settings and database, then become the server."""

import os
import sys

import click
from flask import current_app
from flask.cli import with_appcontext

from app.config import Settings
from app.database import MAX_WAITING, Databases

# threads beyond those that hold a connection or wait for one, to answer who needs none: live, above all
_SPARE_THREADS = 6
# clients a process lets in at once, kept alive or not; beyond that they wait in the listening socket's queue
_CLIENTS = 1000
_HEADER_TIMEOUT = 10_000  # milliseconds
_MAX_HEADER = 16_384


@click.command("serve")
@click.option("--workers", type=click.IntRange(min=1), default=2, show_default=True, help="Processes.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--check", is_flag=True, help="Only look whether it could start.")
@with_appcontext
def serve(workers: int, host: str, check: bool) -> None:
    """Serve with Granian, after a look at settings and database; exits 78 or 3 where one is wrong."""
    settings: Settings = current_app.config["SETTINGS"]
    databases: Databases = current_app.extensions["databases"]
    databases.check(workers)
    databases.close()
    if not check:
        command = granian("wsgi:app", workers, host, settings.port, settings.db_pool_max)
        os.execv(sys.executable, command)  # noqa: S606 - our own command


def granian(target: str, workers: int, host: str, port: int, connections: int) -> list[str]:
    """The command that serves an application: few threads, a bounded queue, no slow headers.

    https://github.com/emmett-framework/granian#options
    """
    options = {
        "interface": "wsgi",
        "host": host,
        "port": port,
        "workers": workers,
        "blocking-threads": connections + MAX_WAITING + _SPARE_THREADS,
        "backpressure": _CLIENTS,
        "http1-header-read-timeout": _HEADER_TIMEOUT,
        "http1-buffer-size": _MAX_HEADER,
        "workers-kill-timeout": 15,
        "log-level": "error",
    }
    words = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "granian", *words, "--no-ws", "--respawn-failed-workers", target]
