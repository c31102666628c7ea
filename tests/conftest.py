"""One server for the whole run, one migrated database, and nothing left over between tests."""

import signal
from collections.abc import Iterator

import hypothesis
import pytest
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner
from psycopg2.extensions import connection as Connection

from app import create_app
from app.bootstrap import bootstrap
from app.config import Settings
from app.database import db
from app.migrate import MigrationDatabase, migrate
from app.tenancy import scope_in_force
from app.tenants import Tenant
from dev.cluster import Cluster, throwaway
from tests.factories import make_settings, make_tenant
from tests.logins import as_owner

# a run says the same twice; `make test ARGS=--hypothesis-profile=default` looks further
hypothesis.settings.register_profile("same", derandomize=True, database=None)
hypothesis.settings.load_profile("same")


def pytest_configure() -> None:
    """A run in the background inherits an ignored SIGINT; the programs the tests start must not."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def server() -> Iterator[Cluster]:
    """A PostgreSQL server of our own."""
    with throwaway() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def settings(server: Cluster) -> Settings:
    """Settings for that server, with the application's role beside the owner's."""
    return make_settings(server)


@pytest.fixture(scope="session")
def app(settings: Settings) -> Iterator[Flask]:
    """The application on a migrated database, logged in as the application's role."""
    list(bootstrap(settings))
    owner = MigrationDatabase(settings)
    list(migrate(owner))
    owner.close_all()
    yield create_app(settings)
    db.close_all()


@pytest.fixture(scope="session")
def admin(app: Flask, settings: Settings) -> Iterator[Connection]:
    """A superuser's connection, to look behind the policies and to clean up; never to test them."""
    conn = as_owner(settings)
    yield conn
    conn.close()


@pytest.fixture(autouse=True)
def _nothing_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Empty the tables, give the connection back, and fail a test that stays in a scope."""
    admin = request.getfixturevalue("admin") if "app" in request.fixturenames else None
    yield
    if admin:
        if not db.is_closed():
            db.close()
        with admin.cursor() as cursor:
            cursor.execute("TRUNCATE tenants CASCADE")
    assert scope_in_force() is None


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A caller without a token."""
    app.extensions["tenants"].forget()
    return app.test_client()


@pytest.fixture
def runner(app: Flask) -> FlaskCliRunner:
    """Somebody at a shell."""
    return app.test_cli_runner()


@pytest.fixture
def acme(app: Flask) -> Tenant:
    """One tenant."""
    return make_tenant("acme")


@pytest.fixture
def globex(app: Flask) -> Tenant:
    """Another tenant: isolation is never tested with one alone."""
    return make_tenant("globex")
