"""How gunicorn serves: checks before it binds, a queue of its own, a clean end.

Nothing of app/ is imported here: the master forks, and on HUP its workers must find the new code.
https://docs.gunicorn.org/en/stable/settings.html
"""

import json
import resource
import subprocess
import sys
from http import HTTPStatus
from typing import Any

from decouple import config as read  # `config` is a setting of gunicorn
from gunicorn import glogging, util


def _whole(name: str, default: int) -> int:
    """A number of the settings; `flask serve --check` says what is wrong with one that is none."""
    text = read(name, default="")
    return int(text) if text.isdigit() else default


bind = f"127.0.0.1:{_whole('PORT', 3001)}"
wsgi_app = "wsgi:app"
workers = 2
worker_class = "gthread"
# more than may hold a connection or wait for one (16), so that somebody is left to answer who needs none
threads = _whole("DB_POOL_MAX", 10) + 22
# the others wait in the server's queue; each takes a file, and there must be some left for everything else
worker_connections = min(1000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100)
loglevel = "warning"
timeout = 30
graceful_timeout = 15
keepalive = 5
limit_request_fields = 50
# a worker that grew is replaced, never two at the same moment
max_requests = 10_000
max_requests_jitter = 1_000
# gunicorn would put a socket under the home directory
control_socket_disable = True


class Logger(glogging.Logger):
    """gunicorn's own lines, handed on to the application's handler in the workers."""

    def setup(self, cfg: Any) -> None:
        """Say in the master only what went wrong, in the workers what the application says."""
        super().setup(cfg)
        self.error_log.propagate = True


logger_class = Logger


def write_problem(sock: Any, status: int, _reason: str, _message: str) -> None:
    """Refuse what is no HTTP the way everything is refused: problem details (RFC 9457)."""
    phrase = HTTPStatus(status).phrase
    code = phrase.lower().replace(" ", "_").replace("-", "_")
    detail = "The request is not valid HTTP, or is too large. Correct it and send it again."
    body = json.dumps(
        {"type": "about:blank", "title": phrase, "status": status, "detail": detail, "code": code}
        | {"request_id": ""}
    )
    head = f"HTTP/1.1 {status} {phrase}\r\nConnection: close\r\nContent-Type: application/problem+json"
    util.write_nonblock(sock, f"{head}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())


# there is no setting for this, and gunicorn would answer in HTML
util.write_error = write_problem


def on_starting(server: Any) -> None:
    """Look at settings and database once, before any socket is bound, in a process that may have threads."""
    command = [sys.executable, "-m", "flask", "serve", "--check", "--workers", str(server.cfg.workers)]
    done = subprocess.run(command, check=False)
    if done.returncode:
        sys.exit(done.returncode)
