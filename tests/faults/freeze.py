"""Stop processes of the server: frozen they keep their sockets, and their kernel still acknowledges."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dev.cluster import Cluster


@contextmanager
def frozen(server: Cluster) -> Iterator[None]:
    """Freeze the server with all its backends; thaw them at the end of the block."""
    with _stopped([_postmaster(server), *children(server)]):
        yield


@contextmanager
def frozen_postmaster(server: Cluster) -> Iterator[None]:
    """Freeze the process that lets callers in; those who are in are served on."""
    with _stopped([_postmaster(server)]):
        yield


@contextmanager
def frozen_backend(pid: int) -> Iterator[None]:
    """Freeze one backend."""
    with _stopped([pid]):
        yield


def children(server: Cluster) -> list[int]:
    """The server's processes but the first."""
    return processes_of(_postmaster(server))


def processes_of(first: int) -> list[int]:
    """The processes a process started."""
    return [int(pid) for pid in Path(f"/proc/{first}/task/{first}/children").read_text().split()]


def kill_backend(pid: int) -> None:
    """Kill one backend as the kernel does when memory is short; the server restarts all of them."""
    os.kill(pid, signal.SIGKILL)


@contextmanager
def _stopped(pids: list[int]) -> Iterator[None]:
    _signal(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        _signal(pids, signal.SIGCONT)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _postmaster(server: Cluster) -> int:
    pid = server.pid()
    assert pid is not None, "the server does not run"
    return pid
