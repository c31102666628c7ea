"""A tenant_id that can be relied on: there, of one type, and first wherever rows are found by it."""

from collections.abc import Iterator

from app import naming
from app.catalog.facts import Index, Table
from app.catalog.judge.finding import Finding


def judge_tenant_id(table: Table) -> Iterator[Finding]:
    """NOT NULL, uuid, first in an index and in every unique index."""
    column = table.column("tenant_id")
    if column is None:
        return
    alter = f"ALTER TABLE {table.sql} ALTER tenant_id"
    if not column.not_null:
        why = "a row without a tenant is nobody's"
        yield Finding("tenant_id NOT NULL", table.sql, why, f"{alter} SET NOT NULL")
    if column.type != "uuid":
        why = f"{column.type} cannot be compared with the tenant in force"
        yield Finding("tenant_id uuid", table.sql, why, f"{alter} TYPE uuid USING tenant_id::uuid")
    if not any(_is_led(index) and not index.partial for index in table.indexes):
        name = naming.index_name(table.name, ["tenant_id"])
        why, remedy = "every read scans all tenants' rows", f"CREATE INDEX {name} ON {table.sql} (tenant_id)"
        yield Finding("tenant_id indexed", table.sql, why, remedy)
    for index in table.indexes:
        if index.unique and not _is_led(index) and not _is_server_made(index):
            why = "a tenant learns from a refused value that another tenant has it"
            yield Finding("tenant_id first when unique", index.sql, why, _led(table, index))


def _is_led(index: Index) -> bool:
    return index.columns[0] == "tenant_id"


def _is_server_made(index: Index) -> bool:
    """The primary key alone: nobody chooses a random uuid, so nobody can ask for another's."""
    return index.primary and index.columns == ("id",)


def _led(table: Table, index: Index) -> str:
    columns = ", ".join(["tenant_id", *(name for name in index.columns if name != "tenant_id")])
    if index.of_constraint:
        kind = "PRIMARY KEY" if index.primary else "UNIQUE"
        change = f"DROP CONSTRAINT {index.name}, ADD CONSTRAINT {index.name} {kind} ({columns})"
        return f"ALTER TABLE {table.sql} {change}"
    condition = f" WHERE{index.definition.partition(' WHERE')[2]}" if index.partial else ""
    return f"DROP INDEX {index.sql}; CREATE UNIQUE INDEX {index.name} ON {table.sql} ({columns}){condition}"
