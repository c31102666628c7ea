"""Migrators in processes of their own, to be started at once and killed at any moment."""

import multiprocessing
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from app.config import Settings
from tests.scratch import migrated

# one process has everything imported and forks the others: each starts in milliseconds
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["app.migrate", "tests.scratch", "pytest"])


def start(settings: Settings, folder: Path) -> ForkServerProcess:
    """Start a migrator, and return when it is about to migrate."""
    here, there = _context.Pipe(duplex=False)
    process = _context.Process(target=_migrate, args=(settings, folder, there))
    process.start()
    there.close()
    here.recv()
    return process


def _migrate(settings: Settings, folder: Path, about_to: Connection) -> None:
    about_to.send(None)
    migrated(settings, folder)
