"""What a model has to declare, and may not: looked at when its class is made."""

from peewee import ForeignKeyField

from app import naming
from app.errors import NamingError
from app.models.declarations import Check, Index
from app.models.metadata import NamedMetadata


def check_declarations(meta: NamedMetadata) -> None:
    """Raise NamingError for a declaration outside the rules, with what it should be."""
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
