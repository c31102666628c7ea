"""What a model declares, what it refuses, and what saving and deleting do."""

from typing import Any

import peewee
import pytest
from flask import Flask
from peewee import CharField, ForeignKeyField, TextField, fn
from psycopg2.extensions import connection as Connection

from app import features
from app.catalog import read_tables
from app.database import db
from app.errors import (
    NamingError,
    NoTenantError,
    NotFoundError,
    UnknownFieldError,
    WrongTenantError,
)
from app.http import paginate
from app.models import (
    BaseModel,
    Model,
    SoftDeleteModel,
    TenantForeignKey,
    check,
    concrete_models,
    index,
    unique,
)
from app.rcas import RCA
from app.rcas.schemas import RCASchema
from app.tenancy import platform_scope, tenant_scope
from app.tenants import Tenant
from tests.factories import make_rca

features()
LISTED = (index("tenant_id", "created_at"),)


def declare(
    name: str, base: type[Model] = BaseModel, meta: dict[str, Any] | None = None, **fields: Any
) -> Any:
    """Declare a model as if in a file of its own."""
    options = {"indexes": LISTED if issubclass(base, BaseModel) else ()} | (meta or {})
    return type(base)(name, (base,), fields | {"Meta": type("Meta", (), options), "__module__": __name__})


# --- names ------------------------------------------------------------------------------------------


def test_a_camel_case_attribute_becomes_a_snake_case_column() -> None:
    machine = declare("Machine", serialNumber=CharField())
    assert machine.serialNumber.column_name == "serial_number"


def test_a_table_outside_the_convention_is_refused_with_the_name_it_should_have() -> None:
    with pytest.raises(NamingError, match=r"'machine'.*Use machines"):
        declare("Machine", meta={"table_name": "machine"})


def test_a_column_outside_the_convention_is_refused_with_the_name_it_should_have() -> None:
    with pytest.raises(NamingError, match=r"'serialNo'.*Use serial_no"):
        declare("Machine", serial=CharField(column_name="serialNo"))


def test_indexes_keys_and_checks_are_named_by_the_convention() -> None:
    part = declare(
        "GizmoPart",
        meta={"constraints": (check("price_positive", "price > 0"),)},
        machine=TenantForeignKey("machines"),
        spare_machine=TenantForeignKey("machines", null=True),
    )
    names = {constraint.sql.split()[1] for constraint in part._meta.constraints}
    assert names == {
        "chk_gizmo_parts_price_positive",
        "fk_gizmo_parts_machines",
        "fk_gizmo_parts_machines_spare_machine_id",
        "fk_gizmo_parts_tenants",
        "uniq_gizmo_parts_tenant_id_id",
    }
    assert part.machine.column_name == "machine_id"


def test_every_index_of_a_tenant_model_starts_with_the_tenant() -> None:
    machine = declare("Machine", serial=CharField(unique=True), site=CharField(index=True))
    names = {item._name for item in machine._meta.fields_to_index()}
    assert names == {
        "uniq_machines_tenant_id_serial",
        "idx_machines_tenant_id_site",
        "idx_machines_tenant_id_created_at",
    }


def test_an_index_that_starts_elsewhere_is_refused_with_the_name_it_should_have() -> None:
    with pytest.raises(NamingError, match="Use idx_machines_tenant_id_site"):
        declare("Machine", meta={"indexes": (index("site"),)}, site=CharField())


def test_a_tenant_model_without_an_index_is_refused() -> None:
    with pytest.raises(NamingError, match="idx_machines_tenant_id_created_at"):
        declare("Machine", meta={"indexes": ()})


def test_an_index_of_an_unknown_column_is_refused() -> None:
    with pytest.raises(NamingError, match="'colour'"):
        declare("Machine", meta={"indexes": (index("tenant_id", "colour"),)})


def test_an_index_in_peewees_own_words_is_refused() -> None:
    with pytest.raises(NamingError, match="index"):
        declare("Machine", meta={"indexes": ((("tenant_id", "site"), True),)}, site=CharField())


def test_a_constraint_without_a_name_is_refused() -> None:
    with pytest.raises(NamingError, match="check"):
        declare("Machine", meta={"constraints": (peewee.Check("price > 0"),)})


def test_a_single_column_key_between_tenant_tables_is_refused() -> None:
    with pytest.raises(NamingError, match='Use TenantForeignKey\\("rcas"\\)'):
        declare("Measure", rca=ForeignKeyField(RCA))


def test_a_unique_index_of_a_soft_deleted_model_ignores_the_dead() -> None:
    machine = declare("Machine", SoftDeleteModel, serial=CharField(unique=True))
    assert "uniq_machines_tenant_id_serial_alive" in {item._name for item in machine._meta.fields_to_index()}


def test_a_declared_model_is_what_peewee_creates(app: Flask, admin: Connection) -> None:
    """Names, keys, checks and partial indexes arrive in the database as declared."""
    declare("Machine")
    part = declare(
        "GizmoPart",
        SoftDeleteModel,
        {
            "indexes": (unique("tenant_id", "code", alive=True),),
            "constraints": (check("code_given", "code <> ''"),),
        },
        code=TextField(),
        rca=TenantForeignKey("rcas", on_delete="CASCADE"),
    )
    with admin.cursor() as cursor:
        for statement, _ in (
            part._schema._create_table().query(),
            *(i.query() for i in part._schema._create_indexes()),
        ):
            cursor.execute(statement)
    try:
        with platform_scope("a test"):
            table = next(table for table in read_tables(db) if table.name == "gizmo_parts")
    finally:
        with admin.cursor() as cursor:
            cursor.execute("DROP TABLE gizmo_parts")
    assert {item.name for item in table.constraints} == {
        "chk_gizmo_parts_code_given",
        "fk_gizmo_parts_rcas",
        "fk_gizmo_parts_tenants",
        "gizmo_parts_pkey",
        "uniq_gizmo_parts_tenant_id_id",
    }
    assert {item.name for item in table.indexes if item.partial} == {"uniq_gizmo_parts_tenant_id_code_alive"}


@pytest.mark.parametrize("model", list(concrete_models()), ids=lambda model: model.__name__)
def test_the_migrated_table_has_the_models_columns_and_indexes(app: Flask, model: type[Model]) -> None:
    meta = model._meta
    with platform_scope("a test"):
        table = next(table for table in read_tables(db) if table.name == meta.table_name)
    assert {column.name for column in table.columns} == set(meta.columns)
    required = {field.column_name for field in meta.sorted_fields if not field.null}
    assert {column.name for column in table.columns if column.not_null} == required
    declared = {item._name for item in meta.fields_to_index()} | {f"{meta.table_name}_pkey"}
    of_constraints = {item.sql.split()[1] for item in meta.constraints if " UNIQUE " in item.sql}
    assert {item.name for item in table.indexes} == declared | of_constraints


# --- saving -----------------------------------------------------------------------------------------


def test_a_new_row_gets_its_scopes_tenant_and_the_databases_values(acme: Tenant) -> None:
    rca = make_rca(acme)
    assert rca.tenant_id == acme.id
    assert rca.id
    assert rca.status == "open"
    assert rca.created_at.utcoffset().total_seconds() == 0


def test_a_row_cannot_be_made_outside_a_tenants_scope(app: Flask) -> None:
    with pytest.raises(NoTenantError):
        RCA(title="x")
    with platform_scope("a test"), pytest.raises(NoTenantError):
        RCA(title="x")


@pytest.mark.parametrize("make", [RCA.create, lambda **values: RCA(**values).save()])
def test_another_tenant_cannot_be_set(acme: Tenant, globex: Tenant, make: Any) -> None:
    with tenant_scope(acme), pytest.raises(WrongTenantError, match=str(globex.id)):
        make(title="x", issue_description="…", tenant_id=globex.id)


def test_a_row_remembers_its_tenant(acme: Tenant, globex: Tenant) -> None:
    rca = make_rca(acme)
    with tenant_scope(globex):
        rca.title = "mine now"
        with pytest.raises(WrongTenantError):
            rca.save()
        with pytest.raises(WrongTenantError):
            rca.delete_instance()


def test_only_what_changed_is_sent(acme: Tenant) -> None:
    rca = make_rca(acme)
    with tenant_scope(acme):
        RCA.update(status="resolved").execute()
        rca.title = "Valve leaks"
        assert rca.save() == 1
    assert (rca.title, rca.status) == ("Valve leaks", "resolved")


def test_what_only_leaves_out_stays_to_be_saved(acme: Tenant) -> None:
    rca = make_rca(acme)
    with tenant_scope(acme):
        rca.title, rca.status = "Valve leaks", "closed"
        rca.save(only=[RCA.title])
        assert (rca.status, rca.dirty_field_names) == ("closed", ["status"])
        assert rca.save() == 1
        assert RCA.get_by_id(rca.id).status == "closed"


def test_a_row_that_was_read_in_part_can_be_deleted(acme: Tenant) -> None:
    make_rca(acme)
    with tenant_scope(acme):
        assert RCA.select(RCA.id).get().delete_instance() == 1


def test_a_row_that_was_deleted_meanwhile_is_not_changed(acme: Tenant) -> None:
    rca = make_rca(acme)
    with tenant_scope(acme):
        RCA.find(rca.id).delete_instance()
        with pytest.raises(NotFoundError):
            RCA.change(rca.id, title="Too late")
        assert RCA.with_deleted().get().title == "Pump leaks"


def test_a_page_is_of_the_rows_its_query_means_whatever_was_prepared_before(acme: Tenant) -> None:
    """Two queries of one shape that hold different values, and the clone of one of them."""
    for kind in ("pump", "belt"):
        make_rca(acme, kind, equipment_type=kind)
    pumps = RCA.alive().where(RCA.equipment_type == "pump")
    belts = RCA.alive().where(RCA.equipment_type == "belt")
    with tenant_scope(acme):
        assert [titles_of(query) for query in (pumps, belts, pumps)] == [["pump"], ["belt"], ["pump"]]
        assert titles_of(pumps.where(RCA.title == "belt")) == []


def titles_of(query: peewee.ModelSelect) -> list[str]:
    """The titles on the first page of a query."""
    return [row["title"] for row in paginate(query, RCASchema, {"limit": 5, "cursor": None})["items"]]


def test_a_filter_of_an_unknown_field_is_refused_by_name(acme: Tenant) -> None:
    asked = {"limit": 1, "cursor": None, "colour": "red"}
    with tenant_scope(acme), pytest.raises(UnknownFieldError, match=r"RCA has no field 'colour'"):
        paginate(RCA.alive(), RCASchema, asked)


def test_a_change_by_id_touches_what_it_names(acme: Tenant) -> None:
    rca = make_rca(acme, equipment_type="pump")
    with tenant_scope(acme):
        changed = RCA.change(rca.id, status="closed")
        assert RCA.change(rca.id).__data__ == changed.__data__
    assert (changed.id, changed.status, changed.equipment_type) == (rca.id, "closed", "pump")
    assert changed.updated_at > rca.updated_at


def test_a_change_of_an_unknown_field_is_refused_by_name(acme: Tenant) -> None:
    rca = make_rca(acme)
    with tenant_scope(acme), pytest.raises(UnknownFieldError, match=r"'colour'.*title"):
        RCA.change(rca.id, colour="red")


def test_anothers_row_cannot_be_changed_deleted_or_restored_by_its_id(acme: Tenant, globex: Tenant) -> None:
    theirs = make_rca(globex)
    with tenant_scope(acme):
        for call in (RCA.find, RCA.delete_by_id, RCA.restore_by_id):
            with pytest.raises(NotFoundError):
                call(theirs.id)
        with pytest.raises(NotFoundError):
            RCA.change(theirs.id, title="mine")


def test_many_rows_are_made_with_the_databases_values(acme: Tenant) -> None:
    rows = [
        {"title": "a", "issue_description": "a", "status": "closed"},
        {"title": "b", "issue_description": "b"},
    ]
    with tenant_scope(acme):
        made = RCA.create_many(rows)
        assert RCA.select().count() == 2
    assert [(row.title, row.status) for row in made] == [("a", "closed"), ("b", "open")]
    assert {row.tenant_id for row in made} == {acme.id}
    assert all(row.id and row.created_at for row in made)


def test_many_rows_are_made_together_or_not_at_all(acme: Tenant) -> None:
    rows = [
        {"title": "a", "issue_description": "a"},
        {"title": "b", "issue_description": "b", "status": "lost"},
    ]
    with tenant_scope(acme):
        with pytest.raises(peewee.IntegrityError):
            RCA.create_many(rows)
        assert RCA.select().count() == 0


def test_no_rows_are_made_of_none(acme: Tenant) -> None:
    with tenant_scope(acme):
        assert RCA.create_many([]) == []


def test_many_rows_of_another_tenant_cannot_be_made(acme: Tenant, globex: Tenant) -> None:
    row = {"title": "a", "issue_description": "a", "tenant_id": globex.id}
    with tenant_scope(acme), pytest.raises(WrongTenantError):
        RCA.create_many([row])


def test_an_expression_is_worked_out_by_the_database(acme: Tenant) -> None:
    rca = make_rca(acme, "pump")
    with tenant_scope(acme):
        rca.title = fn.upper(RCA.title)
        assert rca.save() == 1
    assert rca.title == "PUMP"


def test_nothing_changed_sends_nothing(acme: Tenant) -> None:
    rca = make_rca(acme)
    with tenant_scope(acme):
        assert rca.save() == 0
        rca.title, rca.status = "Valve leaks", "closed"
        assert rca.save(only=[RCA.title]) == 1
        assert RCA.get_by_id(rca.id).status == "open"


def test_updated_at_is_kept_by_the_database_on_every_path(acme: Tenant) -> None:
    rca = make_rca(acme)
    with tenant_scope(acme):
        RCA.update(title="changed in bulk").execute()
        assert RCA.get_by_id(rca.id).updated_at > rca.updated_at
