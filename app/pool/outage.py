"""What is known of a server that cannot be reached: why, since when, when to try again."""

import logging
import random
from dataclasses import dataclass

from app.errors import (
    AppError,
    DatabaseLoginRefusedError,
    DatabaseStartingError,
    DatabaseUnavailableError,
    TooManyConnectionsError,
)

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0
QUIET = 5.0
# a pause is at most this much shorter, so that processes do not come back in step
_JITTER = 0.2

# psycopg2 gives an error at connecting no SQLSTATE (its `pgcode` is None), so the server's words decide
_BY_WORDS: dict[type[DatabaseUnavailableError], tuple[str, ...]] = {
    DatabaseLoginRefusedError: (
        "password authentication failed",
        "no password supplied",
        "no pg_hba.conf entry",
        "authentication failed for user",
        "is not permitted to log in",
        "does not exist",
    ),
    TooManyConnectionsError: (
        "too many clients",
        "too many connections",
        "connection slots are reserved",
        "no more connections allowed",
    ),
    DatabaseStartingError: (
        "is starting up",
        "is shutting down",
        "in recovery mode",
        "not accepting connections",
        "not yet accepting connections",
    ),
}
# these were said by a server at work: whoever holds a connection can go on using it
_SERVER_AT_WORK = (DatabaseLoginRefusedError, TooManyConnectionsError)


@dataclass(frozen=True, slots=True)
class Outage:
    """Attempts to connect fail; `silent` when the last one got no answer at all."""

    cause: BaseException
    since: float
    failures: int
    next_try: float
    silent: bool = False

    def error(self) -> AppError:
        """A new error for one caller: one instance raised in many threads would mix their tracebacks."""
        error = named(self.cause)
        error.__cause__ = self.cause
        return error

    @property
    def server_at_work(self) -> bool:
        """Whether the server itself answered, and only this application gets no more connections."""
        return isinstance(self.error(), _SERVER_AT_WORK)


def pause(failures: int) -> float:
    """Seconds from one attempt to the next: doubling to LONGEST_PAUSE, a little less at random."""
    full = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, 10))
    return full * random.uniform(1 - _JITTER, 1)


def named(cause: BaseException) -> AppError:
    """The error of this product's tree for one that connecting ended with."""
    if isinstance(cause, AppError):
        return type(cause)(**cause.values)
    text = str(cause)
    for kind, words in _BY_WORDS.items():
        if any(word in text for word in words):
            return kind()
    return DatabaseUnavailableError()


class Herald:
    """Says each thing once in QUIET seconds, however often it happens; never a secret."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}

    def say(self, now: float, subject: str, text: str, *, secret: str = "") -> None:
        """Log one warning under its subject."""
        if now - self._said.get(subject, -QUIET) < QUIET:
            return
        self._said[subject] = now
        line = " ".join(text.split())
        log.warning("%s: %s", subject, line.replace(secret, "(not shown)") if secret else line)
