"""Answers that are sent while they are read: a unit of work that lasts until the last byte.

A generator's body runs wherever its consumer does, so what it enters would be in force there.
A stream runs each step in a context of its own instead. It holds a connection for as long as
its reader takes, so a pool lends at most a quarter of its connections to streams, and a reader
that takes nothing for a while loses its transaction.
"""

import logging
import os
import threading
import time
import weakref
from collections.abc import Iterable, Iterator
from contextvars import Context, copy_context
from typing import Any, Generic, TypeVar

import peewee
from playhouse.postgres_ext import ServerSideQuery

from app.database import Databases, Unit, db, unit_in_force
from app.errors import NoTenantError, StreamCutError, StreamsFullError

log = logging.getLogger(__name__)

Item = TypeVar("Item")

SHARE = 4
STALL = 5.0  # seconds
_LOOK_EVERY = 0.5

_streams: "weakref.WeakSet[Stream[Any]]" = weakref.WeakSet()
# broken off without `close()`: the watcher ends them, for it is never in the middle of anything
_forgotten: "list[tuple[Context, Unit, Iterator[Any]]]" = []
_watcher: tuple[int, threading.Thread] | None = None
_lock = threading.Lock()


def stream(items: Iterable[Item]) -> "Stream[Item]":
    """Rows or a generator, for an answer that is sent while they are read, as the scope in force.

    A query is read through a server-side cursor, so that a million rows take no more memory than a
    few. Its first item is read at once: what goes wrong there is still an answer with a status.
    Raises StreamsFullError when a quarter of the pool is streaming already, NoTenantError outside
    any scope.
    """
    unit = unit_in_force()
    if unit is None:
        raise NoTenantError
    return Stream(Unit(unit.principal, unit.databases, statement_timeout=unit.statement_timeout), items)


class Stream(Generic[Item]):
    """An iterator whose steps run in a unit of work that its consumer is not in."""

    def __init__(self, unit: Unit, items: Iterable[Item]) -> None:
        self.unit = unit
        self._items = iter(_server_side(items))
        self._context = copy_context()
        self._lock = threading.Lock()
        self._idle_since = time.monotonic()
        self._cut = False
        self._register(unit.databases)
        _watch()
        self._context.run(unit.enter)
        # read now: an error has a status only before the first byte is sent
        self._first = [self._next()]

    def __iter__(self) -> "Stream[Item]":
        return self

    def __next__(self) -> Item:
        if self._first:
            return self._unless_over(self._first.pop())
        return self._unless_over(self._next())

    def close(self) -> None:
        """End the unit: the server calls this after the last byte, or when the client hung up."""
        with self._lock:
            self._end()

    def _register(self, databases: Databases) -> None:
        size = databases.settings.db_pool_max
        most = max(1, size // SHARE)
        with _lock:
            if sum(1 for other in _streams if other.unit.databases is databases) >= most:
                raise StreamsFullError(most=most, size=size)
            _streams.add(self)

    def __del__(self) -> None:
        # somebody wrapped it in a generator of his own, which was broken off
        unit = getattr(self, "unit", None)
        if unit is not None and self in _streams and not unit.ended:
            _forgotten.append((self._context, unit, self._items))

    def cut_if_stalled(self, now: float) -> None:
        """End the transaction of a reader that took nothing for STALL seconds."""
        if now - self._idle_since < STALL or not self._lock.acquire(blocking=False):
            return
        try:
            if now - self._idle_since >= STALL and not self.unit.ended:
                self._cut = True
                self._end()
        finally:
            self._lock.release()

    def _next(self) -> Item | StopIteration:
        with self._lock:
            if self._cut:
                raise StreamCutError(seconds=STALL)
            try:
                return self._context.run(self._step)
            except StopIteration as over:
                self._end()
                return over
            except BaseException:
                self._end(failed=True)
                raise
            finally:
                self._idle_since = time.monotonic()

    def _unless_over(self, item: Item | StopIteration) -> Item:
        if isinstance(item, StopIteration):
            raise StopIteration
        return item

    def _step(self) -> Item:
        # the consumer may be another thread than the one before
        self.unit.move_here()
        return next(self._items)

    def _end(self, *, failed: bool = False) -> None:
        if not self.unit.ended:
            self._context.run(_finish, self.unit, self._items, failed=failed)
            with _lock:
                _streams.discard(self)


def _finish(unit: Unit, items: Iterator[Any], *, failed: bool) -> None:
    """End a stream's generator and its unit, in the stream's own context."""
    unit.move_here()
    try:
        close = getattr(items, "close", None)
        if close is not None:
            close()
    finally:
        unit.end(failed=failed)


def _server_side(items: Iterable[Item]) -> Iterator[Item]:
    if not isinstance(items, peewee.SelectBase):
        yield from items
        return
    query = ServerSideQuery(items)
    with db.atomic():
        try:
            yield from query
        finally:
            # here, and not by the garbage collector: the connection would be somebody else's by then
            query.close()


def _watch() -> None:
    """Start the thread that looks for stalled readers; a forked process needs one of its own."""
    global _watcher  # noqa: PLW0603 - one thread for the process, like the list it looks at
    with _lock:
        if _watcher is None or _watcher[0] != os.getpid() or not _watcher[1].is_alive():
            thread = threading.Thread(target=_cut_stalled, name="stream-watcher", daemon=True)
            _watcher = (os.getpid(), thread)
            thread.start()


def _alive() -> "list[Stream[Any]]":
    # under the lock: a set that changes meanwhile cannot be gone through
    with _lock:
        return list(_streams)


def _cut_stalled() -> None:
    while _alive() or _forgotten:
        time.sleep(_LOOK_EVERY)
        now = time.monotonic()
        for each in _alive():
            each.cut_if_stalled(now)
        while _forgotten:
            context, unit, items = _forgotten.pop()
            try:
                context.run(_finish, unit, items, failed=True)
            except Exception:
                log.exception("a stream that was broken off ended badly")
