"""What row-level security does not reach: views, copies, partitions, and functions with others' rights."""

from dataclasses import dataclass

import peewee

from app.catalog.facts.spelling import OUR_SCHEMA, no_extension, qualified

_RELATIONS = f"""
SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
            ELSE 'partition' END,
       {qualified("c.relname")},
       coalesce(c.reloptions && ARRAY['security_invoker=true', 'security_invoker=on'], false),
       has_table_privilege(%s, c.oid, 'SELECT, INSERT, UPDATE, DELETE')
           OR has_any_column_privilege(%s, c.oid, 'SELECT, INSERT, UPDATE')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND {OUR_SCHEMA}
WHERE (c.relkind IN ('v', 'm', 'f') OR c.relkind IN ('r', 'p') AND c.relispartition)
    AND {no_extension("pg_class", "c.oid")}
ORDER BY 2
"""
_FUNCTIONS = f"""
SELECT concat({qualified("p.proname")}, '(', pg_get_function_identity_arguments(p.oid), ')'),
       p.prosecdef, p.proleakproof,
       EXISTS (SELECT FROM unnest(p.proconfig) AS setting WHERE setting LIKE 'search_path=%%')
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace AND {OUR_SCHEMA}
WHERE (p.prosecdef OR p.proleakproof) AND {no_extension("pg_proc", "p.oid")}
ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Relation:
    """A view, materialized view, foreign table or partition, and whether the application may use it."""

    kind: str
    sql: str
    security_invoker: bool
    granted: bool


@dataclass(frozen=True, slots=True)
class Function:
    """A function that runs with its owner's rights, or is trusted with rows it may not show."""

    sql: str
    security_definer: bool
    leakproof: bool
    search_path_fixed: bool


def read_relations(database: peewee.Database, role: str) -> list[Relation]:
    """The relations that are no plain tables, as the application's role finds them."""
    return [Relation(*row) for row in database.execute_sql(_RELATIONS, (role, role)).fetchall()]


def read_functions(database: peewee.Database) -> list[Function]:
    """The functions that can do more than their caller."""
    return [Function(*row) for row in database.execute_sql(_FUNCTIONS, ()).fetchall()]
