"""Statements whose text is made once: building one with Peewee costs as much as running it.

A compiled statement is a Peewee query in which some values are still to come. Its text is
the same for every tenant, for the tenant travels beside it.
"""

from collections.abc import Callable
from typing import Any

import peewee

from app.database import db
from app.errors import KeptValueError

Row = dict[str, Any]


class _Place:
    """Where a value will stand, and how it becomes what the driver takes."""

    __slots__ = ("convert", "name")

    def __init__(self, name: str, convert: Callable[[Any], Any]) -> None:
        self.name = name
        self.convert = convert


def value_of(field: peewee.Field, name: str | None = None) -> peewee.Value:
    """A value for this field that is still to come, under the field's name or another."""
    return to_come(name or field.name, field.db_value)


def to_come(name: str, convert: Callable[[Any], Any] = lambda value: value) -> peewee.Value:
    """A value that is still to come, for something that is no field."""
    return peewee.Value(_Place(name, convert), converter=False)


class Compiled:
    """A query's text, and the values that are known already."""

    def __init__(self, query: peewee.BaseQuery) -> None:
        self._sql, self._values = query.sql()

    def rows(self, **values: Any) -> list[Row]:
        """Run it with these values; rows by column name, as the driver gives them."""
        bound = [
            value.convert(values[value.name]) if isinstance(value, _Place) else value
            for value in self._values
        ]
        cursor = db.execute_sql(self._sql, bound)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def without_values(query: peewee.ModelSelect) -> peewee.ModelSelect:
    """A query that is the same for every caller. Raises KeptValueError for one that holds values."""
    values = query.sql()[1]
    if values:
        raise KeptValueError(values=values)
    return query
