"""The folder in which a project keeps its own PostgreSQL."""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from dev import account
from dev.lock import Lock
from dev.postmaster import Postmaster

FOLDER = ".postgres"


class Home:
    """The folder: a cluster for each major version, and locks.

    `gate` is held while a server starts or stops, `use` is shared by all who work with one, and `turn` is
    held by the one that fills a database: two first runs at once would make the same things twice.
    """

    def __init__(self, project: Path) -> None:
        self.path = account.of_server().folder(project / FOLDER)
        self.account = account.of_folder(self.path)
        self.gate = Lock(self.path / "start.lock")
        self.use = Lock(self.path / "use.lock")
        self.turn = Lock(self.path / "turn.lock")

    def at(self, port: int) -> Lock:
        """Return the lock of the one that serves the API on a port."""
        return Lock(self.path / f"port-{port}.lock")

    def data(self, major: int) -> Path:
        """Name the folder of a cluster; a newer PostgreSQL cannot read an older one's data."""
        return self.path / f"dev-{major}"

    def running(self) -> Iterator[Postmaster]:
        """Find the servers that run on this folder's data, whoever started them."""
        for data in self.path.glob("dev-*"):
            if (postmaster := Postmaster(data)).pid():
                yield postmaster

    def on_port(self, port: int) -> Postmaster | None:
        """Find the one that serves a port; a server of somebody else is none of ours."""
        return next((postmaster for postmaster in self.running() if postmaster.port() == port), None)

    def stop(self) -> str:
        """Stop every server and say so; raises DevError where one goes on."""
        with self.gate:
            stopped = [f"PostgreSQL stopped, data kept in {shown(server.data)}" for server in self.running()]
            for server in self.running():
                server.stop()
        return "\n".join(stopped) or "PostgreSQL was not running"


def shown(path: Path) -> str:
    """Write a path as one would type it in a shell here."""
    near = os.path.relpath(path)
    return shlex.quote(str(path) if near.startswith("..") else near)
