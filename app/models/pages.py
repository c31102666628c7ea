"""A page of rows by keyset: it costs the same wherever it is, and no row shows twice.

https://use-the-index-luke.com/no-offset
"""

import weakref
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from peewee import EnclosedNodeList, Field, ModelSelect, UUIDField

from app.errors import UnknownFieldError
from app.models.prepared import Prepared, Row, parameter, parameter_of

# what a page is ordered by: the second makes rows of one instant differ
_POSITION = ("after_instant", "after_id")
_PREPARED = "_prepared_pages"

Shape = tuple[tuple[str, ...], tuple[str, ...], bool]


def page_of_rows(
    query: ModelSelect,
    columns: Iterable[str],
    *,
    equal: Mapping[str, Any],
    after: Sequence[Any] | None,
    limit: int,
) -> list[Row]:
    """At most `limit` rows, newest first: `page_of_rows(RCA.alive(), ["title"], …)`.

    `equal` says what fields must equal; `after` is the instant and the id of the row the page
    comes after. `created_at` and `id` are always read; ids come as text, columns in the order given.
    Its text is prepared once for a query object, so keep one at module level. Raises
    UnknownFieldError.
    """
    fields = query.model._meta.fields
    shown = tuple(name for name in dict.fromkeys([*columns, "created_at", "id"]) if name in fields)
    prepared = _prepared(query, (shown, tuple(sorted(equal)), after is not None))
    position = dict(zip(_POSITION, after, strict=True)) if after is not None else {}
    return prepared.rows(**equal, **position, limit=limit)


def _prepared(query: ModelSelect, shape: Shape) -> Prepared:
    """The text for this very query object: another one, even its clone, has its own."""
    owner, kept = query.__dict__.get(_PREPARED, (None, {}))
    if owner is None or owner() is not query:
        kept = {}
        query.__dict__[_PREPARED] = (weakref.ref(query), kept)
    if shape not in kept:
        kept[shape] = Prepared(_page(query, *shape))
    found: Prepared = kept[shape]
    return found


def _page(
    query: ModelSelect, columns: tuple[str, ...], equal: tuple[str, ...], continued: bool
) -> ModelSelect:
    model = query.model
    page = query.select(*(_as_shown(model._meta.fields[name]) for name in columns))
    for name in equal:
        if name not in model._meta.fields:
            raise UnknownFieldError(model=model.__name__, name=name, fields=", ".join(model._meta.fields))
        page = page.where(model._meta.fields[name] == parameter_of(model._meta.fields[name]))
    if continued:
        place = EnclosedNodeList([parameter(name) for name in _POSITION])
        page = page.where(EnclosedNodeList([model.created_at, model.id]) < place)
    return page.order_by(model.created_at.desc(), model.id.desc()).limit(parameter("limit"))


def _as_shown(field: Field) -> Field:
    """A uuid comes as text: to make objects of them only to write them out again takes time."""
    return field.cast("text").alias(field.column_name) if isinstance(field, UUIDField) else field
