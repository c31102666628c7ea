"""Lists a page at a time, by keyset: a page costs the same wherever it is, and no row shows twice.

https://use-the-index-luke.com/no-offset
"""

import base64
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any, cast
from uuid import UUID

from marshmallow import Schema, fields
from marshmallow.validate import Length, Range
from peewee import EnclosedNodeList, Field, ModelSelect, UUIDField

from app.errors import InvalidCursorError
from app.http.answers import Answer
from app.models import Compiled, Model, Row, to_come, value_of, without_values

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
# what a page is ordered by: the second makes rows of one instant differ
POSITION = ("after_instant", "after_id")
_UUID_LENGTH = 36

Rows = Callable[..., ModelSelect]


class PageQuery(Schema):
    """What a list takes: how many, and from where."""

    limit = fields.Integer(
        load_default=DEFAULT_LIMIT,
        validate=Range(1, MAX_LIMIT),
        metadata={"description": f"How many items, at most {MAX_LIMIT}."},
    )
    cursor = fields.String(
        load_default=None,
        validate=Length(1, 200),
        metadata={"description": "`next_cursor` of the page before."},
    )


def page_of(item: type[Answer]) -> Answer:
    """The schema of a page of items."""
    name = item.__name__.removesuffix("Schema")
    attributes: dict[str, fields.Field[Any]] = {
        "items": fields.List(fields.Nested(item), required=True),
        "next_cursor": fields.String(required=True, allow_none=True),
    }
    return cast("Answer", Answer.from_dict(attributes, name=f"{name}Page")())


def paginate(rows: Rows, item: type[Answer], asked: dict[str, Any]) -> Row:
    """A page of rows, newest first: `paginate(RCA.alive, RCASchema, asked)`.

    `asked` holds `limit` and `cursor`; all else in it is what a column must equal. Only
    the columns an item shows are read. Raises InvalidCursorError, and
    KeptValueError for rows that hold a value of their own.
    """
    limit, cursor = asked["limit"], asked["cursor"]
    equal = {name: value for name, value in asked.items() if name not in {"limit", "cursor"}}
    after = {} if cursor is None else dict(zip(POSITION, _decode(cursor), strict=True))
    statement = _page(rows, item, tuple(sorted(equal)), bool(after))
    # one more than asked for tells whether there is a next page, without counting
    found = statement.rows(**equal, **after, limit=limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    cursor = _encode(last["created_at"], last["id"]) if last else None
    return {"items": found[:limit], "next_cursor": cursor}


@lru_cache(maxsize=1024)
def _page(rows: Rows, item: type[Answer], equal: tuple[str, ...], continued: bool) -> Compiled:
    model: type[Model] = without_values(rows()).model
    shown = {"created_at", "id", *item().dump_fields} & model._meta.fields.keys()
    query = rows(*(_as_shown(model._meta.fields[name]) for name in sorted(shown)))
    for name in equal:
        field = model._meta.fields[name]
        query = query.where(field == value_of(field))
    if continued:
        place = EnclosedNodeList([to_come(name) for name in POSITION])
        query = query.where(EnclosedNodeList([model.created_at, model.id]) < place)
    return Compiled(query.order_by(model.created_at.desc(), model.id.desc()).limit(to_come("limit")))


def _as_shown(field: Field) -> Field:
    """A uuid comes as text: to make objects of them only to write them out again takes time."""
    return field.cast("text").alias(field.column_name) if isinstance(field, UUIDField) else field


def _encode(instant: datetime, row_id: UUID | str) -> str:
    text = f"{instant.isoformat()} {row_id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str) -> list[Any]:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
        instant, row_id = datetime.fromisoformat(text[: -_UUID_LENGTH - 1]), UUID(text[-_UUID_LENGTH:])
    except ValueError:
        raise InvalidCursorError from None
    # whatever else these parsers accept, this list did not write it
    if instant.tzinfo is None or _encode(instant, row_id) != cursor:
        raise InvalidCursorError
    return [instant, str(row_id)]
