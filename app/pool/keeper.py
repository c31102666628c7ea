"""The thread that keeps a pool's promises while nobody is looking.

It never waits for the server: what could wait (connecting, cleaning) it starts in other
threads. A tick costs 8 us, ten times a second.
"""

import logging
import threading
import time
import weakref
from collections.abc import Callable

import psycopg2

from app.pool.connection import Connection
from app.pool.opener import Opener, close_quietly
from app.pool.origin import describe
from app.pool.stock import Stock

log = logging.getLogger(__name__)

TICK = 0.1
# a connection that is lent again sooner carries its own cleaning
CLEAN_AFTER = 0.2
TELL_EVERY = 1.0

Watcher = Callable[[dict[str, int]], None]


class Keeper:
    """Sizes, ages, deadlines, leaks and cleaning of one stock."""

    def __init__(self, stock: Stock, opener: Opener, watchers: list[Watcher]) -> None:
        self.stock = stock
        self.opener = opener
        self._watchers = watchers
        self._told_at = 0.0
        self._cleaning = False

    def start(self) -> None:
        """Begin to tick, until the stock is closed and empty or nobody refers to it."""
        threading.Thread(target=_keep, args=(weakref.ref(self),), name="pool-keeper", daemon=True).start()

    def tick(self) -> None:
        """Look after everything once."""
        now = self.stock.clock()
        self.opener.give_up_if_overdue(now)
        self._cut_unanswered(now)
        self._reclaim_leaks()
        close_quietly(self._worn_out(now))
        self._clean_resting(now)
        self.opener.grow()
        self._tell(now)

    def _tell(self, now: float) -> None:
        if self._watchers and now - self._told_at >= TELL_EVERY:
            self._told_at = now
            stats = self.stock.stats()
            for watcher in self._watchers:
                watcher(stats)

    def _cut_unanswered(self, now: float) -> None:
        """End statements on a server that is frozen or gone.

        Each has its time. But where an attempt to connect and every statement had no answer
        for as long as a caller may wait, the server is known to be silent, and they end then.
        """
        stock, silences = self.stock, list[float]()
        with stock.lock:
            silent = stock.outage is not None and stock.outage.silent and not stock.heard_lately(now)
            for conn in [*stock.in_use.values(), *stock.aside.values()]:
                # nobody waits for an answer to cleaning, so it gets no longer than a caller would wait
                hurried = silent or id(conn) in stock.aside
                if now >= conn.deadline or (hurried and conn.silent_for(now) >= stock.limits.wait):
                    silences.append(conn.silent_for(now))
                    conn.cut()
        for seconds in silences:
            log.warning("a statement had no answer for %.1f s; its connection is cut", seconds)

    def _reclaim_leaks(self) -> None:
        """Close what was lent to threads that ended. It cannot be in use, so nothing can wait here."""
        leaked = self.stock.take_out(_is_leaked)
        self.stock.counts.leaks += len(leaked)
        for conn in leaked:
            log.warning("a thread ended with a connection taken at %s", describe(conn.origin))
        close_quietly(leaked)

    def _worn_out(self, now: float) -> list[Connection]:
        """Take out resting connections that died, were idle too long, or came of age."""
        stock, limits, gone = self.stock, self.stock.limits, list[Connection]()
        with stock.lock:
            for conn in list(stock.idle):  # longest at rest first
                surplus = stock.size > limits.smallest
                if conn.is_dead():
                    stock.counts.connections_lost += 1
                elif surplus and now - conn.returned_at >= limits.idle:
                    stock.counts.idle_closed += 1
                elif now >= conn.expires_at and (surplus or limits.smallest == limits.largest):
                    stock.counts.lifetime_closed += 1
                else:
                    continue
                stock.idle.remove(conn)
                gone.append(conn)
        return gone

    def _clean_resting(self, now: float) -> None:
        if not self._cleaning and any(_rests_unclean(conn, now) for conn in self.stock.idle):
            self._cleaning = True
            threading.Thread(target=self._clean_all, name="pool-cleaner", daemon=True).start()

    def _clean_all(self) -> None:
        try:
            while conn := self._set_aside():
                self._clean(conn)
        finally:
            self._cleaning = False

    def _set_aside(self) -> Connection | None:
        with self.stock.lock:
            now = self.stock.clock()
            conn = next((conn for conn in self.stock.idle if _rests_unclean(conn, now)), None)
            if conn is not None:
                self.stock.idle.remove(conn)
                self.stock.aside[id(conn)] = conn
            return conn

    def _clean(self, conn: Connection) -> None:
        try:
            conn.clean()
            conn.touched = False
        except psycopg2.Error:
            conn.doomed = True
        if not self.stock.put_back(conn):
            close_quietly([conn])
            self.opener.grow()


def _keep(reference: Callable[[], Keeper | None]) -> None:
    while (keeper := reference()) is not None:
        try:
            keeper.tick()
        except Exception:
            # a pool without its keeper would break every promise at once
            log.exception("the pool's keeper stumbled")
        if keeper.stock.closed and not keeper.stock.in_use:
            return
        del keeper
        time.sleep(TICK)


def _is_leaked(conn: Connection) -> bool:
    return conn.holder is not None and conn.holder() is None


def _rests_unclean(conn: Connection, now: float) -> bool:
    return conn.reset_due and now - conn.returned_at >= CLEAN_AFTER
