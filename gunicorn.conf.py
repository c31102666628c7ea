"""How gunicorn serves: checks before it binds, more threads than connections, a clean end.

https://docs.gunicorn.org/en/stable/settings.html
"""

import atexit
import os
import shutil
import sys
import tempfile
from typing import Any

# Each worker's metrics go into files in here, which prometheus_client looks for when it is imported.
_METRICS = "" if "PROMETHEUS_MULTIPROC_DIR" in os.environ else tempfile.mkdtemp(prefix="fixapp-metrics-")
os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", _METRICS)

from gunicorn import glogging, util
from prometheus_client import multiprocess

from app import logs
from app.config import read_settings
from app.database import Database, db
from app.errors import AppError, raw_problem
from app.migrate import serving
from app.pool import MAX_WAITING


@atexit.register
def remove_metrics(master: int = os.getpid()) -> None:
    """Remove the folder that was made here, when this process ends and not when a worker does."""
    if _METRICS and os.getpid() == master:
        shutil.rmtree(_METRICS, ignore_errors=True)


try:
    settings = read_settings()
except AppError as error:
    error.show()
    sys.exit(error.exit_code)

bind = f"127.0.0.1:{settings.port}"
wsgi_app = "wsgi:app"
workers = 2
worker_class = "gthread"
# all who may hold a connection, all who may wait for one, and some to answer everybody else
threads = settings.db_pool_max + MAX_WAITING + 8
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
    """gunicorn's own lines, in the form of all others."""

    def setup(self, cfg: Any) -> None:
        """Hand the lines on to the product's handler."""
        super().setup(cfg)
        logs.configure(settings)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


logger_class = Logger


def write_problem(sock: Any, status: int, _reason: str, _message: str) -> None:
    """Refuse what is no HTTP the way everything is refused."""
    util.write_nonblock(sock, raw_problem(status))


# there is no setting for this, and gunicorn would answer in HTML
util.write_error = write_problem


def on_starting(_server: Any) -> None:
    """Look at the database once, before any socket is bound."""
    database = Database(None)
    database.open(settings)
    try:
        database.check(processes=workers)
    except AppError as error:
        error.show()
        sys.exit(error.exit_code)
    finally:
        database.close_all()


def post_fork(_server: Any, _worker: Any) -> None:
    """From here on this process serves, and never migrates."""
    serving("a gunicorn worker")


def worker_exit(_server: Any, _worker: Any) -> None:
    """Close the worker's connections, so that no backend outlives it."""
    db.shutdown()


def child_exit(_server: Any, worker: Any) -> None:
    """Take a worker that is gone out of the sums over the workers alive."""
    multiprocess.mark_process_dead(worker.pid)
