"""The process that serves a folder of data."""

import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from dev import DevError

PATIENCE = 60  # seconds to stop
SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}


@dataclass(frozen=True)
class Postmaster:
    """PostgreSQL's first process, as the file postmaster.pid in its data describes it."""

    data: Path

    def pid(self) -> int | None:
        """Return the process's number, or None where no server runs on this data."""
        lines = self._pidfile()
        return int(lines[0]) if lines and _is_alive(int(lines[0])) else None

    def port(self) -> int | None:
        """Return the port the server was started on, or None where none runs."""
        lines = self._pidfile()
        return int(lines[3]) if lines and _is_alive(int(lines[0])) else None

    def stop(self, mode: str = "fast") -> None:
        """Stop the server if it runs: `smart`, `fast` or `immediate` (PostgreSQL manual, "pg_ctl").

        Raises DevError where it still runs after a minute.
        """
        pid = self.pid()
        if pid is None:
            return
        deadline = time.monotonic() + PATIENCE
        os.kill(pid, SIGNALS[mode])
        os.kill(pid, signal.SIGCONT)  # a frozen server hears nothing else
        while _is_alive(pid):
            if time.monotonic() > deadline:
                raise DevError(f"PostgreSQL (process {pid}) does not stop: try kill -QUIT {pid}")
            time.sleep(0.02)

    def forget(self) -> None:
        """Tell PostgreSQL that the process is gone, where a zombie or another one of that number hides it.

        PostgreSQL does not fear the number of its own grandparent, and the rest of the file still lets
        it find children of the old server (src/backend/utils/init/miscinit.c, CreateLockFile).
        """
        lines = self._pidfile()
        if lines and not _is_alive(int(lines[0])):
            self._path.write_text("\n".join([str(os.getpid()), *lines[1:], ""]))

    @property
    def _path(self) -> Path:
        return self.data / "postmaster.pid"

    def _pidfile(self) -> list[str]:
        try:
            return self._path.read_text().splitlines()
        except FileNotFoundError:
            return []


def _is_alive(pid: int) -> bool:
    """Tell whether a process lives and is PostgreSQL's; a zombie is not."""
    if Path("/proc/self/stat").exists():
        try:
            process = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False
    else:
        listing = ["ps", "-o", "comm=,stat=", "-p", str(pid)]
        process = subprocess.run(listing, capture_output=True, text=True, check=False).stdout
    return bool(re.search(r"\bpostgres\W+[^Z\W]", process))
