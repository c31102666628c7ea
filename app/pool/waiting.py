"""Who waits: a caller for a connection, an attempt for the server."""

import threading
import weakref

from app.errors import AppError
from app.pool.connection import Connection, Holder

Thread = weakref.ref[Holder]


class Waiter:
    """One thread in the queue, and what it will wake up to."""

    __slots__ = ("_gate", "connection", "error", "holder", "since")

    def __init__(self, holder: Thread, since: float) -> None:
        self.holder = holder
        self.since = since
        self.connection: Connection | None = None
        self.error: AppError | None = None
        self._gate = threading.Lock()
        self._gate.acquire()

    def wait(self, seconds: float) -> None:
        """Sleep until served, refused or out of time."""
        self._gate.acquire(timeout=min(max(0.0, seconds), threading.TIMEOUT_MAX))

    def wake(self) -> None:
        """End the sleep."""
        self._gate.release()


class Attempt:
    """One attempt to connect, under way in a thread of its own."""

    __slots__ = ("connection", "started")

    def __init__(self, started: float) -> None:
        self.started = started
        # known once the server let us in, while it is still being greeted
        self.connection: Connection | None = None
