"""Foreign keys between tenant tables: composite, because PostgreSQL's key checks ignore policies.

https://www.postgresql.org/docs/current/ddl-rowsecurity.html
"""

from collections.abc import Iterator

from app.catalog.facts import Constraint, Table
from app.catalog.judge.finding import Finding


def judge_keys(tables: list[Table]) -> Iterator[Finding]:
    """Every foreign key from one tenant table to another compares their tenants too."""
    scoped = {table.sql: table for table in tables if table.is_tenant_scoped}
    for table in scoped.values():
        for key in table.constraints:
            pairs = zip(key.columns, key.referenced_columns, strict=False)
            if key.referenced_sql in scoped and ("tenant_id", "tenant_id") not in pairs:
                why = "it takes another tenant's row, and tells whether there is one"
                remedy = _composite(table, scoped[key.referenced_sql], key)
                yield Finding("composite foreign key", f"{table.sql}.{key.name}", why, remedy)


def _composite(table: Table, referenced: Table, key: Constraint) -> str:
    """With FORCE lifted, or PostgreSQL validates the new key without seeing a row."""
    tables = dict.fromkeys((table.sql, referenced.sql))
    columns = ", ".join(["tenant_id", *key.columns])
    target = f"{referenced.sql} ({', '.join(['tenant_id', *key.referenced_columns])})"
    change = (
        f"DROP CONSTRAINT {key.name}, ADD CONSTRAINT {key.name} FOREIGN KEY ({columns}) REFERENCES {target}"
    )
    return "; ".join(
        [
            *(f"ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY" for name in tables),
            f"ALTER TABLE {table.sql} {change}",
            *(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY" for name in tables),
        ]
    )
