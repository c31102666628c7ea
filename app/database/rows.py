"""Rows belong to the unit of work that read them.

Peewee keeps what a query read on the query object, in `_cursor_wrapper`. A query that lives
longer than a unit, one at module level for example, would give the next tenant the rows of
the one before, without asking the database. So that attribute is a place in the unit in
force: another unit, or another thread in a unit of its own, finds nothing there and reads.
"""

from typing import Any

import peewee
from playhouse.postgres_ext import ServerSideQuery

from app.database.unit import unit_in_force

_peewees_first = peewee.SelectBase.first
_OUTSIDE = "_rows_outside_any_unit"


class _Rows:
    """The attribute `_cursor_wrapper` of every query, kept by the unit in force."""

    def __get__(self, query: Any, _owner: type | None = None) -> Any:
        unit = unit_in_force()
        # outside any unit only the owner's queries can have read anything
        return query.__dict__.get(_OUTSIDE) if unit is None else unit.rows_of(query)

    def __set__(self, query: Any, rows: Any) -> None:
        unit = unit_in_force()
        if unit is None:
            query.__dict__[_OUTSIDE] = rows
        else:
            unit.keep_rows(query, rows)


def _first(query: Any, *args: Any, **options: Any) -> Any:
    """The first row, or rows. Peewee would leave its LIMIT on the query object, for all who use it later."""
    return _peewees_first(query.clone(), *args, **options)


def keep_rows_in_units() -> None:
    """Have every query of Peewee keep its rows so; may be called again."""
    peewee.BaseQuery._cursor_wrapper = _Rows()
    peewee.SelectBase.first = _first
    # no BaseQuery, but it keeps its cursor and what that fetched just so
    ServerSideQuery._cursor_wrapper = _Rows()
