"""The web server, and requests to it."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from dev import DevError, endings
from dev.output import Output

PATIENCE = 30  # seconds until it answers
# The one place that knows which server serves; that takes its port from PORT.
COMMAND = ("-m", "flask", "serve")


class WebServer:
    """The server as a child of this process, with its lines on the same terminal.

    While it starts and ends these are its warnings and errors only.
    """

    def __init__(self, project: Path, port: int) -> None:
        self._project = project
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._output: Output | None = None

    def start(self) -> None:
        """Start serving and wait until it answers; raises DevError with its exit code where it gives up."""
        self._process = process = subprocess.Popen(
            [sys.executable, *COMMAND],
            cwd=self._project,
            env=os.environ | {"PORT": str(self._port), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches it as one polite signal from here, not twice
        )
        if process.stdout:
            self._output = Output(process.stdout)
        deadline = time.monotonic() + PATIENCE
        while not self._is_live():
            if process.poll() is not None:
                raise DevError("the web server did not start: its own lines above say why", self.wait() or 1)
            if time.monotonic() > deadline:
                raise DevError(f"the web server does not answer on port {self._port} for {PATIENCE} s")
            time.sleep(0.05)

    def speak(self) -> None:
        """Let it tell everything it does, and no longer only what goes wrong."""
        if self._output:
            self._output.be(quiet=False)

    def wait(self) -> int:
        """Wait until it ends by itself and return its exit code, as a shell would see it."""
        code = self._process.wait() if self._process else 0
        if self._output:
            self._output.end()
        return code if code >= 0 else 128 - code

    def stop(self) -> None:
        """End it after the requests it is at; a second Ctrl-C ends those too."""
        if self._process is None:
            return
        if self._output:
            self._output.be(quiet=True)
        try:
            self._process.terminate()
            self._process.wait()
        except KeyboardInterrupt:
            endings.ignore()
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()

    def request(self, method: str, path: str, token: str = "", body: object = None) -> Any:
        """Send a request and return the JSON answered; raises DevError for any answer but success."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        # http.client knows no proxies, which must not come between a machine and itself.
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        with closing(connection):
            try:
                connection.request(method, path, json.dumps(body) if body else None, headers if token else {})
                response = connection.getresponse()
                answer = response.read().decode()
            except (OSError, http.client.HTTPException) as error:
                raise DevError(f"{method} {path}: {error}") from error
        if response.status >= http.client.BAD_REQUEST:
            raise DevError(f"{method} {path}: {response.status} {answer}", 1)
        return json.loads(answer)

    def _is_live(self) -> bool:
        with suppress(DevError):
            self.request("GET", "/health/live")
            return True
        return False
