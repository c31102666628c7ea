"""A connection pool for psycopg2 that keeps its promises on a server that is frozen, killed, cut off or full.

pool         what its users call: getconn, putconn, connection, get_stats, close
state        who has which connection, who waits for one; one lock, no I/O
connector    one attempt to connect, from the wish for one to its end
maintenance  sizes, ages, deadlines, leaks and resets, in one thread
connection   one connection: alive or not, its statements' deadlines, its reset; `cursor` sends the statements
cancel       cancelling a statement without stopping the process
breaker      when to try again: circuit breaker, search for a primary, rate-limited log
leaks        who held a leaked connection, and where it was taken
errors       what a pool raises
stats        what a pool is held to, and what it has counted

It knows psycopg2 and the standard library only.
"""

from app.pool.connection import RESET, SESSION, Connection
from app.pool.errors import (
    ConfigureFailed,
    ConnectionUnavailable,
    LoginRefused,
    PoolClosed,
    PoolError,
    PoolTimeout,
    ServerStarting,
    TooManyConnections,
    TooManyRequests,
)
from app.pool.pool import ConnectionPool

__all__ = [
    "RESET",
    "SESSION",
    "ConfigureFailed",
    "Connection",
    "ConnectionPool",
    "ConnectionUnavailable",
    "LoginRefused",
    "PoolClosed",
    "PoolError",
    "PoolTimeout",
    "ServerStarting",
    "TooManyConnections",
    "TooManyRequests",
]
