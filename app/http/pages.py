"""Lists over HTTP: what a page is asked with, its cursor, its schema. The SQL is the models' (pages.py)."""

import base64
from datetime import datetime
from functools import lru_cache
from typing import Any, cast
from uuid import UUID

from marshmallow import Schema, fields
from marshmallow.validate import Length, Range
from peewee import ModelSelect

from app.errors import InvalidCursorError
from app.http.answers import ResponseSchema
from app.models import Row, page_of_rows

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


class _Page(ResponseSchema):
    """A page of items, each dumped by its own schema."""

    def dump(self, obj: Any, **_options: Any) -> Any:
        """The page's values, ready for the encoder."""
        items = cast("fields.Nested", cast("fields.List[Any]", self.fields["items"]).inner).schema
        return {"items": items.dump(obj["items"], many=True), "next_cursor": obj["next_cursor"]}


def page_of(item: type[ResponseSchema]) -> ResponseSchema:
    """The schema of a page of items."""
    name = item.__name__.removesuffix("Schema")
    attributes: dict[str, fields.Field[Any]] = {
        "items": fields.List(fields.Nested(item), required=True),
        "next_cursor": fields.String(required=True, allow_none=True),
    }
    return cast("ResponseSchema", _Page.from_dict(attributes, name=f"{name}Page")())


def paginate(rows: ModelSelect, item: type[ResponseSchema], asked: dict[str, Any]) -> Row:
    """A page of rows, newest first: `paginate(RCA.alive(), RCASchema, asked)`.

    `asked` holds `limit` and `cursor`; all else in it is what a column must equal. Only the
    columns an item shows are read. The query's text is prepared once for a query object, so keep
    `rows` at module level where it is the same for everybody. Raises InvalidCursorError.
    """
    limit, cursor = asked["limit"], asked["cursor"]
    equal = {name: value for name, value in asked.items() if name not in {"limit", "cursor"}}
    # one more than asked for tells whether there is a next page, without counting
    after = None if cursor is None else _decode(cursor)
    found = page_of_rows(rows, _columns(item), equal=equal, after=after, limit=limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    return {
        "items": found[:limit],
        "next_cursor": _encode(last["created_at"], last["id"]) if last else None,
    }


@lru_cache(maxsize=1024)
def _columns(item: type[ResponseSchema]) -> list[str]:
    return [field.attribute or name for name, field in item().dump_fields.items()]


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
