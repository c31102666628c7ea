"""What is judged about a database: plain data, read from PostgreSQL's own catalogs by any role.

https://www.postgresql.org/docs/current/catalogs.html
"""

from app.catalog.facts.exposed import Function, Relation, read_functions, read_relations
from app.catalog.facts.role import Role, read_role
from app.catalog.facts.tables import Column, Constraint, Index, Policy, Table, read_tables

__all__ = [
    "Column",
    "Constraint",
    "Function",
    "Index",
    "Policy",
    "Relation",
    "Role",
    "Table",
    "read_functions",
    "read_relations",
    "read_role",
    "read_tables",
]
