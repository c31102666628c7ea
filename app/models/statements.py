"""The statements on one row, each prepared once for a model: its text depends on nothing else."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

import peewee
from peewee import fn

from app.models.prepared import Prepared, parameter_of

# the parameter that names the row; no field can be called so
ROW_ID = "_row_id"

Kind = Literal["select", "insert", "update", "delete", "restore"]
_DELETED = "deleted_at"


def statement(model: Any, kind: Kind) -> Prepared:
    """The statement of this kind, which takes the row's id as ROW_ID."""
    return _prepared(model, kind, ())


@lru_cache(maxsize=1024)
def _prepared(model: Any, kind: Kind, names: tuple[str, ...]) -> Prepared:
    values = {name: parameter_of(model._meta.fields[name]) for name in names}
    return Prepared(_query(model, kind, values))


def writing(model: Any, kind: Literal["insert", "update"], values: Mapping[str, Any]) -> Prepared:
    """The statement that writes these values; prepared each time only for expressions among them."""
    if any(isinstance(value, peewee.Node) for value in values.values()):
        return Prepared(_query(model, kind, values))
    return _prepared(model, kind, tuple(sorted(values)))


def living(model: Any, query: Any) -> Any:
    """Leave out the rows that are marked as deleted, if the model marks them."""
    return query.where(model.deleted_at.is_null()) if model._meta.is_soft_deleted else query


def _query(model: Any, kind: Kind, values: Mapping[str, Any]) -> peewee.BaseQuery:
    this_row = model.id == parameter_of(model.id, ROW_ID)
    if kind == "select":
        return living(model, model.select().where(this_row))
    return _writing(model, kind, values, this_row).returning(*model._meta.sorted_fields)


def _writing(model: Any, kind: Kind, values: Mapping[str, Any], this_row: peewee.Expression) -> Any:
    if kind == "insert":
        return model.insert(values)
    if kind == "restore":
        return model.update({_DELETED: None}).where(this_row & model.deleted_at.is_null(is_null=False))
    if kind == "delete" and model._meta.is_soft_deleted:
        # one that somebody deleted meanwhile is not deleted once more
        return living(model, model.update({_DELETED: fn.now()}).where(this_row))
    query = model.delete() if kind == "delete" else model.update(values)
    return living(model, query.where(this_row))
