"""No tenant reaches another's rows: every tenant model, every kind of statement, the real role.

The models are found, not listed: a new feature is tested without a word here. The same
attacks are made on a table whose policy is open, where each of them must succeed.
"""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import peewee
import pytest
from flask import Flask
from peewee import CharField, ModelDelete, ModelSelect, ModelUpdate, fn
from psycopg2.extensions import connection as Connection

from app import features
from app.database import db
from app.errors import NoTenantError, NotFoundError, WrongTenantError
from app.models import BaseModel, SoftDeleteModel, concrete_models, index
from app.tenancy import platform_scope, tenant_scope
from app.tenants import Tenant
from tests.factories import make_row

features()
MODELS = list(concrete_models(BaseModel))
Attack = Callable[[type[BaseModel], BaseModel, BaseModel], bool]


class OpenThing(SoftDeleteModel):
    """The planted fault: a table with a policy that lets everybody in."""

    title = CharField()

    class Meta:
        """Indexed like any tenant table."""

        indexes = (index("tenant_id", "created_at"),)


def select(model: type[BaseModel], _mine: BaseModel, theirs: BaseModel) -> bool:
    """Read the other tenant's row."""
    return theirs.id in [row.id for row in ModelSelect(model, [model.id])]


def read_by_sql(model: type[BaseModel], _mine: BaseModel, theirs: BaseModel) -> bool:
    """Read the other tenant's row in SQL of one's own."""
    rows = db.execute_sql(f"SELECT id FROM {model._meta.table_name}").fetchall()
    return (theirs.id,) in rows


def update(model: type[BaseModel], _mine: BaseModel, theirs: BaseModel) -> bool:
    """Change the other tenant's row."""
    query = ModelUpdate(model, {model.created_at: theirs.created_at})
    return bool(query.where(model.id == theirs.id).execute())


def delete(model: type[BaseModel], _mine: BaseModel, theirs: BaseModel) -> bool:
    """Remove the other tenant's row."""
    return bool(ModelDelete(model).where(model.id == theirs.id).execute())


def insert(model: type[BaseModel], mine: BaseModel, theirs: BaseModel) -> bool:
    """Plant a row in the other tenant."""
    return bool(model.insert(copy_of(mine) | {"id": uuid4(), "tenant_id": theirs.tenant_id}).execute())


def move(model: type[BaseModel], mine: BaseModel, theirs: BaseModel) -> bool:
    """Move a row of one's own into the other tenant."""
    query = ModelUpdate(model, {model.tenant_id: theirs.tenant_id})
    return bool(query.where(model.id == mine.id).execute())


def upsert(model: type[BaseModel], mine: BaseModel, theirs: BaseModel) -> bool:
    """Change the other tenant's row by inserting one with its id."""
    conflicting = model.insert(copy_of(mine) | {"id": theirs.id})
    query = conflicting.on_conflict(conflict_target=[model.id], preserve=[model.created_at])
    return bool(query.execute())


def refer(_model: type[BaseModel], _mine: BaseModel, theirs: BaseModel) -> bool:
    """Point a foreign key at the other tenant's row."""
    db.execute_sql(
        "INSERT INTO probes (tenant_id, parent_id) VALUES (app.current_tenant(), %s)", (str(theirs.id),)
    )
    return True


ATTACKS: list[Attack] = [select, read_by_sql, update, delete, insert, move, upsert, refer]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@pytest.mark.usefixtures("_probes")
def test_no_tenant_reaches_anothers_rows(
    model: type[BaseModel], attack: Attack, acme: Tenant, globex: Tenant
) -> None:
    mine, theirs = make_row(model, acme), make_row(model, globex)
    assert not succeeds(attack, model, mine, theirs)
    assert still_there(model, theirs)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
@pytest.mark.usefixtures("_open_table")
def test_every_attack_succeeds_where_the_policy_is_open(attack: Attack, acme: Tenant, globex: Tenant) -> None:
    mine, theirs = make_row(OpenThing, acme), make_row(OpenThing, globex)
    assert succeeds(attack, OpenThing, mine, theirs)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_platform_scope_opens_no_tenants_rows(model: type[BaseModel], acme: Tenant) -> None:
    make_row(model, acme)
    with platform_scope("curiosity"):
        assert ModelSelect(model, [fn.count(model.id)]).scalar() == 0


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_the_orm_asks_for_no_tenants_rows_in_a_platform_scope(model: type[BaseModel], app: Flask) -> None:
    for query in (model.select(), model.update(created_at=fn.now()), model.select(model.id)):
        with platform_scope("curiosity"), pytest.raises(NoTenantError):
            query.execute()


@pytest.mark.usefixtures("_open_table")
def test_where_the_policy_is_open_the_orms_own_statements_are_a_second_net(
    acme: Tenant, globex: Tenant
) -> None:
    mine, theirs = make_row(OpenThing, acme), make_row(OpenThing, globex)
    with tenant_scope(acme):
        assert [row.id for row in OpenThing.select()] == [mine.id]
        assert OpenThing.update(title="mine now").where(OpenThing.id == theirs.id).execute() == 0
        assert OpenThing.purge().where(OpenThing.id == theirs.id).execute() == 0
        for call in (OpenThing.find, OpenThing.delete_by_id, OpenThing.restore_by_id):
            with pytest.raises(NotFoundError):
                call(theirs.id)
        # the positive control: the rows are there for whoever goes past the ORM
        assert ModelSelect(OpenThing, [fn.count(OpenThing.id)]).scalar() == 2


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_the_owner_too_sees_nothing_without_a_tenant(
    model: type[BaseModel], acme: Tenant, admin: Connection
) -> None:
    make_row(model, acme)
    assert counted_by_an_owner_without_superuser(admin, model) == 0


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_no_scope_no_statement(model: type[BaseModel], app: Flask) -> None:
    with pytest.raises(NoTenantError):
        model.select().count()


def test_there_is_something_to_test() -> None:
    assert MODELS


def succeeds(attack: Attack, model: type[BaseModel], mine: BaseModel, theirs: BaseModel) -> bool:
    """Whether an attack from one tenant's scope has an effect on the other's rows."""
    with tenant_scope(mine.tenant_id):
        try:
            return attack(model, mine, theirs)
        except (WrongTenantError, peewee.IntegrityError):
            return False


def still_there(model: type[BaseModel], row: BaseModel) -> bool:
    """Whether a row is as it was."""
    with tenant_scope(row.tenant_id):
        found: BaseModel = model.get_by_id(row.id)
        return bool(found.__data__ == row.__data__)


def copy_of(row: BaseModel) -> dict[str, Any]:
    """A row's values."""
    return dict(row.__data__)


def counted_by_an_owner_without_superuser(admin: Connection, model: type[BaseModel]) -> int:
    """The rows an ordinary role sees that owns the table."""
    table = model._meta.table_name
    with admin.cursor() as cursor:
        cursor.execute("BEGIN; CREATE ROLE plain_owner; GRANT USAGE ON SCHEMA public, app TO plain_owner")
        cursor.execute(
            f"GRANT CREATE ON SCHEMA public TO plain_owner; ALTER TABLE {table} OWNER TO plain_owner"
        )
        cursor.execute(f"SET LOCAL ROLE plain_owner; SELECT count(*) FROM {table}")
        (count,) = cursor.fetchone() or (-1,)
        cursor.execute("ROLLBACK")
        return int(count)


@pytest.fixture
def _probes(request: pytest.FixtureRequest, admin: Connection) -> Iterator[None]:
    """A table with the composite key every reference between tenant tables has."""
    model: type[BaseModel] = request.getfixturevalue("model")
    key = f"FOREIGN KEY (tenant_id, parent_id) REFERENCES {model._meta.table_name} (tenant_id, id)"
    yield from made(admin, f"CREATE TABLE probes (tenant_id uuid, parent_id uuid, {key})", "probes")


@pytest.fixture
def _open_table(admin: Connection) -> Iterator[None]:
    """The planted faults: a policy that is always true, and a key that forgets the tenant."""
    make = """
        CREATE TABLE open_things (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL, title text,
            created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now(),
            deleted_at timestamptz);
        ALTER TABLE open_things ENABLE ROW LEVEL SECURITY;
        ALTER TABLE open_things FORCE ROW LEVEL SECURITY;
        CREATE POLICY everybody ON open_things USING (true) WITH CHECK (true);
        CREATE TABLE probes (tenant_id uuid, parent_id uuid REFERENCES open_things (id));
    """
    yield from made(admin, make, "probes, open_things")


def made(admin: Connection, statement: str, tables: str) -> Iterator[None]:
    """Tables the application may use, dropped afterwards."""
    with admin.cursor() as cursor:
        cursor.execute(f"{statement}; GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO fixapp_app")
    yield
    with admin.cursor() as cursor:
        cursor.execute(f"DROP TABLE {tables}")


def test_a_tenant_reads_its_own_row_of_the_registry_and_no_other(acme: Tenant, globex: Tenant) -> None:
    with tenant_scope(acme):
        assert [tenant.id for tenant in Tenant.select()] == [acme.id]


def test_a_tenant_cannot_change_its_row_of_the_registry(acme: Tenant) -> None:
    with tenant_scope(acme):
        assert Tenant.update(status="suspended").execute() == 0


def test_a_tenant_cannot_register_another(acme: Tenant) -> None:
    with tenant_scope(acme), pytest.raises(WrongTenantError):
        Tenant.register(name="Mine too", subdomain="mine")


def test_nobody_deletes_from_the_registry(acme: Tenant) -> None:
    with platform_scope("a test"), pytest.raises(peewee.ProgrammingError, match="permission denied"):
        Tenant.delete().execute()


def test_the_platform_reads_and_changes_every_tenant(acme: Tenant, globex: Tenant) -> None:
    with platform_scope("a test"):
        assert {tenant.id for tenant in Tenant.select()} == {acme.id, globex.id}
        assert Tenant.update(settings={"seats": 5}).execute() == 2


def test_an_id_nobody_has_opens_nothing(acme: Tenant) -> None:
    make_row(MODELS[0], acme)
    with tenant_scope(UUID(int=0)):
        assert MODELS[0].select().count() == 0
