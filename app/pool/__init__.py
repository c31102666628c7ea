"""The connection pool: Peewee's to everyone who asks, with promises of its own.

pool        what Peewee calls: check-out, check-in, transactions, stats
stock       who has which connection, who waits for one; one lock, no I/O
waiting     a caller in the queue, an attempt under way
opener      making connections, one at a time, in threads of their own
keeper      sizes, ages, deadlines, leaks and cleaning, in one thread
connection  one connection: times its statements, carries its own cleaning
outage      why the database cannot be reached, and when to try again
"""

from app.pool.connection import SESSION
from app.pool.limits import MAX_WAITING, STATEMENT_TIMEOUT
from app.pool.pool import Pool

__all__ = ["MAX_WAITING", "SESSION", "STATEMENT_TIMEOUT", "Pool"]
