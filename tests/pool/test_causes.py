"""Promise 15: why there is no connection, told apart in the error and in the log."""

import logging
import time

import peewee
import psycopg2
import pytest

from app.errors import AppError, UnsafeRoleError
from app.pool import Pool
from app.pool.outage import QUIET, Herald, named
from dev.cluster import Cluster
from tests.pool.conftest import Make, Witness, borrow, eventually, filled, timed

SECRET = "never to be seen"


def test_a_wrong_password(make_pool: Make, caplog: pytest.LogCaptureFixture) -> None:
    error = _error(make_pool(password=SECRET))
    assert error.code == "database_login_refused"
    assert "database_login_refused: " in caplog.text
    assert "password authentication failed" in caplog.text
    assert SECRET not in caplog.text + repr(error) + repr(error.__cause__)


def test_a_database_that_is_not_there(make_pool: Make, running: Cluster) -> None:
    pool = make_pool()
    pool.database = "not_there"
    assert _error(pool).code == "database_login_refused"


def test_too_many_connections(make_pool: Make, witness: Witness) -> None:
    witness.sql("CREATE ROLE crowded LOGIN PASSWORD 'crowded' CONNECTION LIMIT 0")
    error = _error(make_pool(user="crowded", password="crowded"))
    witness.sql("DROP ROLE crowded")
    assert error.code == "too_many_connections"


def test_those_who_are_in_share_what_they_have(make_pool: Make, witness: Witness) -> None:
    witness.sql("CREATE ROLE crowded LOGIN PASSWORD 'crowded' CONNECTION LIMIT 2")
    pool = filled(make_pool(user="crowded", password="crowded", timeout=1.0))
    pool.connect()
    borrowed = [timed(lambda: borrow(pool, "SELECT 1")) for _ in range(5)]
    pool.close()
    pool.close_all()
    eventually(lambda: not witness.backends(pool))
    witness.sql("DROP ROLE crowded")
    assert [result for _, result in borrowed] == [1] * 5


def test_a_password_changed_meanwhile_ends_nothing_that_is_open(make_pool: Make, witness: Witness) -> None:
    witness.sql("CREATE ROLE rotated LOGIN PASSWORD 'before'")
    pool = filled(make_pool(user="rotated", password="before"))
    witness.sql("ALTER ROLE rotated PASSWORD 'after'")
    assert borrow(pool, "SELECT 1") == 1
    pool.close_all()
    eventually(lambda: not witness.backends(pool))
    witness.sql("DROP ROLE rotated")


def test_a_server_that_nobody_serves(make_pool: Make) -> None:
    assert _error(make_pool(port=1)).code == "database_unavailable"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("FATAL:  the database system is starting up", "database_starting"),
        ("FATAL:  the database system is shutting down", "database_starting"),
        ("FATAL:  the database system is in recovery mode", "database_starting"),
        ("FATAL:  the database system is not yet accepting connections", "database_starting"),
        ("FATAL:  sorry, too many clients already", "too_many_connections"),
        ("FATAL:  remaining connection slots are reserved for roles", "too_many_connections"),
        ("FATAL:  no pg_hba.conf entry for host", "database_login_refused"),
        ("could not translate host name", "database_unavailable"),
    ],
)
def test_the_servers_words_are_understood(words: str, code: str) -> None:
    assert named(psycopg2.OperationalError(words)).code == code


def test_an_error_of_our_own_stays_what_it_is() -> None:
    error = named(UnsafeRoleError(role="postgres", why="is a superuser"))
    assert type(error) is UnsafeRoleError
    assert "'postgres'" in str(error)


def test_a_connection_that_became_read_only_is_replaced(make_pool: Make) -> None:
    pool = filled(make_pool(min_connections=1, max_connections=1))
    before = borrow(pool, "SELECT pg_backend_pid()")
    pool.connect()
    pool.execute_sql("SET default_transaction_read_only = on")
    with pytest.raises(peewee.InternalError, match="read-only"):
        pool.execute_sql("CREATE TABLE never_there (a int)")
    pool.close()
    assert borrow(pool, "SELECT pg_backend_pid()") != before


def test_an_outage_is_one_line_in_five_seconds(make_pool: Make, caplog: pytest.LogCaptureFixture) -> None:
    pool = make_pool(port=1)
    ends = time.monotonic() + 3
    while time.monotonic() < ends:
        timed(pool.connect)
    assert len([line for line in caplog.records if line.levelno >= logging.WARNING]) == 1


def test_the_herald_says_each_thing_again_after_a_while(caplog: pytest.LogCaptureFixture) -> None:
    herald = Herald()
    for now in (100.0, 101.0, 100.0 + QUIET):
        herald.say(now, "one", "it\nbroke with secret", secret="secret")
    herald.say(101.0, "another", "it broke too")
    assert [line.message for line in caplog.records] == [
        "one: it broke with (not shown)",
        "one: it broke with (not shown)",
        "another: it broke too",
    ]


def _error(pool: Pool) -> AppError:
    _, error = timed(pool.connect)
    assert isinstance(error, AppError)
    assert error.status == 503
    return error
