"""Making connections: in threads of their own, one attempt at a time.

psycopg2 cannot be given a deadline shorter than a whole second, nor one that covers a
server with two addresses and the greeting after the log-in. So nobody connects for
himself: who needs a connection waits in the queue with a deadline of his own, and the
thread that connects may take as long as libpq likes.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress

import psycopg2

from app.pool.connection import Connection
from app.pool.outage import Outage, named, pause
from app.pool.stock import Stock
from app.pool.waiting import Attempt

log = logging.getLogger(__name__)


class Opener:
    """Makes connections for a stock, by calling `dial`."""

    def __init__(self, stock: Stock, dial: Callable[[Attempt], Connection], secret: str = "") -> None:
        self.stock = stock
        self._dial = dial
        self._secret = secret

    def grow(self) -> None:
        """Start making one more connection, if one is wanted and may be tried now."""
        # the keeper asks again, so that a glance is enough for those in a hurry
        attempt = None if self.stock.is_full else self.stock.begin_attempt(self.stock.clock())
        if attempt is None:
            return
        thread = threading.Thread(target=self._connect, args=(attempt,), name="pool-connect", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no more threads: as good as no connection
            self._failed(attempt, error)

    def give_up_if_overdue(self, now: float) -> None:
        """Stop counting on an attempt that took longer than a caller may wait."""
        attempt = self.stock.attempt
        if attempt is not None and now - attempt.started >= self.stock.limits.wait:
            error = TimeoutError(f"no answer for {self.stock.limits.wait:g} s")
            outage = self._outage(attempt, error, silent=True)
            self._say(outage)
            self.stock.overdue(attempt, outage)

    def _connect(self, attempt: Attempt) -> None:
        try:
            conn = self._dial(attempt)
        except BaseException as error:  # noqa: BLE001 - whatever it was, those who wait must hear of it
            self._failed(attempt, error)
            return
        outage = self.stock.outage
        if not self.stock.opened(attempt, conn):
            close_quietly([conn])
        elif outage is not None:
            log.info("the database answers again after %.1f s", self.stock.clock() - outage.since)
        self.grow()

    def _failed(self, attempt: Attempt, error: BaseException) -> None:
        outage = self._outage(attempt, error)
        if self.stock.attempt is attempt and not self.stock.closed:
            self._say(outage)  # before those who wait are told: whoever sees the error finds the line
        self.stock.failed(attempt, outage)

    def _outage(self, attempt: Attempt, cause: BaseException, *, silent: bool = False) -> Outage:
        """The next try is counted from the start of this one: a silent server is asked again at once."""
        before = self.stock.outage
        failures = before.failures + 1 if before else 1
        since = before.since if before else attempt.started
        return Outage(cause, since, failures, attempt.started + pause(failures), silent)

    def _say(self, outage: Outage) -> None:
        subject = named(outage.cause).code
        self.stock.herald.say(self.stock.clock(), subject, str(outage.cause), secret=self._secret)


def close_quietly(connections: list[Connection]) -> None:
    """Close what nobody will use again; that it is broken already is no news."""
    for conn in connections:
        with suppress(psycopg2.Error):
            conn.close()
