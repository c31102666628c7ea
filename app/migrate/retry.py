"""A file that is blocked gives way, and tries again.

An ALTER TABLE that waits makes everybody behind it wait, so it waits for a second only, and
the whole file steps back until the queue is gone.
https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-LOCK-TIMEOUT
"""

import logging
import random
import time
from collections.abc import Callable

import peewee
from psycopg2 import errorcodes

from app.errors import MigrationBlockedError
from app.migrate.history import TABLE
from app.migrate.owner import MigrationDatabase, sqlstate

log = logging.getLogger(__name__)

TRIES = 10
PAUSES = (1.0, 30.0)  # seconds: the first and the longest
_BLOCKED = {errorcodes.LOCK_NOT_AVAILABLE, errorcodes.DEADLOCK_DETECTED}
_OTHERS = f"""
SELECT string_agg(DISTINCT format('%%s (server process %%s)', a.usename, a.pid), ', ')
FROM pg_locks l JOIN pg_stat_activity a USING (pid) JOIN pg_class c ON c.oid = l.relation
WHERE l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND c.relnamespace = 'public'::regnamespace AND c.relname <> '{TABLE}' AND a.pid <> pg_backend_pid()
"""


def retried(attempt: Callable[[], None], name: str, database: MigrationDatabase) -> None:
    """Run a file until it is not blocked. Raises MigrationBlockedError after TRIES tries."""
    for number in range(1, TRIES + 1):
        try:
            return attempt()
        except peewee.OperationalError as error:
            if sqlstate(error) not in _BLOCKED:
                raise
            others = database.execute_sql(_OTHERS, ()).fetchone()[0] or "whoever it was, they have gone"
            if number == TRIES:
                raise MigrationBlockedError(name=name, tries=TRIES, others=others) from error
        pause = _pause(number)
        log.warning("%s was blocked by %s; try %d of %d in %.1f s", name, others, number + 1, TRIES, pause)
        time.sleep(pause)
    return None


def _pause(number: int) -> float:
    """Seconds to wait after a try: longer each time, and never the same for two runs."""
    first, longest = PAUSES
    return random.uniform(first, max(first, min(longest, first * 2**number)))
