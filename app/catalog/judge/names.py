"""Names by the convention, so that whoever looks for something finds it."""

import re
from collections.abc import Iterator

from app import naming
from app.catalog.facts import Constraint, Index, Table
from app.catalog.judge.finding import Finding

_LONGEST_PREFIX = 54  # of 63: a longer name is cut and ends in a digest


def judge_names(table: Table) -> Iterator[Finding]:
    """Tables, columns, constraints and indexes; the table's own last, for the others speak of it."""
    wanted = naming.plural(naming.snake_case(table.name))
    for column in table.columns:
        if not naming.is_conventional(column.name):
            new = naming.snake_case(column.name)
            remedy = f'ALTER TABLE {table.sql} RENAME COLUMN "{column.name}" TO {new}'
            yield _misnamed("column", f"{table.sql}.{column.name}", remedy)
    yield from _constraints(table, wanted)
    yield from _indexes(table, wanted)
    if not naming.is_conventional(table.name) or table.name != wanted:
        yield _misnamed("table", table.sql, f"ALTER TABLE {table.sql} RENAME TO {wanted}")


def _constraints(table: Table, name: str) -> Iterator[Finding]:
    prefixes = {"p": f"{name}_pkey", "u": f"uniq_{name}_", "c": f"chk_{name}_"}
    for item in table.constraints:
        prefix = f"fk_{name}_{item.referenced}" if item.kind == "f" else prefixes.get(item.kind, "")
        if not item.name.startswith(prefix[:_LONGEST_PREFIX]):
            rename = f'RENAME CONSTRAINT "{item.name}" TO {_constraint_name(name, item)}'
            yield _misnamed("constraint", f"{table.sql}.{item.name}", f"ALTER TABLE {table.sql} {rename}")


def _indexes(table: Table, name: str) -> Iterator[Finding]:
    for index in table.indexes:
        prefix = f"{'uniq' if index.unique else 'idx'}_{name}_"
        if not index.of_constraint and not index.name.startswith(prefix[:_LONGEST_PREFIX]):
            yield _misnamed(
                "index", index.sql, f"ALTER INDEX {index.sql} RENAME TO {_index_name(name, index)}"
            )


def _constraint_name(table: str, item: Constraint) -> str:
    return {
        "p": f"{table}_pkey",
        "u": naming.index_name(table, item.columns, unique=True),
        "f": naming.foreign_key_name(table, item.referenced),
        "c": naming.check_name(table, item.name),
    }.get(item.kind, item.name)


def _index_name(table: str, index: Index) -> str:
    columns = ["_".join(re.findall(r"\w+", column)) for column in index.columns]
    return naming.index_name(table, columns, unique=index.unique, alive=index.partial)


def _misnamed(kind: str, where: str, remedy: str) -> Finding:
    return Finding(f"{kind} name", where, "whoever looks for it by the convention does not find it", remedy)
