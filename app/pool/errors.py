"""What a pool raises, and how it tells one failure to connect from another.

A docstring's first paragraph is the message: it prints the values that broke the rule and ends in the remedy.
"""

import inspect
import re
from dataclasses import dataclass
from typing import Any


class PoolError(Exception):
    """The connection pool could not do what was asked. Read its subclass and its cause."""

    def __init__(self, **values: Any) -> None:
        self.values = values
        message = inspect.cleandoc(type(self).__doc__ or "").partition("\n\n")[0]
        super().__init__(" ".join(message.split()).format(**values))


class PoolTimeout(PoolError):  # noqa: N818 - psycopg_pool's name
    """None of {max_size} connections came free within {seconds:g} s; {waiting} other clients wait.
    Hold connections for less time, or raise max_size.
    """  # noqa: D205 - the message is one paragraph


class TooManyRequests(PoolError):  # noqa: N818 - psycopg_pool's name
    """{waiting} clients wait, max_waiting is {max_waiting}, and no connection moved for {stalled:.2f} s.
    Try again later, or raise max_waiting.
    """  # noqa: D205 - as above


class PoolClosed(PoolError):  # noqa: N818 - psycopg_pool's name
    """The pool of at most {max_size} connections was closed. Make a new ConnectionPool."""


class ConnectionUnavailable(PoolError):  # noqa: N818 - as its siblings
    """{server} gives no connection: {reason}.
    Check that it runs and can be reached; the pool goes on trying by itself.

    `__cause__` is what the last attempt ended with: psycopg2's error or a TimeoutError.
    """  # noqa: D205 - as above


class ConfigureFailed(ConnectionUnavailable):
    """{server} let us in, but `configure` refused the connection: {reason}. Correct what it complains of.

    `__cause__` is what it raised.
    """


class LoginRefused(ConnectionUnavailable):
    """{server} refuses the log-in: {reason}. Check user, password, database and pg_hba.conf."""


class TooManyConnections(ConnectionUnavailable):
    """{server} has no place left: {reason}. Lower max_size, or raise the server's max_connections."""


class ServerStarting(ConnectionUnavailable):
    """{server} is starting or stopping: {reason}. Wait; the pool goes on trying by itself."""


# psycopg2 gives an error at connecting no SQLSTATE (its `pgcode` is None), so the server's words decide
_KINDS: dict[type[ConnectionUnavailable], re.Pattern[str]] = {
    LoginRefused: re.compile(
        r"password authentication failed|no password supplied|authentication failed for user"
        r"|no pg_hba\.conf entry|pg_hba\.conf rejects|is not permitted to log in|FATAL:.* does not exist"
        r"|permission denied for database|is not currently accepting connections",
    ),
    TooManyConnections: re.compile(
        r"too many clients|too many connections|connection slots are reserved|no more connections allowed"
    ),
    ServerStarting: re.compile(
        r"is starting up|is shutting down|in recovery mode|(?<!currently )(not|not yet) accepting connections"
    ),
}
_ANSWERED = (LoginRefused, TooManyConnections)


@dataclass(frozen=True)
class Failure:
    """Why an attempt to connect failed."""

    kind: type[ConnectionUnavailable]
    cause: BaseException
    server: str
    reason: str
    # nothing was heard at all
    silent: bool = False
    # the server itself answered: whoever holds a connection can go on using it
    answered: bool = False

    def error(self) -> ConnectionUnavailable:
        """Make an error for one caller: one instance raised in many threads would mix their tracebacks."""
        error = self.kind(server=self.server, reason=self.reason)
        error.__cause__ = self.cause
        return error


def failure(
    cause: BaseException, server: str, *, secret: str = "", logged_in: bool = False, silent: bool = False
) -> Failure:
    """Say why an attempt failed, without its password; `logged_in` when it failed after the log-in."""
    reason = " ".join(str(cause).split()).rstrip(".") or type(cause).__name__
    if secret:
        reason = reason.replace(secret, "(not shown)")
    if logged_in:
        reason = f"{type(cause).__name__}: {reason}"
    kind = ConfigureFailed if logged_in else classify(reason)
    return Failure(kind, cause, server, reason, silent, logged_in or kind in _ANSWERED)


def classify(reason: str) -> type[ConnectionUnavailable]:
    """Find the kind of failure that the server's words tell of."""
    return next((kind for kind, words in _KINDS.items() if words.search(reason)), ConnectionUnavailable)
