"""A PostgreSQL cluster: one folder of data and the server over it."""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from dev import DevError, account, binaries, port
from dev.lock import Lock
from dev.postmaster import Postmaster

PATIENCE = 60  # seconds to start
# A crash loses the last moments of work at most: in development that is cheap, and commits are faster.
LASTING = {"max_connections": "100", "timezone": "UTC", "synchronous_commit": "off"}
PASSING = LASTING | {"fsync": "off", "full_page_writes": "off", "autovacuum": "off"}
MEMORY = Path("/dev/shm")  # noqa: S108 - mkdtemp makes the folder in it, with a name nobody can foresee
MEMORY_NEEDED = 2 << 30  # bytes
PREFIX = "fixapp-throwaway-"


@dataclass
class Cluster:
    """One folder of data and the server over it, which listens on TCP only and asks for passwords.

    The folder around `data` belongs to the account that runs the server.
    """

    data: Path
    port: int
    user: str
    password: str
    programs: binaries.Binaries
    host: str = "127.0.0.1"
    settings: dict[str, str] = field(default_factory=lambda: dict(LASTING))

    @property
    def bindir(self) -> Path:
        """Return the folder of initdb, pg_ctl and postgres."""
        return self.programs.bindir

    @property
    def major(self) -> int:
        """Return the server's major version."""
        return self.programs.major

    @property
    def log(self) -> Path:
        """Return the server's log file."""
        return self.data / "server.log"

    def pid(self) -> int | None:
        """Return the number of the server's process, or None where no server runs on this data."""
        return Postmaster(self.data).pid()

    def exists(self) -> bool:
        """Tell whether the cluster was created."""
        return (self.data / "PG_VERSION").exists()

    def create(self) -> None:
        """Create the cluster, in UTF-8 sorted by code point; it appears when it is whole.

        Raises DevError with initdb's own message.
        """
        aside = self.data.with_name(f"{self.data.name}.new")
        shutil.rmtree(aside, ignore_errors=True)  # from a creation that was cut off
        aside.mkdir()
        self._account.own(aside)
        self._initialise(aside)
        with (aside / "data" / "postgresql.conf").open("a") as conf:
            conf.writelines(f"{name} = '{value}'\n" for name, value in self.settings.items())
        (aside / "data").rename(self.data)
        shutil.rmtree(aside)

    def _initialise(self, aside: Path) -> None:
        password = aside / "password"
        password.touch(mode=0o600)
        password.write_text(f"{self.password}\n")
        self._account.own(password)
        access = ["--pgdata=data", f"--username={self.user}", "--pwfile=password", "--auth=scram-sha-256"]
        result = self._run("initdb", *access, "--no-sync", "--encoding=UTF8", *_locale(self.major), cwd=aside)
        if result.returncode:
            raise DevError(f"initdb failed in {self.data.parent}\n{result.stdout.strip()}")

    def start(self) -> None:
        """Start the server and wait until it accepts connections; a killed server's remains are no obstacle.

        Raises DevError with the end of the server's log.
        """
        deadline = time.monotonic() + PATIENCE
        while failure := self._start():
            # The children of a server that was killed first finish what they are at.
            if "still in use" not in failure or time.monotonic() > deadline:
                raise DevError(f"PostgreSQL {self.major} does not start on port {self.port}\n{failure}")
            time.sleep(0.2)

    def _start(self) -> str:
        Postmaster(self.data).forget()
        logged = self.log.stat().st_size if self.log.exists() else 0
        # No path in here: pg_ctl hands this to a shell.
        server = f"-p {self.port} -c listen_addresses={self.host} -c unix_socket_directories="
        place = ["-D", self.data.name, "-l", f"{self.data.name}/{self.log.name}"]
        options = [*place, "-o", server, "-t", str(PATIENCE), "--wait"]
        result = self._run("pg_ctl", *options, "start", cwd=self.data.parent)
        return self._complaint(logged) or result.stdout if result.returncode else ""

    def _complaint(self, logged: int) -> str:
        with suppress(FileNotFoundError), self.log.open(errors="replace") as log:
            log.seek(logged)
            return log.read()[-2000:].strip()
        return ""

    def stop(self, mode: str = "fast") -> None:
        """Stop the server if it runs: `smart`, `fast` or `immediate`; raises DevError where it goes on."""
        Postmaster(self.data).stop(mode)

    @cached_property
    def _account(self) -> account.Account:
        return account.of_folder(self.data.parent)

    def _run(self, program: str, *options: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        personal = ("PG", "LC_", "LANG")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(personal)}
        return subprocess.run(
            [self.bindir / program, *options],
            cwd=cwd,
            env=environment | {"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            start_new_session=True,  # Ctrl-C is for whoever started this, who decides what stops
            **self._account.options,
        )


def _locale(major: int) -> list[str]:
    if major >= 17:  # noqa: PLR2004 - the release that brought locales of its own
        return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return ["--locale=C", "--lc-ctype=UTF-8" if sys.platform == "darwin" else "--lc-ctype=C.UTF-8"]


@contextmanager
def throwaway() -> Iterator[Cluster]:
    """Run a server for tests: fast, in memory where there is room, and afterwards gone with its data.

    What a killed run left behind, its server included, goes when the next one starts.
    """
    sweep()
    runner, programs, base = account.of_server(), binaries.find(), _roomy_folder()
    folder = Path(tempfile.mkdtemp(prefix=".fixapp-", dir=base))
    with Lock(folder / "lock"):
        # Only a folder that is locked already gets the name by which left-overs are found.
        folder = runner.own(folder.rename(base / f"{PREFIX}{folder.name.removeprefix('.fixapp-')}"))
        owner, programs = ("postgres", secrets.token_urlsafe()), programs.reachable_by(runner)
        server = Cluster(folder / "data", 0, *owner, programs, settings=PASSING)
        try:
            server.create()
            _start_somewhere(server)
            yield server
        finally:
            _discard(folder)


def _roomy_folder() -> Path:
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED:
        return MEMORY
    return Path(tempfile.gettempdir())


def sweep() -> None:
    """Remove what runs that were killed have left behind, their servers included."""
    runner = account.of_server()
    for folder in _roomy_folder().glob(f"{PREFIX}*"):
        lock = Lock(folder / "lock")
        with suppress(OSError):  # another run sweeps it too
            if folder.stat().st_uid == runner.uid and lock.take(wait=False):
                _discard(folder)
        lock.release()


def _discard(folder: Path) -> None:
    Postmaster(folder / "data").stop("immediate")
    shutil.rmtree(folder, ignore_errors=True)


def _start_somewhere(server: Cluster, attempts: int = 5) -> None:
    for attempt in range(1, attempts + 1):
        server.port = port.free()
        try:
            return server.start()
        except DevError as error:  # somebody else may have taken the port in between
            if "already in use" not in str(error) or attempt == attempts:
                raise
    return None
