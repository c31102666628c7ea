"""The connection pool: Peewee's, with its three sharp edges taken off.

- A connection that died while idle is recognised by its socket, not by a `SELECT 1`
  at every check-out: a server that says goodbye makes the socket readable.
- Waiting too long and not reaching the server are two errors of this product's own tree.
- An error in a transaction is not hidden by the ROLLBACK that fails after it.
"""

import select

import peewee
from playhouse.pool import MaxConnectionsExceeded
from playhouse.postgres_ext import PooledPostgresqlExtDatabase
from psycopg2.extensions import connection as Connection

from app.errors import DatabaseUnavailableError, PoolTimeoutError


class Pool(PooledPostgresqlExtDatabase):
    """A `PooledPostgresqlExtDatabase` whose check-out costs no round trip."""

    def connect(self, reuse_if_open: bool = False) -> bool:
        """Check a connection out for this thread.

        Raises PoolTimeoutError when all stayed busy, DatabaseUnavailableError when the
        server cannot be reached.
        """
        try:
            return bool(super().connect(reuse_if_open))
        except MaxConnectionsExceeded as error:
            raise PoolTimeoutError(seconds=self._wait_timeout) from error
        except peewee.OperationalError as error:
            if not self.is_closed():
                raise  # "Connection already opened": the caller's mistake, not the server's
            raise DatabaseUnavailableError from error

    def rollback(self) -> None:
        """Roll back, unless the connection is dead: then its first error is the one to see."""
        conn = self._state.conn
        if conn is None or not conn.closed:
            super().rollback()

    def _is_closed(self, conn: Connection) -> bool:
        return bool(conn.closed) or _has_news(conn)


def _has_news(conn: Connection) -> bool:
    """Whether an idle connection's socket has something to read: its server said goodbye.

    PostgreSQL sends nothing unasked on an idle connection but its last error and the
    end of the stream (protocol flow, "Termination").
    https://www.postgresql.org/docs/current/protocol-flow.html
    """
    poll = select.poll()
    poll.register(conn.fileno(), select.POLLIN | select.POLLERR | select.POLLHUP)
    return bool(poll.poll(0))
