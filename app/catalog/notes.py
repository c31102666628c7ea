"""What a step on a table with rows in it means for whoever uses the table meanwhile.

https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-NOTES
"""

from collections.abc import Iterable

from app.catalog.objects import Column, Constraint, Default, Enum, Identity, Index, NotNull, Object
from app.catalog.objects.conversions import is_rewritten


def about_creation(obj: Object, parts: list[Object]) -> str:
    """Adding something to a table that is there; empty where nobody notices."""
    if isinstance(obj, Index):
        return f"{obj.table} cannot be written while the index is built"
    if isinstance(obj, NotNull):
        return (
            f"nobody reads or writes {obj.table} while every row is looked at; fails where one has no value"
        )
    if isinstance(obj, Constraint):
        return _constraint(obj)
    if isinstance(obj, Column):
        return _column(obj, parts)
    return ""


def about_alteration(old: Object, new: Object) -> str:
    """Changing something in place."""
    if isinstance(old, Column) and isinstance(new, Column) and is_rewritten(old.type, new.type):
        return f"rewrites {new.table}: nobody reads or writes it meanwhile; fails where a value does not fit"
    if isinstance(new, Constraint):
        return f"reads every row of {new.table}, which stays usable"
    return ""


def about_replacement(old: Object, new: Object, columns: Iterable[tuple[str, str, str]]) -> str:
    """Replacing a type."""
    tables = ", ".join(sorted({table for table, _, _ in columns}))
    gone = set(old.labels) - set(new.labels) if isinstance(old, Enum) and isinstance(new, Enum) else set()
    fails = f"; fails where a row has {' or '.join(sorted(gone))}" if gone else ""
    return f"rewrites {tables}: nobody reads or writes it meanwhile{fails}" if tables else ""


def _constraint(constraint: Constraint) -> str:
    if not constraint.valid:
        return ""
    if constraint.type == "f":
        tables = " and ".join(dict.fromkeys((constraint.table, constraint.referenced)))
        return f"{tables} cannot be written while every row is checked; fails where one points nowhere"
    if constraint.type == "c":
        return (
            f"nobody reads or writes {constraint.table} while every row is checked; fails where one breaks it"
        )
    return (
        f"nobody reads or writes {constraint.table} while the index is built; fails where two rows are equal"
    )


def _column(column: Column, parts: list[Object]) -> str:
    kinds = {type(part) for part in parts}
    if column.generated or Identity in kinds:
        return f"rewrites {column.table}: nobody reads or writes it meanwhile"
    if NotNull in kinds and Default not in kinds:
        return f"fails where {column.table} has rows, for they would have no value: give it a DEFAULT"
    return ""
