"""Changing rows in a migration: in batches, counted, and with open eyes.

Forced row-level security hides every tenant's rows from the owner as well, so that an
UPDATE touches nothing and a new foreign key is validated over dangling rows.
https://www.postgresql.org/docs/current/ddl-rowsecurity.html
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from app.errors import MigrationError
from app.migrate.progress import Progress

_FORCED = "SELECT relforcerowsecurity FROM pg_class WHERE oid = %s::regclass"
_BATCH = """
WITH chosen AS (
    SELECT {key} FROM {table} WHERE ({where}) AND (%s IS NULL OR {key} > %s)
    ORDER BY {key} LIMIT {batch} FOR UPDATE
), changed AS (
    UPDATE {table} SET {change} FROM chosen WHERE {table}.{key} = chosen.{key} RETURNING 1
)
SELECT (SELECT count(*) FROM chosen), (SELECT count(*) FROM changed),
       (SELECT {key} FROM chosen ORDER BY {key} DESC LIMIT 1)
"""


@contextmanager
def sight(database: Any, *tables: str) -> Iterator[None]:
    """Let the owner see all rows of these tables until the block ends, and nobody else.

    FORCE is lifted inside the transaction around the block, so nothing else ever sees the
    table without it; the table is locked until that transaction ends. Raises MigrationError
    outside a transaction.
    """
    if not database.in_transaction():
        raise MigrationError(
            what="`sight` outside a transaction", remedy="Open one: `with database.atomic():`"
        )
    forced = [name for name in tables if database.execute_sql(_FORCED, (name,)).fetchone()[0]]
    for name in forced:
        database.execute_sql(f"ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY")
    yield
    # or PostgreSQL refuses to alter a table whose deferred checks are still to come
    database.execute_sql("SET CONSTRAINTS ALL IMMEDIATE")
    for name in forced:
        database.execute_sql(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")


def backfill(
    database: Any, table: str, change: str, *, where: str = "true", batch: int = 5000, key: str = "id"
) -> int:
    """Change rows: `migrator.run(backfill, database, "rcas", "priority = 1", where="priority IS NULL")`.

    `change` and `where` are SQL, in which a literal % is written %%. In a file's transaction
    the table stays locked until the file ends; in a file with `transactional = False` each
    batch is a transaction of its own, and `where` lets a second run go on where the first was
    cut off. Shows rows and rate. Returns the number of rows; raises MigrationError when a
    row that was chosen was not changed.
    """
    query = _BATCH.format(table=table, key=key, change=change, where=where, batch=batch)
    if database.recording:
        database.execute_sql(query, (None, None))
        return 0
    expected = _count(database, table, where)
    with Progress(table, expected) as progress:
        for rows in _batches(database, table, query):
            progress.advance(rows)
    if database.in_transaction() and progress.rows != expected:
        what = f"The backfill of {table} changed {progress.rows} rows of {expected}"
        raise MigrationError(what=what, remedy=f"Look for a trigger on {table} that adds or removes rows")
    return progress.rows


def _count(database: Any, table: str, where: str) -> int:
    with database.atomic(), sight(database, table):
        return int(database.execute_sql(f"SELECT count(*) FROM {table} WHERE {where}", ()).fetchone()[0])


def _batches(database: Any, table: str, query: str) -> Iterator[int]:
    last = None
    while True:
        with database.atomic(), sight(database, table):
            chosen, changed, last = database.execute_sql(query, (last, last)).fetchone()
            if chosen != changed:
                what = f"The backfill of {table} chose {chosen} rows and changed {changed}"
                raise MigrationError(what=what, remedy=f"Look for a trigger on {table} that refuses changes")
        if not chosen:
            return
        yield changed
