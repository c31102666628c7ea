"""Judging a database: what is outside the rules, why it matters, and the SQL that mends it."""

from collections.abc import Iterator
from dataclasses import dataclass

from app import naming
from app.catalog.read import Table

# peewee-migrate names its own table
_NOT_OURS = {"migratehistory"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule: what, where, why it matters, and what mends it."""

    rule: str
    where: str
    why: str
    remedy: str


def judge(tables: list[Table]) -> list[Finding]:
    """Everything outside the rules, table by table."""
    ours = [table for table in tables if table.name not in _NOT_OURS]
    return [finding for table in ours for finding in (*_names(table), *_tenancy(table))]


def _names(table: Table) -> Iterator[Finding]:
    """Tables, columns, indexes and constraints against the convention."""
    wanted = naming.plural(naming.snake_case(table.name))
    if not naming.is_conventional(table.name) or table.name != wanted:
        yield _misnamed("table", table.name, f'ALTER TABLE "{table.name}" RENAME TO {wanted}')
    for column in table.columns:
        if not naming.is_conventional(column.name):
            new = naming.snake_case(column.name)
            remedy = f'ALTER TABLE {table.name} RENAME COLUMN "{column.name}" TO {new}'
            yield _misnamed("column", f"{table.name}.{column.name}", remedy)
    yield from _constraint_names(table)
    yield from _index_names(table)


def _constraint_names(table: Table) -> Iterator[Finding]:
    for item in table.constraints:
        prefix = {
            "p": f"{table.name}_pkey",
            "u": f"uniq_{table.name}_",
            "f": f"fk_{table.name}_{item.referenced}",
            "c": f"chk_{table.name}_",
        }.get(item.kind, "")
        if not item.name.startswith(prefix[:54]):
            remedy = f'ALTER TABLE {table.name} RENAME CONSTRAINT "{item.name}" TO {prefix}…'
            yield _misnamed("constraint", f"{table.name}.{item.name}", remedy)


def _index_names(table: Table) -> Iterator[Finding]:
    of_constraints = {item.name for item in table.constraints}
    for index in table.indexes:
        prefix = f"{'uniq' if index.unique else 'idx'}_{table.name}_"
        if index.name not in of_constraints and not index.name.startswith(prefix[:54]):
            remedy = f'ALTER INDEX "{index.name}" RENAME TO {prefix}…'
            yield _misnamed("index", f"{table.name}.{index.name}", remedy)


def _misnamed(kind: str, where: str, remedy: str) -> Finding:
    return Finding(f"{kind} name", where, "whoever looks for it by the convention does not find it", remedy)


def _tenancy(table: Table) -> Iterator[Finding]:
    """Row-level security on every table with tenant_id, and a tenant_id that can be relied on."""
    column = table.column("tenant_id")
    if column is None:
        return
    alter = f"ALTER TABLE {table.name}"
    if not table.row_security:
        why, remedy = "every tenant sees every row", f"{alter} ENABLE ROW LEVEL SECURITY"
        yield Finding("row-level security enabled", table.name, why, remedy)
    if not table.row_security_forced:
        why, remedy = "the owner sees every tenant's rows", f"{alter} FORCE ROW LEVEL SECURITY"
        yield Finding("row-level security forced", table.name, why, remedy)
    if not table.policies:
        why, remedy = "no tenant sees its rows", f"CREATE POLICY {table.name}_tenant ON {table.name} …"
        yield Finding("tenant policy", table.name, why, remedy)
    if not column.not_null:
        why, remedy = "a row without a tenant is nobody's", f"{alter} ALTER tenant_id SET NOT NULL"
        yield Finding("tenant_id NOT NULL", table.name, why, remedy)
    if not any(index.columns[0] == "tenant_id" for index in table.indexes):
        name = naming.index_name(table.name, ["tenant_id"])
        why, remedy = "every read scans all tenants' rows", f"CREATE INDEX {name} ON {table.name} (tenant_id)"
        yield Finding("tenant_id indexed", table.name, why, remedy)
