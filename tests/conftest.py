"""One server for each worker, one migrated database, and nothing left over between tests."""

import signal
from collections.abc import Iterator

import hypothesis
import pytest
from flask.testing import FlaskClient, FlaskCliRunner
from psycopg2.extensions import connection as Connection

from app import create_app
from app.bootstrap import bootstrap
from app.config import Settings
from app.database import Databases, application, principal_in_force
from app.http import FixApp
from app.migrate import MigrationDatabase, migrate
from app.tenants import Tenant
from dev.cluster import Cluster, throwaway
from tests.factories import make_settings, make_tenant
from tests.logins import as_owner

pytest_plugins = ["tests.parallel"]

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
def app(settings: Settings) -> Iterator[FixApp]:
    """The application on a migrated database, logged in as the application's role."""
    list(bootstrap(settings))
    owner = MigrationDatabase(settings)
    list(migrate(owner))
    owner.close_all()
    made = create_app(settings)
    yield made
    made.databases.close()


@pytest.fixture
def databases(app: FixApp) -> Databases:
    """The application's databases."""
    return app.databases


@pytest.fixture(scope="session")
def admin(app: FixApp, settings: Settings) -> Iterator[Connection]:
    """A superuser's connection, to look behind the policies and to clean up; never to test them."""
    conn = as_owner(settings)
    yield conn
    conn.close()


@pytest.fixture(autouse=True)
def _nothing_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Put the application in force, empty the tables, and fail a test that stays in a scope."""
    if "app" not in request.fixturenames:
        yield
    else:
        admin: Connection = request.getfixturevalue("admin")
        with application(request.getfixturevalue("app").databases):
            yield
        with admin.cursor() as cursor:
            cursor.execute("TRUNCATE tenants CASCADE")
    assert principal_in_force() is None


@pytest.fixture
def client(app: FixApp) -> FlaskClient:
    """A caller without a token."""
    app.extensions["tenants"].clear()
    return app.test_client()


@pytest.fixture
def runner(app: FixApp) -> FlaskCliRunner:
    """Somebody at a shell."""
    return app.test_cli_runner()


@pytest.fixture
def acme(app: FixApp) -> Tenant:
    """One tenant."""
    return make_tenant("acme")


@pytest.fixture
def globex(app: FixApp) -> Tenant:
    """Another tenant: isolation is never tested with one alone."""
    return make_tenant("globex")
