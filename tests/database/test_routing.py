"""Two applications in one process: each has its own database, its own connections, its own observers."""

from collections.abc import Callable, Iterator
from contextvars import Context
from dataclasses import replace
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

from app import create_app
from app.bootstrap import bootstrap
from app.config import Settings
from app.database import Databases, application, db
from app.errors import NoApplicationError, PoolClosedError
from app.http import FixApp
from app.migrate import MigrationDatabase, migrate
from app.tenancy import in_scope, platform_scope, tenant_scope
from app.tenants import Tenant
from tests.database import lent
from tests.factories import bearer, make_rca, make_tenant

PATH = "/api/v1/rcas"
WHERE = "SELECT current_database()"


@pytest.fixture(scope="module")
def elsewhere(settings: Settings, admin: Connection) -> Iterator[Settings]:
    """The settings of a second database on the same server."""
    own = replace(settings, db_name="fixapp_elsewhere")
    list(bootstrap(own))
    owner = MigrationDatabase(own)
    list(migrate(owner))
    owner.close_all()
    yield own
    with admin.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {own.db_name} WITH (FORCE)")


@pytest.fixture
def other(elsewhere: Settings) -> Iterator[FixApp]:
    """A second application in this process, on a database of its own."""
    made = create_app(elsewhere)
    yield made
    made.databases.close()


@pytest.fixture
def initech(other: FixApp) -> Iterator[Tenant]:
    """A tenant that only the second application has."""
    with application(other.databases):
        tenant = make_tenant("initech")
        make_rca(tenant, "Elsewhere")
    yield tenant
    with application(other.databases), platform_scope("its subdomain is the next test's"):
        Tenant.update(subdomain=tenant.id.hex).where(Tenant.id == tenant.id).execute()


def anew(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function as a server's thread would: with nothing chosen around it."""
    return Context().run(function, *args)


def listed(app: FixApp, tenant: Tenant) -> list[str]:
    """The titles an application gives a tenant over HTTP."""
    answer = app.test_client().get(PATH, headers=bearer(app, tenant))
    return [item["title"] for item in answer.get_json()["items"]]


def name_of_database() -> str:
    """Where the unit's statements go."""
    (name,) = db.execute_sql(WHERE).fetchone()
    return str(name)


def in_a_unit(tenant: Tenant) -> str:
    """Where a unit of this tenant goes."""
    with tenant_scope(tenant):
        return name_of_database()


def test_requests_go_to_their_own_applications_database(
    app: FixApp, other: FixApp, acme: Tenant, initech: Tenant
) -> None:
    make_rca(acme, "Here")
    for _ in range(3):
        assert anew(listed, app, acme) == ["Here"]
        assert anew(listed, other, initech) == ["Elsewhere"]


def test_one_applications_tenant_is_unknown_to_the_other(app: FixApp, other: FixApp, acme: Tenant) -> None:
    answer = anew(lambda: other.test_client().get(PATH, headers=bearer(other, acme)))
    assert (answer.status_code, answer.get_json()["code"]) == (401, "invalid_token")


def test_a_request_goes_to_its_own_database_whatever_is_chosen_around_it(
    app: FixApp, other: FixApp, initech: Tenant
) -> None:
    with application(app.databases):
        assert listed(other, initech) == ["Elsewhere"]


def test_a_command_goes_to_its_own_database(
    app: FixApp, other: FixApp, acme: Tenant, initech: Tenant
) -> None:
    said = anew(lambda: other.test_cli_runner().invoke(args=["tenants", "list"]).output)
    assert "initech" in said
    assert "acme" not in said


def test_observers_are_told_of_their_own_statements_only(
    app: FixApp, other: FixApp, acme: Tenant, initech: Tenant
) -> None:
    here: list[str] = []
    there: list[str] = []
    app.databases.observers.append(lambda sql, *_: here.append(sql))
    other.databases.observers.append(lambda sql, *_: there.append(sql))
    try:
        anew(listed, other, initech)
        assert (here, bool(there)) == ([], True)
        there.clear()
        anew(listed, app, acme)
        assert (bool(here), there) == (True, [])
    finally:
        app.databases.observers.pop()


@pytest.mark.usefixtures("other")
def test_with_two_open_and_none_in_force_there_is_no_telling(acme: Tenant) -> None:
    with pytest.raises(NoApplicationError, match=r"2 applications.*application\(databases\)"):
        anew(in_a_unit, acme)


def test_the_one_in_force_is_the_innermost(app: FixApp, other: FixApp, acme: Tenant) -> None:
    with application(app.databases):
        with application(other.databases):
            assert in_a_unit(acme) == "fixapp_elsewhere"
        assert in_a_unit(acme) == "fixapp_test"


def test_an_application_context_chooses_too(app: FixApp, other: FixApp, acme: Tenant) -> None:
    def where() -> list[str]:
        with app.app_context():
            outer = in_a_unit(acme)
            with other.app_context():
                return [outer, in_a_unit(acme)]

    assert anew(where) == ["fixapp_test", "fixapp_elsewhere"]


def test_a_unit_stays_where_it_began(app: FixApp, other: FixApp, acme: Tenant) -> None:
    with application(app.databases), tenant_scope(acme), application(other.databases), tenant_scope(acme):
        assert name_of_database() == "fixapp_test"
        assert lent(other.databases) == 0


def test_what_is_handed_to_a_thread_goes_where_its_unit_goes(
    app: FixApp, other: FixApp, acme: Tenant
) -> None:
    with application(other.databases), tenant_scope(acme):
        handed_on = in_scope(name_of_database)
    with application(app.databases):
        assert anew(handed_on) == "fixapp_elsewhere"


def test_closing_one_leaves_the_other(app: FixApp, elsewhere: Settings, acme: Tenant) -> None:
    second = Databases(elsewhere)
    with application(second):
        assert in_a_unit(acme) == "fixapp_elsewhere"
    second.close()
    assert anew(in_a_unit, acme) == "fixapp_test"
    with application(second), pytest.raises(PoolClosedError):
        in_a_unit(acme)
