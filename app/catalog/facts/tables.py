"""The tables of a database: columns, indexes, constraints, row-level security."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import peewee

from app.catalog.facts.spelling import OUR_SCHEMA, no_extension, qualified

_FROM = f"""
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    AND c.relkind IN ('r', 'p') AND {OUR_SCHEMA} AND {no_extension("pg_class", "c.oid")}
"""
_TABLES = f"""
SELECT c.oid, c.relname, {qualified("c.relname")}, c.relrowsecurity, c.relforcerowsecurity,
       coalesce(s.seq_scan, 0) + coalesce(s.idx_scan, 0)
{_FROM} LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
ORDER BY n.nspname <> 'public', n.nspname, c.relname
"""
_COLUMNS = f"""
SELECT c.oid, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull
{_FROM} JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""
_INDEXES = f"""
SELECT c.oid, i.relname, {qualified("i.relname")}, x.indisunique, x.indisprimary,
       x.indpred IS NOT NULL, EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.oid),
       ARRAY(SELECT pg_get_indexdef(x.indexrelid, k, true) FROM generate_series(1, x.indnkeyatts) k),
       regexp_replace(pg_get_indexdef(i.oid), '^.* USING ', ''), coalesce(s.idx_scan, 0)
{_FROM} JOIN pg_index x ON x.indrelid = c.oid JOIN pg_class i ON i.oid = x.indexrelid
LEFT JOIN pg_stat_user_indexes s ON s.indexrelid = i.oid
ORDER BY i.relname
"""
_NAMES = """
ARRAY(SELECT a.attname FROM unnest({0}) WITH ORDINALITY AS u (num, place)
      JOIN pg_attribute a ON a.attrelid = {1} AND a.attnum = u.num ORDER BY u.place)::text[]
"""
_CONSTRAINTS = f"""
SELECT c.oid, k.conname, k.contype::text, coalesce(f.relname, ''),
       CASE WHEN f.oid IS NULL THEN '' ELSE {qualified("f.relname", "fn.nspname")} END,
       {_NAMES.format("k.conkey", "k.conrelid")}, {_NAMES.format("k.confkey", "k.confrelid")}
{_FROM} JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype IN ('p', 'u', 'f', 'c', 'x')
LEFT JOIN pg_class f ON f.oid = k.confrelid LEFT JOIN pg_namespace fn ON fn.oid = f.relnamespace
ORDER BY k.conname
"""
_POLICIES = f"""
SELECT c.oid, quote_ident(p.polname), p.polpermissive, p.polcmd::text,
       coalesce(pg_get_expr(p.polqual, c.oid), ''), coalesce(pg_get_expr(p.polwithcheck, c.oid), '')
{_FROM} JOIN pg_policy p ON p.polrelid = c.oid
ORDER BY p.polname
"""


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `type` as PostgreSQL writes it, e.g. character varying(255)."""

    name: str
    type: str
    not_null: bool


@dataclass(frozen=True, slots=True)
class Index:
    """An index; `columns` are names, or expressions as PostgreSQL writes them.

    `definition` is all that two equal indexes share; `scans` counts how often it was used.
    """

    name: str
    sql: str
    unique: bool
    primary: bool
    partial: bool
    of_constraint: bool
    columns: tuple[str, ...]
    definition: str
    scans: int


@dataclass(frozen=True, slots=True)
class Constraint:
    """A constraint; `kind` is p(rimary), u(nique), f(oreign), c(heck) or (e)x(clusion).

    `referenced` is the table a foreign key points at, `referenced_sql` the same as SQL wants it.
    """

    name: str
    kind: str
    referenced: str
    referenced_sql: str
    columns: tuple[str, ...]
    referenced_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy; `command` is r(ead), a(dd), w(rite), d(elete) or * for all of them."""

    name: str
    permissive: bool
    command: str
    using: str
    check: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table with all that is judged about it; `sql` is its name as SQL wants it."""

    name: str
    sql: str
    row_security: bool
    row_security_forced: bool
    reads: int
    columns: tuple[Column, ...]
    indexes: tuple[Index, ...]
    constraints: tuple[Constraint, ...]
    policies: tuple[Policy, ...]

    def column(self, name: str) -> Column | None:
        """The column with this name, if there is one."""
        return next((column for column in self.columns if column.name == name), None)

    @property
    def is_tenant_scoped(self) -> bool:
        """Whether its rows belong to tenants."""
        return self.column("tenant_id") is not None


def read_tables(database: peewee.Database) -> list[Table]:
    """The tables of a database, those of `public` first: five statements, whatever their number."""
    kinds = ((_COLUMNS, Column), (_INDEXES, Index), (_CONSTRAINTS, Constraint), (_POLICIES, Policy))
    parts = [_grouped(database, query, kind) for query, kind in kinds]
    return [
        Table(*values, *(part[oid] for part in parts))
        for oid, *values in database.execute_sql(_TABLES, ()).fetchall()
    ]


def _grouped(database: peewee.Database, query: str, kind: Callable[..., Any]) -> dict[int, tuple[Any, ...]]:
    found: dict[int, list[Any]] = defaultdict(list)
    for table, *values in database.execute_sql(query, ()).fetchall():
        found[table].append(kind(*(tuple(value) if isinstance(value, list) else value for value in values)))
    return defaultdict(tuple, {table: tuple(parts) for table, parts in found.items()})
