"""When to try again: the circuit breaker for attempts to connect, the search for a primary, the log's pace.

Nothing here waits or locks: the pool calls the first two with its lock held.
"""

import logging
import random
import threading
from collections.abc import Callable

from app.pool.errors import ConnectionUnavailable, Failure

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0
LOG_INTERVAL = 5.0
# a pause is at most this much shorter, so that processes do not come back in step
_JITTER = 0.2
# seconds without a refused write after which a search for the primary begins again
_FORGOTTEN_AFTER = 60.0

log = logging.getLogger(__name__)


def pause(failures: int) -> float:
    """Seconds from one attempt to the next: doubling to LONGEST_PAUSE, a little less at random."""
    full = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, 10))
    return full * random.uniform(1 - _JITTER, 1)


class CircuitBreaker:
    """Open while attempts to connect fail: they are paced, and callers who would wait for one fail fast.

    https://learn.microsoft.com/azure/architecture/patterns/circuit-breaker
    """

    def __init__(self) -> None:
        self.failure: Failure | None = None
        self.failures = 0
        self.opened_at = self.next_attempt = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the last attempt failed."""
        return self.failure is not None

    @property
    def silent(self) -> bool:
        """Whether the last attempt had no answer at all."""
        return self.failure is not None and self.failure.silent

    @property
    def answered(self) -> bool:
        """Whether the server itself refused the last attempt, so that it serves whoever is connected."""
        return self.failure is not None and self.failure.answered

    def allows(self, now: float) -> bool:
        """Whether an attempt may be made now."""
        return self.failure is None or now >= self.next_attempt

    def record_failure(self, failure: Failure, started: float) -> None:
        """Open, or stay open; the pause counts from the start of the attempt, so silence is asked at once."""
        if self.failure is None:
            self.opened_at = started
        self.failure = failure
        self.failures += 1
        self.next_attempt = started + pause(self.failures)

    def record_success(self, now: float) -> float:
        """Close; the seconds it was open, 0 when it was not."""
        seconds = now - self.opened_at if self.is_open else 0.0
        self.failure, self.failures = None, 0
        return seconds

    def error(self) -> ConnectionUnavailable | None:
        """Make an error for one caller; None while closed."""
        return None if self.failure is None else self.failure.error()


class PrimarySearch:
    """How often new log-ins may look for the primary, after the server refused a write as read-only."""

    def __init__(self) -> None:
        self.refusals = 0
        self._next = self._last = 0.0

    @property
    def is_on(self) -> bool:
        """Whether a write was refused, and no log-in since has found a server that takes writes."""
        return self.refusals > 0

    def may_look(self, now: float) -> bool:
        """Note a refused write; whether its connection should make way for a new log-in."""
        if now - self._last > _FORGOTTEN_AFTER:
            self.refusals = 0
        self._last = now
        if self.refusals and now < self._next:
            return False
        self.refusals += 1
        self._next = now + pause(self.refusals)
        return True

    def end(self) -> None:
        """A server that takes writes was found."""
        self.refusals = 0


class RateLimitedLog:
    """Logs each subject once in LOG_INTERVAL seconds, however often it happens."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._logged: dict[str, float] = {}

    def allows(self, subject: str) -> bool:
        """Whether the subject was not logged a moment ago; whoever is told so logs it."""
        now = self._clock()
        with self._lock:
            allowed = now - self._logged.get(subject, -LOG_INTERVAL) >= LOG_INTERVAL
            if allowed:
                self._logged[subject] = now
        return allowed

    def emit(self, subject: str, text: str) -> None:
        """Log `subject: text`, unless the subject was logged a moment ago."""
        if self.allows(subject):
            log.warning("%s: %s", subject, text)
