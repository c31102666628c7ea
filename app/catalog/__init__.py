"""What the database looks like, read from PostgreSQL's own catalogs; compared, and judged."""

from app.catalog.drift import drift
from app.catalog.facts import Column, Constraint, Index, Table, read_tables
from app.catalog.judge import Finding, judge, tenant_tables
from app.catalog.plan import Step, plan, statements
from app.catalog.reading import Reading, read
from app.catalog.refuse import refused

__all__ = [
    "Column",
    "Constraint",
    "Finding",
    "Index",
    "Reading",
    "Step",
    "Table",
    "drift",
    "judge",
    "plan",
    "read",
    "read_tables",
    "refused",
    "statements",
    "tenant_tables",
]
