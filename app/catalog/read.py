"""Reading the tables of a database into plain, comparable data.

https://www.postgresql.org/docs/current/catalogs.html
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import peewee

_TABLES = """
SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity,
       (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid AND p.polpermissive)
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
ORDER BY c.relname
"""
_COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
ORDER BY c.relname, a.attnum
"""
_INDEXES = """
SELECT c.relname, i.relname, x.indisunique, x.indisprimary, x.indpred IS NOT NULL,
       ARRAY(SELECT pg_get_indexdef(x.indexrelid, k, true) FROM generate_series(1, x.indnkeyatts) k)
FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
ORDER BY c.relname, i.relname
"""
_CONSTRAINTS = """
SELECT c.relname, k.conname, k.contype::text, coalesce(f.relname, ''),
       ARRAY(SELECT a.attname FROM unnest(k.conkey) WITH ORDINALITY AS u (num, place)
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.num ORDER BY u.place)::text[]
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid LEFT JOIN pg_class f ON f.oid = k.confrelid
WHERE c.relnamespace = 'public'::regnamespace AND k.contype IN ('p', 'u', 'f', 'c', 'x')
ORDER BY c.relname, k.conname
"""


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `type` as PostgreSQL writes it, e.g. character varying(255)."""

    name: str
    type: str
    not_null: bool


@dataclass(frozen=True, slots=True)
class Index:
    """An index; `columns` are names, or expressions as PostgreSQL writes them."""

    name: str
    unique: bool
    primary: bool
    partial: bool
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Constraint:
    """A constraint; `kind` is p(rimary), u(nique), f(oreign), c(heck) or (e)x(clusion)."""

    name: str
    kind: str
    referenced: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the schema `public` with all that is judged about it."""

    name: str
    row_security: bool
    row_security_forced: bool
    policies: int
    columns: tuple[Column, ...]
    indexes: tuple[Index, ...]
    constraints: tuple[Constraint, ...]

    def column(self, name: str) -> Column | None:
        """The column with this name, if there is one."""
        return next((column for column in self.columns if column.name == name), None)


def read_tables(database: peewee.Database) -> list[Table]:
    """The tables of a database, by name: four statements, whatever their number."""
    columns = _grouped(database, _COLUMNS, Column)
    indexes = _grouped(database, _INDEXES, Index)
    constraints = _grouped(database, _CONSTRAINTS, Constraint)
    return [
        Table(name, enabled, forced, policies, columns[name], indexes[name], constraints[name])
        for name, enabled, forced, policies in database.execute_sql(_TABLES).fetchall()
    ]


def _grouped(database: peewee.Database, query: str, kind: Callable[..., Any]) -> dict[str, tuple[Any, ...]]:
    found: dict[str, tuple[Any, ...]] = defaultdict(tuple)
    for table, *values in database.execute_sql(query).fetchall():
        plain = (tuple(value) if isinstance(value, list) else value for value in values)
        found[table] = (*found[table], kind(*plain))
    return found
