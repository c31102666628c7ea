"""What goes out: marshmallow's schemas, with the way from a row to JSON worked out once.

marshmallow looks every attribute of every row up anew; for a page of fifty rows that was
a quarter of the request.
"""

from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from typing import Any

from marshmallow import Schema, fields

Convert = Callable[[Any], Any] | None
# None: JSON takes the value as it is
_CONVERTERS: dict[type[fields.Field[Any]], Convert] = {
    fields.String: None,
    fields.Integer: None,
    fields.Boolean: None,
    fields.Dict: None,
    fields.UUID: str,
    fields.AwareDateTime: datetime.isoformat,
}


class Answer(Schema):
    """A schema that dumps rows and dicts by a plan; loading is marshmallow's own."""

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        """The plain values of one row, or of many."""
        if self.many if many is None else many:
            return [self._plain(row) for row in obj]
        return self._plain(obj)

    def _plain(self, row: Any) -> dict[str, Any]:
        values = row if isinstance(row, dict) else row.__data__
        plain = {}
        for name, attribute, convert in self._plan:
            value = values[attribute]
            plain[name] = value if convert is None or value is None else convert(value)
        return plain

    @cached_property
    def _plan(self) -> list[tuple[str, str, Convert]]:
        return [
            (field.data_key or name, field.attribute or name, _converter(field))
            for name, field in self.dump_fields.items()
        ]


def _converter(field: fields.Field[Any]) -> Convert:
    if type(field) in _CONVERTERS:
        return _CONVERTERS[type(field)]
    if isinstance(field, fields.List) and isinstance(field.inner, fields.Nested):
        schema = field.inner.schema
        return lambda rows: schema.dump(rows, many=True)
    return lambda value: field._serialize(value, "", None)
