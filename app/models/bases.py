"""Model, BaseModel and SoftDeleteModel: what every row of the product has in common."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, Self
from uuid import UUID

import peewee
from peewee import (
    SQL,
    BooleanField,
    CharField,
    Field,
    IntegerField,
    ModelDelete,
    ModelSelect,
    ModelUpdate,
    TextField,
    UUIDField,
)
from playhouse.postgres_ext import BinaryJSONField, DateTimeTZField

from app import naming
from app.database import TENANT_IN_FORCE, db
from app.errors import HardDeletionError, NotFoundError, UnknownFieldError, WrongTenantError
from app.models.declarations import TenantId
from app.models.metadata import NamedMetadata
from app.models.prepared import Prepared, Row
from app.models.rules import check_declarations
from app.models.statements import ROW_ID, living, statement, writing
from app.tenancy import current_tenant

_NOW = SQL("DEFAULT CURRENT_TIMESTAMP")
_DEFAULT = SQL("DEFAULT")
_AS_THE_DRIVER = {
    BinaryJSONField,
    BooleanField,
    CharField,
    DateTimeTZField,
    IntegerField,
    TextField,
    UUIDField,
    TenantId,
}


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
        if inserting:
            # a default belongs to this row; left to Peewee it would become part of the prepared text
            values = self._meta.get_default_dict() | values
        query = writing(type(self), "insert" if inserting else "update", values)
        rows = query.rows(**values, **{ROW_ID: self._pk})
        self._dirty -= values.keys()
        for row in rows:
            self._take_back(row)
        return len(rows)

    @classmethod
    def find(cls, row_id: UUID) -> Self:
        """The row with this id. Raises NotFoundError, for a row of another tenant too."""
        return cls._only(statement(cls, "select").rows(**{ROW_ID: row_id}))

    @classmethod
    def change(cls, row_id: UUID, **values: Any) -> Self:
        """Set these values of the row with this id, in one statement, and return it.

        Raises NotFoundError, UnknownFieldError.
        """
        if not values:
            return cls.find(row_id)
        cls._refuse_unknown(values)
        return cls._only(writing(cls, "update", values).rows(**values, **{ROW_ID: row_id}))

    @classmethod
    def create_many(cls, rows: Sequence[Mapping[str, Any]]) -> list[Self]:
        """Insert rows in one statement, all or none; what one leaves out is the database's default.

        Raises UnknownFieldError.
        """
        for row in rows:
            cls._refuse_unknown(row)
        instances = [cls(**row) for row in rows]
        names = {name for instance in instances for name in instance.__data__}
        values = [{name: item.__data__.get(name, _DEFAULT) for name in names} for item in instances]
        if not values:
            return []
        query = cls.insert_many(values).returning(*cls._meta.sorted_fields)
        return [cls.from_row(row) for row in Prepared(query).rows()]

    @classmethod
    def delete_by_id(cls, row_id: UUID) -> None:
        """Delete the row with this id, in one statement. Raises NotFoundError."""
        cls._only(statement(cls, "delete").rows(**{ROW_ID: row_id}))

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """The instance of a row as the driver gave it."""
        instance = cls(__no_default__=True)
        instance.__data__ = cls._read(row)
        return instance

    @classmethod
    def _only(cls, rows: list[Row]) -> Self:
        if not rows:
            raise NotFoundError(what=naming.snake_case(cls.__name__).replace("_", " "), by="id")
        return cls.from_row(rows[0])

    @classmethod
    def _refuse_unknown(cls, values: Iterable[str]) -> None:
        for name in values:
            if name not in cls._meta.fields:
                fields = ", ".join(cls._meta.fields)
                raise UnknownFieldError(model=cls.__name__, name=name, fields=fields)

    def _changed(self, only: Iterable[Field | str] | None) -> dict[str, Any]:
        names = set(self.dirty_field_names)
        if only is not None:
            names &= {getattr(field, "name", field) for field in only}
        return {name: self.__data__[name] for name in names}

    def _take_back(self, row: Row) -> None:
        read = self._read(row)
        self.__data__.update({name: read[name] for name in read.keys() - self._dirty})

    @classmethod
    def _read(cls, row: Row) -> dict[str, Any]:
        """A row's values by attribute, as the fields want them."""
        columns: dict[str, Field] = cls._meta.columns
        return {
            # most fields take what the driver made as it is
            field.name: value if type(field) in _AS_THE_DRIVER else field.python_value(value)
            for field, value in ((columns[name], value) for name, value in row.items())
        }

    @classmethod
    def validate_model(cls) -> None:
        """Refuse a model that breaks the rules, when it is declared. Raises NamingError."""
        if cls.__module__ == __name__:
            return
        check_declarations(cls._meta)
        # from here on as SQL, which is what Peewee's own `create_table()` takes
        cls._meta.constraints = cls._meta.table_constraints()


class BaseModel(Model):
    """A row that belongs to the tenant in force."""

    tenant_id = TenantId(default=current_tenant)

    @classmethod
    def select(cls, *fields: Any) -> ModelSelect:
        """The tenant's rows. The database would return no others; the statement says so too."""
        return super().select(*fields).where(cls._is_of_tenant())

    @classmethod
    def update(cls, *args: Any, **values: Any) -> ModelUpdate:
        """A change of the tenant's rows."""
        return super().update(*args, **values).where(cls._is_of_tenant())

    @classmethod
    def delete(cls) -> ModelDelete:
        """A removal of the tenant's rows."""
        return super().delete().where(cls._is_of_tenant())

    def save(self, force_insert: bool = False, only: Iterable[Field | str] | None = None) -> int:
        """Save in the row's own tenant's scope. Raises WrongTenantError in another's."""
        self._check_tenant()
        return super().save(force_insert, only)

    def delete_instance(self, *args: Any, **options: Any) -> int:
        """Delete in the row's own tenant's scope. Raises WrongTenantError in another's."""
        self._check_tenant()
        return int(super().delete_instance(*args, **options))

    @classmethod
    def _is_of_tenant(cls) -> peewee.Expression:
        return cls.tenant_id == peewee.Value(TENANT_IN_FORCE, converter=False)

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
        return living(cls, cls.select(*fields))

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

    @classmethod
    def restore_by_id(cls, row_id: UUID) -> Self:
        """Bring a deleted row back, in one statement. Raises NotFoundError for one that is alive."""
        return cls._only(statement(cls, "restore").rows(**{ROW_ID: row_id}))

    def delete_instance(self, *_args: Any, **_options: Any) -> int:
        """Mark this row as deleted. Returns 1, or 0 when it was marked before."""
        return self._mark("delete")

    def restore(self) -> int:
        """Bring this row back. Returns 1, or 0 when it was alive."""
        return self._mark("restore")

    def _mark(self, kind: Literal["delete", "restore"]) -> int:
        self._check_tenant()
        rows = statement(type(self), kind).rows(**{ROW_ID: self._pk})
        for row in rows:
            self.__data__.update(deleted_at=row["deleted_at"], updated_at=row["updated_at"])
        return len(rows)


def concrete_models(base: type[Model] = Model) -> Iterator[type[Model]]:
    """The product's models that have a table, in the order they were declared."""
    for model in base.__subclasses__():
        if model.__module__ != __name__ and model.__module__.startswith("app."):
            yield model
        yield from concrete_models(model)
