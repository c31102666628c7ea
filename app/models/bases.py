"""Model, BaseModel and SoftDeleteModel: what every row of the product has in common."""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, Self, TypeVar
from uuid import UUID

import peewee
from peewee import SQL, Field, ForeignKeyField, ModelDelete, ModelSelect, UUIDField, fn
from playhouse.postgres_ext import DateTimeTZField

from app import naming
from app.database import db
from app.errors import HardDeletionError, NamingError, NotFoundError, WrongTenantError
from app.models.compiled import Compiled, Row, value_of, without_values
from app.models.declarations import Check, Index, TenantId
from app.models.metadata import NamedMetadata
from app.tenancy import current_tenant

Rows = Callable[..., ModelSelect]
Found = TypeVar("Found", bound="Model")

_NOW = SQL("DEFAULT CURRENT_TIMESTAMP")


class Model(peewee.Model):
    """A row with a uuid and two instants; the database fills all three.

    Tables are never created from here: migrations do that.
    """

    id = UUIDField(primary_key=True, constraints=[SQL("DEFAULT gen_random_uuid()")])
    created_at = DateTimeTZField(constraints=[_NOW])
    updated_at = DateTimeTZField(constraints=[_NOW])

    class Meta:
        """Names by the convention, and only changed columns in an UPDATE."""

        database = db
        legacy_table_names = False
        table_function = naming.table_name
        model_metadata_class = NamedMetadata
        only_save_dirty = True

    def save(self, force_insert: bool = False, only: Iterable[Field | str] | None = None) -> int:
        """Send what changed, and take back what the database made of it: one statement.

        Returns the number of rows written: 0 when nothing changed, or when the row is not to
        be seen or was deleted. What `only` leaves out stays as it was set, to be saved later.
        """
        values = self._changed(only)
        inserting = force_insert or self._pk is None
        if not values and not inserting:
            return 0
        rows = _writing(type(self), values, inserting=inserting).rows(**values, _pk=self._pk)
        self._dirty -= values.keys()
        for row in rows:
            self._take_back(row)
        return len(rows)

    def change(self, **values: Any) -> Self:
        """Set these values and save. Raises NotFoundError when the row went away meanwhile."""
        for name, value in values.items():
            setattr(self, name, value)
        if self.is_dirty() and not self.save():
            raise _missing(type(self))
        return self

    @classmethod
    def find(cls, row_id: UUID) -> Self:
        """The row with this id. Raises NotFoundError, for a row of another tenant too."""
        return _find(cls, cls.select, row_id)

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """The instance of a row as the driver gave it."""
        instance = cls(__no_default__=True)
        instance._take_back(row)
        return instance

    def _changed(self, only: Iterable[Field | str] | None) -> dict[str, Any]:
        names = set(self.dirty_field_names)
        if only is not None:
            names &= {getattr(field, "name", field) for field in only}
        return {name: self.__data__[name] for name in names}

    def _take_back(self, row: Row) -> None:
        columns = self._meta.columns
        read = {columns[name].name: columns[name].python_value(row[name]) for name in row}
        self.__data__.update({name: read[name] for name in read.keys() - self._dirty})

    @classmethod
    def validate_model(cls) -> None:
        """Refuse a model that breaks the rules, when it is declared. Raises NamingError."""
        if cls.__module__ == __name__:
            return
        _check_declarations(cls._meta)
        # from here on as SQL, which is what Peewee's own `create_table()` takes
        cls._meta.constraints = cls._meta.table_constraints()


class BaseModel(Model):
    """A row that belongs to the tenant in force."""

    tenant_id = TenantId(default=current_tenant)

    def save(self, force_insert: bool = False, only: Iterable[Field | str] | None = None) -> int:
        """Save in the row's own tenant's scope. Raises WrongTenantError in another's."""
        self._check_tenant()
        return super().save(force_insert, only)

    def delete_instance(self, *args: Any, **options: Any) -> int:
        """Delete in the row's own tenant's scope. Raises WrongTenantError in another's."""
        self._check_tenant()
        return int(super().delete_instance(*args, **options))

    def _check_tenant(self) -> None:
        # a row that was read without its tenant is judged by the database alone
        if self.tenant_id not in {None, current_tenant()}:
            raise WrongTenantError(given=self.tenant_id, current=current_tenant())


class SoftDeleteModel(BaseModel):
    """A row that is marked when it is deleted, and can come back.

    `select()` is left alone: whoever reads says which rows are meant, with `alive()`
    or `with_deleted()`.
    """

    deleted_at = DateTimeTZField(null=True)

    @classmethod
    def alive(cls, *fields: Any) -> ModelSelect:
        """The rows that are not deleted."""
        return cls.select(*fields).where(cls.deleted_at.is_null())

    @classmethod
    def find(cls, row_id: UUID) -> Self:
        """The living row with this id. Raises NotFoundError, for a row of another tenant too."""
        return _find(cls, cls.alive, row_id)

    @classmethod
    def with_deleted(cls, *fields: Any) -> ModelSelect:
        """All rows, the deleted ones too."""
        return cls.select(*fields)

    @classmethod
    def delete(cls) -> ModelDelete:
        """Refused: it would remove rows for good. Raises HardDeletionError."""
        raise HardDeletionError(model=cls.__name__)

    @classmethod
    def purge(cls) -> ModelDelete:
        """A query that removes rows for good: `RCA.purge().where(…).execute()`."""
        return super().delete()

    def delete_instance(self, *_args: Any, **_options: Any) -> int:
        """Mark this row as deleted. Returns 1, or 0 when it was marked before."""
        self._check_tenant()
        return self._mark(fn.now(), type(self).deleted_at.is_null())

    def restore(self) -> int:
        """Bring this row back. Returns 1, or 0 when it was alive."""
        self._check_tenant()
        return self._mark(None, type(self).deleted_at.is_null(is_null=False))

    def _mark(self, instant: Any, when: Any) -> int:
        cls = type(self)
        query = cls.update({cls.deleted_at: instant}).where(self._pk_expr() & when)
        rows = list(query.returning(cls.deleted_at, cls.updated_at).execute())
        for row in rows:
            self.__data__.update(deleted_at=row.deleted_at, updated_at=row.updated_at)
        return len(rows)


def concrete_models(base: type[Model] = Model) -> Iterator[type[Model]]:
    """The product's models that have a table, in the order they were declared."""
    for model in base.__subclasses__():
        if model.__module__ != __name__ and model.__module__.startswith("app."):
            yield model
        yield from concrete_models(model)


def _find(model: type[Found], rows: Rows, row_id: UUID) -> Found:
    found = _by_id(rows).rows(id=row_id)
    if not found:
        raise _missing(model)
    return model.from_row(found[0])


def _missing(model: type[Model]) -> NotFoundError:
    return NotFoundError(what=naming.snake_case(model.__name__).replace("_", " "), by="id")


@lru_cache(maxsize=1024)
def _by_id(rows: Rows) -> Compiled:
    query = without_values(rows())
    return Compiled(query.where(query.model.id == value_of(query.model.id)))


def _writing(model: type[Model], values: dict[str, Any], *, inserting: bool) -> Compiled:
    """The statement that writes these values; compiled anew only for expressions among them."""
    if any(isinstance(value, peewee.Node) for value in values.values()):
        return Compiled(_write(model, values, inserting=inserting))
    names = tuple(sorted(values))
    # mypy takes a class's __hash__ for that of its instances
    return _compiled_write(model, names, inserting)  # type: ignore[arg-type]


@lru_cache(maxsize=1024)
def _compiled_write(model: type[Model], names: tuple[str, ...], inserting: bool) -> Compiled:
    places = {name: value_of(model._meta.fields[name]) for name in names}
    return Compiled(_write(model, places, inserting=inserting))


def _write(model: type[Model], values: dict[str, Any], *, inserting: bool) -> peewee.BaseQuery:
    query = model.insert(values) if inserting else model.update(values)
    if not inserting:
        query = query.where(model.id == value_of(model.id, "_pk"))
        # a row that somebody deleted meanwhile is not changed any more
        query = query.where(model.deleted_at.is_null()) if model._meta.is_soft_deleted else query
    return query.returning(*model._meta.sorted_fields)


def _check_declarations(meta: NamedMetadata) -> None:
    model = meta.model.__name__
    for item in meta.indexes:
        if not isinstance(item, Index):
            wanted = 'index("column", …) or unique("column", …)'
            raise NamingError(what=f"An index of {model}", given=str(item), wanted=wanted)
    for item in meta.constraints or ():
        if not isinstance(item, Check):
            raise NamingError(
                what=f"A constraint of {model}", given=str(item), wanted='check("condition", sql)'
            )
    meta.fields_to_index()
    if meta.is_tenant_scoped:
        _check_tenant_declarations(meta)


def _check_tenant_declarations(meta: NamedMetadata) -> None:
    model, table = meta.model.__name__, meta.table_name
    for field in meta.sorted_fields:
        if isinstance(field, ForeignKeyField):
            wanted = f'TenantForeignKey("{field.rel_model._meta.table_name}")'
            raise NamingError(
                what=f"The single-column key {model}.{field.name}", given=field.name, wanted=wanted
            )
    indexes = meta.declared_indexes()
    for item in indexes:
        if item.names[0] != "tenant_id":
            wanted = Index(("tenant_id", *item.columns), item.unique, item.alive).name(table)
            raise NamingError(what=f"The index of {model}", given=item.name(table), wanted=wanted)
    if not indexes:
        wanted = naming.index_name(table, ["tenant_id", "created_at"])
        raise NamingError(what=f"The missing index of {model}", given="none", wanted=wanted)
