"""What costs time or space and breaks nothing: to be thought about."""

from collections.abc import Iterator

import peewee

from app import naming
from app.catalog.facts import Constraint, Index, Table
from app.catalog.judge.finding import Finding

READS_ENOUGH = 1000
DAYS_ENOUGH = 7.0
# how long the server has counted; a restart keeps the counts, so this is never too long
_DAYS = """
SELECT extract(epoch FROM now() - greatest(stats_reset, pg_postmaster_start_time())) / 86400
FROM pg_stat_database WHERE datname = current_database()
"""


def advise(database: peewee.Database, tables: list[Table]) -> Iterator[Finding]:
    """Indexes nobody uses, indexes that are there twice, foreign keys without one."""
    counted = float(database.execute_sql(_DAYS, ()).fetchone()[0]) >= DAYS_ENOUGH
    for table in tables:
        yield from _duplicates(table)
        yield from _keys_without_index(table)
        if counted and table.reads >= READS_ENOUGH:
            yield from _unused(table)


def _unused(table: Table) -> Iterator[Finding]:
    for index in table.indexes:
        if not index.scans and not index.unique:
            why = f"of {table.reads} reads of {table.sql} none used it, and every write keeps it"
            yield _advice("index in use", index.sql, why, f"DROP INDEX CONCURRENTLY {index.sql}")


def _duplicates(table: Table) -> Iterator[Finding]:
    # what a constraint rests on stays, then what is unique
    ranked = sorted(table.indexes, key=lambda index: (not index.of_constraint, not index.unique, index.name))
    kept: dict[str, Index] = {}
    for index in ranked:
        first = kept.setdefault(index.definition, index)
        if first is not index and not index.of_constraint:
            why = f"it is {first.name} again, and every write keeps both"
            yield _advice("index once", index.sql, why, f"DROP INDEX CONCURRENTLY {index.sql}")


def _keys_without_index(table: Table) -> Iterator[Finding]:
    for key in table.constraints:
        if key.kind == "f" and not any(_serves(index, key) for index in table.indexes):
            name = naming.index_name(table.name, key.columns)
            where = f"{table.sql} ({', '.join(key.columns)})"
            why = f"each change of a row of {key.referenced_sql} scans {table.sql}"
            remedy = f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {where}"
            yield _advice("foreign key indexed", f"{table.sql}.{key.name}", why, remedy)


def _serves(index: Index, key: Constraint) -> bool:
    return not index.partial and set(index.columns[: len(key.columns)]) == set(key.columns)


def _advice(rule: str, where: str, why: str, remedy: str) -> Finding:
    return Finding(rule, where, why, remedy, advice=True)
