"""What a WSGI server serves: `gunicorn wsgi:app`, `granian wsgi:app`, `flask run`."""

import gc
import multiprocessing
import os
import signal
import sys
import tempfile
from pathlib import Path

import click
from flask.cli import NoAppException, ScriptInfo


def _name_metrics_folder(parent: int) -> None:
    """Give the processes of one server one folder for their metrics, before anything is imported.

    It is named by their parent and by when that started, so that the next server's is another.
    """
    stat = Path(f"/proc/{parent}/stat")
    started = stat.read_text().rpartition(")")[2].split()[19] if stat.exists() else "0"
    folder = Path(tempfile.gettempdir(), f"fixapp-metrics-{os.getuid()}-{parent}-{started}")
    folder.mkdir(mode=0o700, exist_ok=True)
    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(folder))


# before it can be gone
parent = os.getppid()
# a command serves nobody, and `flask run` is one process; a server may have a context of click's, too
context = click.get_current_context(silent=True)
serves = context is None or context.find_object(ScriptInfo) is None
if serves:
    _name_metrics_folder(parent)

if multiprocessing.current_process().name == "granian-worker":
    # until Granian sets its own, the handler inherited from its master would swallow a request to end
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

# prometheus_client looks for its folder when it is imported
from app import create_app, lifeline  # noqa: E402
from app.cli import as_click_error  # noqa: E402
from app.errors import AppError, ConfigurationError  # noqa: E402
from app.migrate import forbid_migrations  # noqa: E402

try:
    app = create_app()
except AppError as error:
    # `flask --help` says this much without a traceback, and goes on without the app's commands
    if isinstance(error, ConfigurationError) and sys.argv[1:] in ([], ["--help"]):
        raise NoAppException(error.message) from None
    raise as_click_error(error) from error

if serves:
    forbid_migrations("a server's process")
    lifeline.hold_on(parent)
    # what was made until now stays; looking through it again and again takes time
    gc.collect()
    gc.freeze()
