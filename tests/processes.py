"""Programs of the product as processes of their own, the way they are started in earnest."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import IO, Any

from dev import port
from tests.environment import of_the_product

ROOT = Path(__file__).parents[1]
GUNICORN = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py"]
FLASK = [sys.executable, "-m", "flask"]
GRANIAN = [*FLASK, "serve"]
# what every promise over HTTP is held under
SERVERS = {"granian": GRANIAN, "gunicorn": GUNICORN}
# the console script, which does not put the working directory on the import path
PW_MIGRATE = [str(Path(sys.executable).with_name("pw_migrate"))]
PATIENCE = 20  # seconds to start, and to end


def environment(variables: dict[str, str]) -> dict[str, str]:
    """These settings and none of whoever runs the tests."""
    ours = of_the_product(os.environ)
    rest = {name: value for name, value in os.environ.items() if name not in ours}
    return rest | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | variables


def run(command: list[str], variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment(variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@dataclass
class Served:
    """A server that runs."""

    process: subprocess.Popen[bytes]
    port: int
    output: IO[bytes]

    def ask(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, body: Any = None
    ) -> tuple[HTTPResponse, Any]:
        """Send a request; returns its answer and what JSON it holds."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            typed = (headers or {}) | ({"Content-Type": "application/json"} if body is not None else {})
            connection.request(method, path, None if body is None else json.dumps(body), typed)
            answer = connection.getresponse()
            return answer, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def stop(self) -> int:
        """Ask it to end; returns its exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def lines(self) -> list[str]:
        """What it has written so far."""
        self.output.seek(0)
        return self.output.read().decode().splitlines()


@contextmanager
def serving(command: list[str], variables: dict[str, str], *, folder: Path = ROOT) -> Iterator[Served]:
    """Run a server until the block ends; it answers when the block begins."""
    number = port.free()
    words = [*command, "--port", str(number)] if "run" in command else command
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            words,
            cwd=folder,
            env=environment(variables | {"PORT": str(number)}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        served = Served(process, number, output)
        try:
            _wait_until_live(served)
            yield served
        finally:
            process.kill()
            process.wait()


def _wait_until_live(served: Served) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        assert served.process.poll() is None, served.lines()
        try:
            served.ask("GET", "/health/live")
        except OSError:
            assert time.monotonic() < deadline, served.lines()
            time.sleep(0.05)
        else:
            return
