"""The web server, and requests to it."""

import http.client
import json
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from dev import DevError, endings

PATIENCE = 30  # seconds until it answers


class WebServer:
    """gunicorn as a child of this process, with its lines on the same terminal."""

    def __init__(self, project: Path, port: int) -> None:
        self._project = project
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start serving and wait until it answers; raises DevError with its exit code where it gives up."""
        command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "wsgi:app"]
        # A session of its own: Ctrl-C reaches it as one polite signal from here, not twice.
        self._process = subprocess.Popen(command, cwd=self._project, start_new_session=True)
        deadline = time.monotonic() + PATIENCE
        while not self._is_live():
            if self._process.poll() is not None:
                raise DevError("the web server did not start: its own lines above say why", self.wait() or 1)
            if time.monotonic() > deadline:
                raise DevError(f"the web server does not answer on port {self._port} for {PATIENCE} s")
            time.sleep(0.05)

    def wait(self) -> int:
        """Wait until it ends by itself and return its exit code, as a shell would see it."""
        code = self._process.wait() if self._process else 0
        return code if code >= 0 else 128 - code

    def stop(self) -> None:
        """End it after the requests it is at; a second Ctrl-C ends those too."""
        if self._process is None:
            return
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
