"""Response schemas: marshmallow's own, and a short cut for those that need nothing of it.

marshmallow looks up every attribute of every row again; for a page of fifty rows that was a
quarter of the request. A schema whose fields only name what a row holds, in the types the
encoder writes by itself, is not worth that: its rows go out as they are. Whatever else a schema
asks for (`data_key`, `attribute`, `format`, `as_string`, hooks, Nested, Decimal, Date, …)
marshmallow does.
"""

from datetime import datetime
from functools import cached_property
from itertools import repeat
from operator import itemgetter
from typing import Any
from uuid import UUID

from marshmallow import Schema, fields
from marshmallow.decorators import POST_DUMP, PRE_DUMP

_NONE = type(None)
# what the encoder writes exactly as marshmallow would: the field's class, and the values' classes
_PLAIN: dict[type[fields.Field[Any]], frozenset[type]] = {
    fields.String: frozenset({str, UUID, _NONE}),
    fields.Integer: frozenset({int, _NONE}),
    fields.Boolean: frozenset({bool, _NONE}),
    fields.UUID: frozenset({UUID, str, _NONE}),
    fields.AwareDateTime: frozenset({datetime, _NONE}),
    fields.Dict: frozenset({dict, _NONE}),
}
# each changes how a field is written, or where its value is found
_OPTIONS = ("attribute", "data_key", "as_string", "key_field", "value_field")


class ResponseSchema(Schema):
    """A schema that dumps plain rows as they are, and everything else by marshmallow."""

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        """The values of one row or object, or of many, ready for the encoder."""
        several = self.many if many is None else many
        if self._is_plain:
            # a list, for a generator could not be read a second time by marshmallow
            obj = list(obj) if several else obj
            rows = [_held(row) for row in obj] if several else [_held(obj)]
            if all(map(self._fits, self._names, repeat(rows))):
                found = [self._only_fields(row) for row in rows]
                return found if several else found[0]
        return super().dump(obj, many=many)

    def _fits(self, name: str, rows: list[dict[str, Any]]) -> bool:
        """Whether every row has this field's value, of a class that the encoder writes as marshmallow."""
        allowed = _PLAIN[type(self.dump_fields[name])]
        try:
            return allowed.issuperset(map(type, map(itemgetter(name), rows)))
        except KeyError:
            return False

    def _only_fields(self, row: dict[str, Any]) -> dict[str, Any]:
        # a page's rows hold nothing else, in this order
        return row if list(row) == self._names else {name: row[name] for name in self._names}

    @cached_property
    def _names(self) -> list[str]:
        return list(self.dump_fields)

    @cached_property
    def _is_plain(self) -> bool:
        hooks = any(self._hooks[tag] for tag in (PRE_DUMP, POST_DUMP))
        return (
            not hooks
            and type(self).get_attribute is Schema.get_attribute
            and self.dict_class is dict
            and all(_is_plain(field) for field in self.dump_fields.values())
        )


def _held(row: Any) -> dict[str, Any]:
    """The values of a row or of a model's instance; none of anything else."""
    if type(row) is dict:
        return row
    values = getattr(row, "__data__", None)
    return values if type(values) is dict else {}


def _is_plain(field: fields.Field[Any]) -> bool:
    written_as_usual = not any(getattr(field, name, None) for name in _OPTIONS)
    return type(field) in _PLAIN and written_as_usual and getattr(field, "format", "iso") == "iso"
