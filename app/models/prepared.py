"""Prepared queries: the text is made once, the values are always bound.

Building a statement with Peewee costs as much as running it. A prepared query is a Peewee
query in which some values are parameters. Its text is the same for every tenant, for the
tenant is a parameter too.
"""

import re
from collections.abc import Callable
from typing import Any

import peewee

from app.database import current_unit

Row = dict[str, Any]

_QUOTED = re.compile(r'"[^"]*"')
_CALL = re.compile(r"\b(\w+)\s*\(")
# words that may stand before a parenthesis and call nothing that could change the session
_HARMLESS = frozenset(
    {"and", "as", "by", "cast", "count", "exists", "from", "in", "into", "not", "now", "on", "or"}
    | {"over", "returning", "select", "set", "using", "values", "where"}
)


class _Parameter:
    """Where a value is bound, and how it becomes what the driver takes."""

    __slots__ = ("convert", "name")

    def __init__(self, name: str, convert: Callable[[Any], Any]) -> None:
        self.name = name
        self.convert = convert


def parameter(name: str, convert: Callable[[Any], Any] = lambda value: value) -> peewee.Value:
    """A parameter that is no field's: `parameter("limit")`."""
    return peewee.Value(_Parameter(name, convert), converter=False)


def parameter_of(field: peewee.Field, name: str | None = None) -> peewee.Value:
    """A parameter for this field, under the field's name or another."""
    return parameter(name or field.name, field.db_value)


class Prepared:
    """A query's text and parameters, to be run any number of times."""

    __slots__ = ("_leaves_nothing", "_names", "_sql", "_values")

    def __init__(self, query: peewee.BaseQuery) -> None:
        self._sql, self._values = query.sql()
        self._leaves_nothing = leaves_nothing(self._sql)
        self._names: list[str] | None = None

    def rows(self, **values: Any) -> list[Row]:
        """Run it with these values; rows by column name, as the driver gives them."""
        bound = [
            value.convert(values[value.name]) if type(value) is _Parameter else value
            for value in self._values
        ]
        cursor = current_unit().execute(self._sql, bound, leaves_nothing=self._leaves_nothing)
        names = self._names
        if names is None:
            names = self._names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def leaves_nothing(sql: str) -> bool:
    """Whether a query of Peewee's calls nothing that might change its session's state."""
    return all(name.lower() in _HARMLESS for name in _CALL.findall(_QUOTED.sub("", sql)))
