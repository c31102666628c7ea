"""The naming convention, held at the moment a model is declared."""

from collections.abc import Iterator
from typing import Any

import peewee
from peewee import SQL, Field, ForeignKeyField, ModelIndex

from app import naming
from app.errors import NamingError
from app.models.declarations import Check, Index, Policy, TenantForeignKey, TenantId


class NamedMetadata(peewee.Metadata):
    """Peewee's model metadata, which names columns, indexes and constraints by the convention.

    A tenant's table has its policy by itself; any other says in `policies` who sees its rows,
    and nobody does until it says so.
    """

    policies: tuple[Policy, ...] = ()
    # what the application's role may do
    privileges: tuple[str, ...] = ("SELECT", "INSERT", "UPDATE", "DELETE")

    def __init__(self, model: type, *args: Any, table_name: str | None = None, **options: Any) -> None:
        wanted = naming.table_name(model)
        if table_name not in (None, wanted):
            raise NamingError(what=f"The table of {model.__name__}", given=table_name, wanted=wanted)
        super().__init__(model, *args, **options)

    def add_field(self, field_name: str, field: Field, set_attribute: bool = True) -> None:
        """Give the field's column its snake_case name. Raises NamingError for another explicit one."""
        key = isinstance(field, ForeignKeyField | TenantForeignKey)
        given = getattr(field, "column_name", None)
        base = naming.column_name(given or field_name)
        wanted = base if not key or base.endswith("_id") else f"{base}_id"
        if given not in (None, wanted) or not naming.is_conventional(wanted):
            raise NamingError(
                what=f"The column of {self.model.__name__}.{field_name}", given=given, wanted=wanted
            )
        if isinstance(field, Field):
            field.column_name = wanted
        super().add_field(field_name, field, set_attribute)

    @property
    def is_tenant_scoped(self) -> bool:
        """Whether the table's rows belong to tenants."""
        return any(isinstance(field, TenantId) for field in self.sorted_fields)

    @property
    def is_soft_deleted(self) -> bool:
        """Whether deleting a row marks it."""
        return "deleted_at" in self.fields

    def declared_indexes(self) -> list[Index]:
        """The indexes of `Meta.indexes` and of fields with `index=True` or `unique=True`."""
        return [*self._indexes_of_fields(), *(item for item in self.indexes if isinstance(item, Index))]

    def fields_to_index(self) -> list[ModelIndex]:
        """The indexes as Peewee creates them."""
        return [self._build(item) for item in self.declared_indexes()]

    def table_constraints(self) -> list[SQL]:
        """The checks and keys of the table, under the convention's names."""
        checks = [
            item.constraint(self.table_name) for item in self.constraints or () if isinstance(item, Check)
        ]
        return [*checks, *self._keys()]

    def _indexes_of_fields(self) -> Iterator[Index]:
        lead = ("tenant_id",) if self.is_tenant_scoped else ()
        for field in self.sorted_fields:
            if (field.index or field.unique) and not field.primary_key:
                alive = bool(field.unique) and self.is_soft_deleted
                yield Index((*lead, field.column_name), unique=bool(field.unique), alive=alive)

    def _keys(self) -> Iterator[SQL]:
        table, seen = self.table_name, set()
        for field in self.sorted_fields:
            if isinstance(field, TenantId):
                yield field.key(table)
                name = naming.index_name(table, ["tenant_id", "id"], unique=True)
                yield SQL(f"CONSTRAINT {name} UNIQUE (tenant_id, id)")
            elif isinstance(field, TenantForeignKey):
                yield field.key(table, second=field.table in seen)
                seen.add(field.table)

    def _build(self, item: Index) -> ModelIndex:
        fields = [self._ordered(column) for column in item.columns]
        where = self.fields["deleted_at"].is_null() if item.alive else None
        return ModelIndex(
            self.model, fields, unique=item.unique, where=where, name=item.name(self.table_name)
        )

    def _ordered(self, column: str) -> Any:
        name, *direction = column.split()
        if name not in self.combined:
            raise NamingError(
                what=f"The index column of {self.model.__name__}",
                given=name,
                wanted=" or ".join(self.columns),
            )
        field = self.combined[name]
        return field.desc() if direction == ["DESC"] else field
