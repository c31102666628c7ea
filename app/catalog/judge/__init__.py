"""Judging a database: what is outside the rules, why it matters, and the SQL that mends it."""

from collections.abc import Iterator

import peewee

from app.catalog.facts import Table, read_functions, read_relations, read_role, read_tables
from app.catalog.judge.access import judge_role
from app.catalog.judge.advice import advise
from app.catalog.judge.exposure import judge_functions, judge_relations
from app.catalog.judge.finding import Finding
from app.catalog.judge.keys import judge_keys
from app.catalog.judge.names import judge_names
from app.catalog.judge.openness import judge_openness
from app.catalog.judge.policies import judge_policies
from app.catalog.judge.tenant_id import judge_tenant_id

__all__ = ["Finding", "judge", "tenant_tables"]

# peewee-migrate names its own table
HISTORY = "migratehistory"


def judge(database: peewee.Database, role: str, *, definers: frozenset[str] = frozenset()) -> list[Finding]:
    """Everything outside the rules: what is wrong first, advice last.

    `role` is the application's. `definers` lists the SECURITY DEFINER functions that are meant
    to be, as `app.audit(uuid)`.
    """
    tables = [table for table in read_tables(database) if table.name != HISTORY]
    found = [*_judged_tables(tables), *judge_openness(database, tables)]
    found += judge_relations(read_relations(database, role), role)
    found += judge_functions(read_functions(database), definers)
    found += judge_role(read_role(database, role, HISTORY))
    # names after what else is said of them: a remedy calls things as they are now
    found += (finding for table in tables for finding in judge_names(table))
    return [*found, *advise(database, tables)]


def tenant_tables(database: peewee.Database) -> list[str]:
    """The names of the tables whose rows belong to tenants."""
    return [table.name for table in read_tables(database) if table.is_tenant_scoped]


def _judged_tables(tables: list[Table]) -> Iterator[Finding]:
    for table in tables:
        if table.is_tenant_scoped:
            yield from judge_policies(table)
            yield from judge_tenant_id(table)
    yield from judge_keys(tables)
