"""No policy lets anybody in while no tenant is set: tried out, on rows that are made up."""

from collections.abc import Iterator

import peewee

from app.catalog.facts import Policy, Table
from app.catalog.judge.finding import Finding
from app.catalog.judge.policies import is_canonical

_NOBODY = "SELECT set_config('app.tenant_id', '', true), set_config('app.platform', '', true)"
# what a policy may rest on
_GATES = ("app.current_tenant(", "app.in_platform(")
_SAMPLES = {"uuid": "gen_random_uuid()", "boolean": "true"}


def judge_openness(database: peewee.Database, tables: list[Table]) -> Iterator[Finding]:
    """Permissive policies that hold for somebody who is no tenant."""
    for table in tables:
        for policy in table.policies:
            if policy.permissive and not is_canonical(policy) and _is_open(database, table, policy):
                why = "whoever forgets to set the tenant gets rows instead of nothing"
                where = f"{policy.name} on {table.sql}"
                yield Finding(
                    "closed without a tenant", where, why, f"DROP POLICY {policy.name} ON {table.sql}"
                )


def _is_open(database: peewee.Database, table: Table, policy: Policy) -> bool:
    expressions = [text for text in (policy.using, policy.check) if text]
    if any(not any(gate in text for gate in _GATES) for text in expressions):
        return True
    return any(_holds_for_nobody(database, table, text) for text in expressions)


def _holds_for_nobody(database: peewee.Database, table: Table, expression: str) -> bool:
    """Ask PostgreSQL itself, with a row of nulls and a row of anything; an error lets nobody in."""
    nulls = ", ".join(f'NULL::{column.type} AS "{column.name}"' for column in table.columns)
    anything = ", ".join(f"{_SAMPLES.get(column.type, 'NULL')}::{column.type}" for column in table.columns)
    rows = f'(SELECT {nulls} UNION ALL SELECT {anything}) AS "{table.name}"'
    query = f"SELECT coalesce(bool_or({expression}), false) FROM {rows}".replace("%", "%%")
    try:
        with database.atomic():
            database.execute_sql(_NOBODY, ())
            return bool(database.execute_sql(query, ()).fetchone()[0])
    except peewee.PeeweeException:
        return False
