"""A process that serves ends soon after the server that started it, however that ended.

A master that was killed cannot tell its workers. They would go on for as long as it takes
them to notice, with the port and the database's connections in their hands, and the next
master could not start.
"""

import logging
import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

log = logging.getLogger(__name__)

_LOOK_EVERY = 0.5  # seconds
# for requests that are under way
_GRACE = 1.0
_MASTERS = ("gunicorn", "granian")
_GRANIANS_NAME = "granian-worker"


def hold_on(parent: int) -> None:
    """End this process when its server is gone; in a forked process, look again who that is.

    `parent` is its parent's process id when it started: that may be gone by now. A process whose
    parent is no server, a shell for example, is left alone.
    """
    os.register_at_fork(after_in_child=lambda: _start(os.getppid()))
    _start(parent)


def _start(parent: int) -> None:
    if multiprocessing.current_process().name == _GRANIANS_NAME or _is_master(parent):
        threading.Thread(target=_watch, args=(parent,), name="lifeline", daemon=True).start()


def _is_master(pid: int) -> bool:
    """Whether a process is a server that forks, by how it was called; False where /proc is missing."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return False
    # `python -m gunicorn`, `python /…/bin/gunicorn`; anything else on the line is somebody's argument
    return any(Path(word).name in _MASTERS for word in words[:3])


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY)
    log.error("the server that started this process is gone: it ends too")
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE)
    os._exit(1)
