"""What the database looks like, read from PostgreSQL's own catalogs, and whether that is right."""

from app.catalog.judge import Finding, judge
from app.catalog.read import Column, Constraint, Index, Table, read_tables

__all__ = ["Column", "Constraint", "Finding", "Index", "Table", "judge", "read_tables"]
