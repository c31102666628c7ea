"""The two sides, each under gunicorn with the same settings."""

import os
import runpy
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from benchmarks.data import PROJECT
from dev import port

SIDES = {"ours": "wsgi:app", "bare": "benchmarks.bare:app"}
# a worker that is replaced in one round and not in the next would make them differ
STEADY = ["--max-requests=0"]
PATIENCE = 30  # seconds until it answers


@dataclass(frozen=True)
class Server:
    """One side, being served."""

    pid: int
    port: int
    seconds_to_start: float


@contextmanager
def both(environment: dict[str, str]) -> Iterator[dict[str, Server]]:
    """Serve both sides, idle until asked; stopped afterwards."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="fixapp-bench-")))
        (folder / "bare.conf.py").write_text(_same_settings(environment))
        configurations = {"ours": PROJECT / "gunicorn.conf.py", "bare": folder / "bare.conf.py"}
        yield {
            side: stack.enter_context(
                _served(side, configurations[side], environment, folder / f"{side}.log")
            )
            for side in SIDES
        }


def _same_settings(environment: dict[str, str]) -> str:
    """The plain values of our gunicorn.conf.py: not its hooks, which are a part of this product."""
    with patch.dict(os.environ, environment, clear=True):
        ours = runpy.run_path(str(PROJECT / "gunicorn.conf.py"))
    plain = {name: value for name, value in ours.items() if isinstance(value, int | float | str)}
    return "".join(f"{name} = {plain[name]!r}\n" for name in plain if not name.startswith("__"))


@contextmanager
def _served(side: str, configuration: Path, environment: dict[str, str], log: Path) -> Iterator[Server]:
    free = port.free()
    options = ["-c", str(configuration), f"--bind=127.0.0.1:{free}", *STEADY]
    command = [sys.executable, "-m", "gunicorn", *options, SIDES[side]]
    began = time.perf_counter()
    # its lines go to a file, as a service's would: a terminal would slow it down
    with (
        log.open("wb") as lines,
        subprocess.Popen(
            command, cwd=PROJECT, env=environment, stdout=lines, stderr=lines, start_new_session=True
        ) as process,
    ):
        try:
            _wait(process, free, log)
            yield Server(process.pid, free, time.perf_counter() - began)
        finally:
            process.terminate()


def _wait(process: subprocess.Popen[bytes], at: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", at), timeout=PATIENCE) as connection:
                connection.sendall(b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
                if connection.recv(1):
                    return
        except OSError:
            time.sleep(0.01)
    raise SystemExit(f"gunicorn does not serve on port {at}\n{log.read_text()}")
