"""CREATE INDEX CONCURRENTLY and its kin: outside a transaction, and safe to run again.

They block nobody, so they may wait as long as they need; but one that is cut off leaves an
invalid index behind, which IF NOT EXISTS takes for the real one for ever.
https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
"""

import re
from collections.abc import Callable
from typing import Any, Protocol

from app.errors import MigrationError

_MEANT = re.compile(
    r"\s*(?:--[^\n]*\n\s*)*(?:CREATE|DROP|REINDEX|REFRESH)\b[^;']*?\bCONCURRENTLY\b", re.IGNORECASE
)
_REPEATABLE = re.compile(r"\bCONCURRENTLY\s+IF\s+(?:NOT\s+)?EXISTS\b", re.IGNORECASE)
_CREATED = re.compile(r"\bINDEX\s+CONCURRENTLY\s+IF\s+NOT\s+EXISTS\s+(\S+)", re.IGNORECASE)
_INVALID = "SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass(%s) AND NOT indisvalid)"
Execute = Callable[[str], Any]


class _InTransaction(Protocol):
    def in_transaction(self) -> bool: ...


def is_meant(sql: str) -> bool:
    """Whether a statement says CONCURRENTLY where PostgreSQL heeds it."""
    return bool(_MEANT.match(sql))


def execute_concurrently(database: _InTransaction, sql: str, send: Callable[..., Any]) -> Any:
    """Send such a statement, without a limit on waiting; an invalid index in its place goes first.

    Raises MigrationError inside a transaction, and when the statement could not be run again.
    """
    if database.in_transaction():
        what = f"{_first_line(sql)!r} cannot run in a transaction"
        raise MigrationError(
            what=what, remedy="Say `transactional = False` in its file, and run it with `flask db-migrate`"
        )
    if sql.split(maxsplit=1)[0].upper() in {"CREATE", "DROP"} and not _REPEATABLE.search(sql):
        what = f"{_first_line(sql)!r} cannot be run again after a crash"
        raise MigrationError(what=what, remedy="Write IF NOT EXISTS, or IF EXISTS, after CONCURRENTLY")
    send("SET lock_timeout = 0")  # until the next statement that is not concurrent; see `limits`
    _drop_invalid(sql, send)
    return send(sql)


def _drop_invalid(sql: str, send: Callable[..., Any]) -> None:
    created = _CREATED.search(sql)
    if created and send(_INVALID, (created[1],)).fetchone()[0]:
        send(f"DROP INDEX CONCURRENTLY IF EXISTS {created[1]}")


def _first_line(sql: str) -> str:
    return sql.strip().splitlines()[0]
