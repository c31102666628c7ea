"""The migration lock: one run at a time, and a loser that knows whom it waits for.

The lock is a table lock on the history. The application's role may only read the history,
so it cannot take it (an advisory lock it could), and the mode lets its holder write there.
https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES
"""

import logging
import random
import time
from typing import Any

import psycopg2
from psycopg2 import errorcodes
from psycopg2.extensions import connection as Connection

from app.errors import MigrationError, MigrationLockedError
from app.migrate.history import TABLE

log = logging.getLogger(__name__)

LOCK_WAIT = 60.0  # seconds
_PAUSE = (0.05, 0.25)  # seconds between two looks; not even, so that eight runs do not look at once
_TAKE = f"BEGIN; LOCK TABLE {TABLE} IN SHARE UPDATE EXCLUSIVE MODE NOWAIT"
_HOLDER = f"""
SELECT a.application_name, a.pid, a.xact_start::timestamptz(0)::text
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.relation = '{TABLE}'::regclass AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted
"""
_CREATE = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (
    id serial PRIMARY KEY,
    name varchar(255) NOT NULL CONSTRAINT uniq_{TABLE}_name UNIQUE,
    migrated_at timestamptz DEFAULT CURRENT_TIMESTAMP NOT NULL,
    checksum varchar(64)
)
"""
# a history that peewee-migrate made itself has neither
_LACKS = f"""
SELECT NOT EXISTS (SELECT FROM pg_attribute
                   WHERE attrelid = '{TABLE}'::regclass AND attname = 'checksum'),
       NOT EXISTS (SELECT FROM pg_index WHERE indrelid = '{TABLE}'::regclass
                     AND indisunique AND NOT indisprimary)
"""
_ADD_CHECKSUM = f"ALTER TABLE {TABLE} ADD COLUMN checksum varchar(64)"
_ADD_UNIQUE = f"ALTER TABLE {TABLE} ADD CONSTRAINT uniq_{TABLE}_name UNIQUE (name)"


def hold(conn: Connection) -> None:
    """Hold the migration lock on this connection until it closes. Raises MigrationLockedError."""
    with conn.cursor() as cursor:
        # the holder sleeps in its transaction for as long as the run takes
        cursor.execute("SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '5s'")
        _make_history(cursor)
        _take(cursor)
        if _complete_history(cursor):
            cursor.execute("COMMIT")  # or nobody could read the history until the run ends
            _take(cursor)


def _take(cursor: Any) -> None:
    """Look again and again: whoever waited in the queue would keep vacuum out of the table."""
    deadline, told = time.monotonic() + LOCK_WAIT, False
    while not _taken(cursor):
        holder = _holder(cursor)
        if time.monotonic() > deadline:
            raise MigrationLockedError(seconds=LOCK_WAIT, holder=holder)
        if not told:
            log.warning("waiting for the migration lock: %s", holder)
            told = True
        time.sleep(random.uniform(*_PAUSE))


def _taken(cursor: Any) -> bool:
    try:
        cursor.execute(_TAKE)
    except psycopg2.errors.LockNotAvailable:
        cursor.execute("ROLLBACK")
        return False
    return True


def _holder(cursor: Any) -> str:
    cursor.execute(_HOLDER)
    name, pid, since = cursor.fetchone() or ("a run that has just ended", 0, "a moment ago")
    return f"{name or 'another role'}, server process {pid}, since {since}"


def _make_history(cursor: Any) -> None:
    try:
        cursor.execute(_CREATE)
    except psycopg2.Error as error:
        # two first runs at once: the other one made it between our look and our CREATE
        if error.pgcode not in {errorcodes.UNIQUE_VIOLATION, errorcodes.DUPLICATE_TABLE}:
            raise


def _complete_history(cursor: Any) -> bool:
    """Add what an older history lacks; returns whether anything was."""
    cursor.execute(_LACKS)
    checksum, unique = cursor.fetchone()
    if checksum:
        cursor.execute(_ADD_CHECKSUM)
    if unique:
        try:
            cursor.execute(_ADD_UNIQUE)
        except psycopg2.errors.UniqueViolation as error:
            what = f"The history has a migration twice: {error.diag.message_detail}"
            raise MigrationError(what=what, remedy=f"Delete the row of {TABLE} that did not run") from error
    return bool(checksum or unique)
