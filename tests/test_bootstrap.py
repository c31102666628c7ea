"""The database and the application's role: made once, mended ever after."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import psycopg2
import pytest

from app.bootstrap import bootstrap
from app.config import Settings
from app.errors import DatabaseUnavailableError
from tests.logins import as_application, as_owner


@pytest.fixture
def own(settings: Settings) -> Iterator[Settings]:
    """Settings with a role and a database that are not there yet."""
    yield replace(settings, db_name="odd name; --", db_user="odd'user", db_password="it's secret")
    with closing(as_owner(settings, "postgres")) as conn, conn.cursor() as cursor:
        cursor.execute('DROP DATABASE IF EXISTS "odd name; --" WITH (FORCE)')
        cursor.execute("""DROP ROLE IF EXISTS "odd'user" """)


def test_it_makes_a_role_that_may_log_in_and_little_else(own: Settings) -> None:
    list(bootstrap(own))
    with closing(as_application(own)) as conn, conn.cursor() as cursor:
        cursor.execute(
            "SELECT rolsuper, rolbypassrls, rolcreatedb, rolcreaterole, rolinherit, rolreplication"
            " FROM pg_roles WHERE rolname = current_user"
        )
        assert cursor.fetchone() == (False,) * 6
        cursor.execute("SELECT current_setting('statement_timeout'), current_setting('TimeZone')")
        assert cursor.fetchone() == ("5s", "UTC")


@pytest.mark.parametrize(
    "statement", ["CREATE TABLE x (id int)", "CREATE SCHEMA x", "CREATE TEMP TABLE x (id int)"]
)
def test_the_role_can_make_nothing(own: Settings, statement: str) -> None:
    list(bootstrap(own))
    refused = pytest.raises(psycopg2.errors.InsufficientPrivilege)
    with closing(as_application(own)) as conn, conn.cursor() as cursor, refused:
        cursor.execute(statement)


def test_nobody_else_may_enter_the_database(own: Settings) -> None:
    list(bootstrap(own))
    with closing(as_owner(own)) as conn, conn.cursor() as cursor:
        cursor.execute("SELECT has_database_privilege('public', current_database(), 'CONNECT')")
        assert cursor.fetchone() == (False,)


def test_it_may_be_repeated_and_changes_the_password(own: Settings) -> None:
    list(bootstrap(own))
    rotated = replace(own, db_password="another secret")
    assert len(list(bootstrap(rotated))) == 3
    as_application(rotated).close()
    with pytest.raises(psycopg2.OperationalError, match="authentication failed"):
        as_application(own)


def test_it_takes_powers_back_that_somebody_gave(own: Settings) -> None:
    list(bootstrap(own))
    with closing(as_owner(own)) as conn, conn.cursor() as cursor:
        cursor.execute("""ALTER ROLE "odd'user" SUPERUSER""")
        list(bootstrap(own))
        cursor.execute("""SELECT rolsuper FROM pg_roles WHERE rolname = 'odd''user'""")
        assert cursor.fetchone() == (False,)


def test_two_at_once_take_turns(own: Settings) -> None:
    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(lambda: list(bootstrap(own))) for _ in range(4)]
    assert [len(run.result()) for run in runs] == [3] * 4


def test_a_wrong_owner_is_told_without_the_password(own: Settings) -> None:
    with pytest.raises(DatabaseUnavailableError) as caught:
        list(bootstrap(replace(own, db_owner_password="a wrong one")))
    assert "a wrong one" not in f"{caught.value}{caught.value.__cause__}"
