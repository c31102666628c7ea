"""The two sides, each under the same server with the same settings."""

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

from app.cli.serve import granian
from benchmarks.data import PROJECT
from dev import port

SERVERS = ("granian", "gunicorn")
WORKERS = 2
CONNECTIONS = 10  # at most, for each process of either side
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
def both(server: str, environment: dict[str, str]) -> Iterator[dict[str, Server]]:
    """Serve both sides, idle until asked; stopped afterwards."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="fixapp-bench-")))
        (folder / "bare.conf.py").write_text(_same_settings(environment))
        gunicorn = {"ours": PROJECT / "gunicorn.conf.py", "bare": folder / "bare.conf.py"}
        served = {}
        for side, target in SIDES.items():
            at = port.free()
            command = [sys.executable, "-m", "gunicorn", "-c", str(gunicorn[side]), f"--bind=127.0.0.1:{at}"]
            if server == "gunicorn":
                command += [*STEADY, target]
            else:
                command = granian(target, WORKERS, "127.0.0.1", at, CONNECTIONS)
            log = folder / f"{side}.log"
            served[side] = stack.enter_context(_served(command, at, environment, log))
        yield served


def _same_settings(environment: dict[str, str]) -> str:
    """The plain values of our gunicorn.conf.py: not its hooks, which are a part of this product."""
    with patch.dict(os.environ, environment, clear=True):
        ours = runpy.run_path(str(PROJECT / "gunicorn.conf.py"))
    plain = {name: value for name, value in ours.items() if isinstance(value, int | float | str)}
    return "".join(f"{name} = {plain[name]!r}\n" for name in plain if not name.startswith("__"))


@contextmanager
def _served(command: list[str], at: int, environment: dict[str, str], log: Path) -> Iterator[Server]:
    began = time.perf_counter()
    # its lines go to a file, as a service's would: a terminal would slow it down
    with (
        log.open("wb") as lines,
        subprocess.Popen(
            command, cwd=PROJECT, env=environment, stdout=lines, stderr=lines, start_new_session=True
        ) as process,
    ):
        try:
            _wait(process, at, log)
            yield Server(process.pid, at, time.perf_counter() - began)
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
    raise SystemExit(f"nobody serves on port {at}\n{log.read_text()}")
