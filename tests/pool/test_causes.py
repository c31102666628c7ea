"""Promise 15: why there is no connection, told apart in the error and in the log."""

import logging
import time
from collections.abc import Iterator

import psycopg2
import pytest

from app.pool import (
    ConfigureFailed,
    Connection,
    ConnectionPool,
    ConnectionUnavailable,
    LoginRefused,
    PoolError,
    ServerStarting,
    TooManyConnections,
)
from app.pool.breaker import LOG_INTERVAL, RateLimitedLog
from app.pool.errors import classify
from tests.pool.conftest import Make, Witness, borrow, eventually, filled, run, timed, together

SECRET = "never to be seen"


def test_a_wrong_password(make_pool: Make, caplog: pytest.LogCaptureFixture) -> None:
    error = _error(make_pool(password=SECRET))
    assert type(error) is LoginRefused
    assert isinstance(error.__cause__, psycopg2.OperationalError)
    assert "LoginRefused: the database postgres@127.0.0.1:" in caplog.text
    assert "password authentication failed" in caplog.text
    assert SECRET not in caplog.text + repr(error) + repr(error.__cause__)


def test_a_database_that_is_not_there(make_pool: Make) -> None:
    assert type(_error(make_pool(dbname="not_there"))) is LoginRefused


@pytest.fixture
def crowded(witness: Witness, make_pool: Make) -> Iterator[ConnectionPool]:
    """A pool of 10 whose role may have two connections."""
    witness.sql("CREATE ROLE crowded LOGIN PASSWORD 'crowded' CONNECTION LIMIT 2")
    pool = make_pool(user="crowded", password="crowded", timeout=5.0)
    yield pool
    pool.close()
    eventually(lambda: not witness.backends(pool))
    witness.sql("DROP ROLE crowded")


def test_too_many_connections(crowded: ConnectionPool, witness: Witness) -> None:
    witness.sql("ALTER ROLE crowded CONNECTION LIMIT 0")
    assert type(_error(crowded)) is TooManyConnections


def test_those_who_are_in_share_what_they_have(crowded: ConnectionPool) -> None:
    filled(crowded)
    with crowded.connection():
        borrowed = [timed(lambda: borrow(crowded, "SELECT 1")) for _ in range(5)]
    assert [result for _, result in borrowed] == [1] * 5


def test_a_probe_that_is_refused_is_an_answer(witness: Witness, make_pool: Make) -> None:
    witness.sql("CREATE ROLE single LOGIN PASSWORD 'single' CONNECTION LIMIT 1")
    pool = filled(make_pool(user="single", password="single", min_size=1, max_size=1))
    assert borrow(pool, "SELECT 1 FROM pg_sleep(2.5)") == 1
    pool.close()
    eventually(lambda: not witness.backends(pool))
    witness.sql("DROP ROLE single")
    assert pool.get_stats()["connections_num"] > 1
    assert pool.get_stats()["connections_errors"] == 0


def test_a_password_changed_meanwhile_ends_nothing_that_is_open(make_pool: Make, witness: Witness) -> None:
    witness.sql("CREATE ROLE rotated LOGIN PASSWORD 'before'")
    pool = filled(make_pool(user="rotated", password="before"))
    witness.sql("ALTER ROLE rotated PASSWORD 'after'")
    assert borrow(pool, "SELECT 1") == 1
    pool.close()
    eventually(lambda: not witness.backends(pool))
    witness.sql("DROP ROLE rotated")


def test_parameters_are_asked_for_at_each_new_connection(make_pool: Make) -> None:
    asked: list[int] = []
    parameters = make_pool().parameters

    def ask() -> dict[str, object]:
        asked.append(1)
        return dict(parameters())

    pool = filled(ConnectionPool(ask, min_size=3))
    assert len(asked) == 3
    pool.close()


def test_a_server_that_nobody_serves(make_pool: Make) -> None:
    assert type(_error(make_pool(port=1))) is ConnectionUnavailable


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("FATAL:  the database system is starting up", ServerStarting),
        ("FATAL:  the database system is shutting down", ServerStarting),
        ("FATAL:  the database system is in recovery mode", ServerStarting),
        ("FATAL:  the database system is not yet accepting connections", ServerStarting),
        ("FATAL:  sorry, too many clients already", TooManyConnections),
        ("FATAL:  remaining connection slots are reserved for roles", TooManyConnections),
        ("FATAL:  no pg_hba.conf entry for host", LoginRefused),
        ("FATAL:  pg_hba.conf rejects connection for host", LoginRefused),
        ("FATAL:  permission denied for database", LoginRefused),
        ('FATAL:  database "a" is not currently accepting connections', LoginRefused),
        ('FATAL:  database "a" does not exist', LoginRefused),
        ('root certificate file "a" does not exist', ConnectionUnavailable),
        ("could not translate host name", ConnectionUnavailable),
    ],
)
def test_the_servers_words_are_understood(words: str, kind: type[ConnectionUnavailable]) -> None:
    assert classify(words) is kind


# --- configure ----------------------------------------------------------------------------------


class _UnsafeRoleError(Exception):
    """What an application raises when it is logged in as too strong a role."""


def _refuse(_: Connection) -> None:
    raise _UnsafeRoleError("postgres may bypass policies.")


def test_what_configure_raises_is_the_cause(make_pool: Make) -> None:
    error = _error(make_pool(configure=_refuse))
    assert type(error) is ConfigureFailed
    assert type(error.__cause__) is _UnsafeRoleError
    assert "_UnsafeRoleError: postgres may bypass policies. Correct" in str(error)


def test_and_one_line_in_five_seconds(
    make_pool: Make, caplog: pytest.LogCaptureFixture, witness: Witness
) -> None:
    pool = make_pool(configure=_refuse)
    ends = time.monotonic() + 3
    while time.monotonic() < ends:
        together(5, pool.getconn)
    assert [line.exc_info for line in caplog.records if line.levelno >= logging.WARNING] == [None]
    assert pool.get_stats()["connections_num"] < 10
    eventually(lambda: not witness.backends(pool))


def test_what_it_leaves_unfit_for_lending_is_told(make_pool: Make) -> None:
    error = _error(make_pool(configure=lambda conn: run(conn, "BEGIN")))
    assert "Leave it idle, in autocommit and in UTF8" in str(error)


# --- read-only ----------------------------------------------------------------------------------


def test_a_connection_that_became_read_only_is_replaced(make_pool: Make) -> None:
    pool = filled(make_pool(min_size=1, max_size=1))
    with pool.connection() as conn:
        before = run(conn, "SET default_transaction_read_only = on", "SELECT pg_backend_pid()")
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
            run(conn, "CREATE TABLE never_there (a int)")
    assert borrow(pool, "SELECT pg_backend_pid()") != before


def test_a_transaction_declared_read_only_costs_no_connection(make_pool: Make) -> None:
    pool = filled(make_pool(min_size=1, max_size=1))
    with pool.connection() as conn:
        before = run(conn, "SELECT pg_backend_pid()")
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
            run(conn, "BEGIN READ ONLY", "CREATE TABLE never_there (a int)")
        run(conn, "ROLLBACK")
    assert borrow(pool, "SELECT pg_backend_pid()") == before


@pytest.fixture
def read_only(witness: Witness) -> Iterator[Witness]:
    """Makes the server refuse writes, as one that lost its primary does; afterwards it takes them again."""
    yield witness
    witness.sql("SET default_transaction_read_only = off")
    witness.sql("ALTER SYSTEM RESET default_transaction_read_only")
    witness.sql("SELECT pg_reload_conf()")


def _make_read_only(witness: Witness) -> None:
    witness.sql("ALTER SYSTEM SET default_transaction_read_only = on")
    witness.sql("SELECT pg_reload_conf()")


def _write(pool: ConnectionPool) -> None:
    with pool.connection() as conn, pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        run(conn, "CREATE TABLE never_there (a int)")


def test_the_first_refused_write_replaces_every_connection(make_pool: Make, read_only: Witness) -> None:
    pool = filled(make_pool(min_size=3, max_size=3))
    _make_read_only(read_only)
    eventually(lambda: borrow(pool, "SHOW default_transaction_read_only") == "on")
    before = read_only.backends(pool)
    _write(pool)
    eventually(lambda: len(set(read_only.backends(pool)) - set(before)) == 3)


def test_a_read_only_server_is_not_stormed_by_log_ins(make_pool: Make, read_only: Witness) -> None:
    pool = filled(make_pool(min_size=4, max_size=4))
    _make_read_only(read_only)
    eventually(lambda: borrow(pool, "SHOW default_transaction_read_only") == "on")
    before, ends, writes = pool.get_stats()["connections_num"], time.monotonic() + 4, 0
    while time.monotonic() < ends:
        _write(pool)
        writes += 1
        assert borrow(pool, "SELECT 1") == 1
    # all four once, then one for each step of the pace
    assert 6 <= pool.get_stats()["connections_num"] - before <= 4 + 9
    assert writes > 50


def test_once_the_primary_is_found_all_connections_move_to_it(make_pool: Make) -> None:
    options = {"options": "-c default_transaction_read_only=on"}
    parameters = make_pool().parameters
    pool = ConnectionPool(lambda: {**parameters(), **options}, min_size=3, max_size=3)
    filled(pool)
    _write(pool)
    filled(pool)
    options.clear()  # from now on a log-in reaches the new primary
    time.sleep(0.3)
    _write(pool)
    eventually(lambda: [conn.takes_writes() for conn in pool._state.idle] == [True] * 3)
    pool.close()


# --- the log ------------------------------------------------------------------------------------


def test_an_outage_is_one_line_in_five_seconds(make_pool: Make, caplog: pytest.LogCaptureFixture) -> None:
    pool = make_pool(port=1)
    ends = time.monotonic() + 3
    while time.monotonic() < ends:
        timed(pool.getconn)
    assert len([line for line in caplog.records if line.levelno >= logging.WARNING]) == 1


def test_each_subject_is_logged_again_after_a_while(caplog: pytest.LogCaptureFixture) -> None:
    times = iter((100.0, 101.0, 100.0 + LOG_INTERVAL, 101.0))
    warnings = RateLimitedLog(lambda: next(times))
    for _ in range(3):
        warnings.emit("one", "it broke")
    warnings.emit("another", "it broke too")
    assert [line.message for line in caplog.records] == ["one: it broke"] * 2 + ["another: it broke too"]


def _error(pool: ConnectionPool) -> PoolError:
    _, error = timed(pool.getconn)
    assert isinstance(error, ConnectionUnavailable)
    return error
