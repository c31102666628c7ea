"""Lists a page at a time, by keyset: a page costs the same wherever it is, and no row shows twice.

https://use-the-index-luke.com/no-offset
"""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from marshmallow import Schema, fields
from marshmallow.validate import Length, Range
from peewee import EnclosedNodeList, ModelSelect

from app.errors import InvalidCursorError
from app.models import Model

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
_UUID_LENGTH = 36


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


def page_of(item: type[Schema]) -> Schema:
    """The schema of a page of items."""
    name = item.__name__.removesuffix("Schema")
    attributes: dict[str, fields.Field[Any]] = {
        "items": fields.List(fields.Nested(item), required=True),
        "next_cursor": fields.String(required=True, allow_none=True),
    }
    return Schema.from_dict(attributes, name=f"{name}Page")()


def paginate(query: ModelSelect, *, limit: int, cursor: str | None) -> dict[str, Any]:
    """A page of a query, newest first. Raises InvalidCursorError."""
    model: type[Model] = query.model
    if cursor is not None:
        query = query.where(_position(model) < EnclosedNodeList(_decode(cursor)))
    # one more than asked for tells whether there is a next page, without counting
    rows: Sequence[Model] = list(query.order_by(model.created_at.desc(), model.id.desc()).limit(limit + 1))
    items = rows[:limit]
    last = items[-1] if len(rows) > limit else None
    return {"items": items, "next_cursor": _encode(last.created_at, last.id) if last else None}


def _position(model: type[Model]) -> EnclosedNodeList:
    return EnclosedNodeList([model.created_at, model.id])


def _encode(instant: datetime, row_id: UUID) -> str:
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
