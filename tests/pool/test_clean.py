"""Promise 9: what comes back is clean before anybody else has it."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from typing import Any

import psycopg2.errors
import psycopg2.extensions
import psycopg2.extras
import pytest

from app.pool import RESET, Connection, ConnectionPool
from tests.pool.conftest import Make, NoThreads, Witness, borrow, eventually, filled, run

DIRT = {
    "a setting": ("SET work_mem = '1MB'", "SELECT current_setting('work_mem') = '1MB'"),
    "a custom setting": (
        "SELECT set_config('app.tenant_id', 'somebody', false)",
        "SELECT current_setting('app.tenant_id', true) = 'somebody'",
    ),
    "a time zone": ("SET TIME ZONE 'Asia/Tokyo'", "SELECT current_setting('TimeZone') <> 'UTC'"),
    "a date style": ("SET DateStyle = 'German'", "SELECT left(current_setting('DateStyle'), 3) <> 'ISO'"),
    "an encoding": ("SET client_encoding = 'LATIN1'", "SELECT current_setting('client_encoding') <> 'UTF8'"),
    "a read-only session": (
        "SET default_transaction_read_only = on",
        "SELECT current_setting('default_transaction_read_only') = 'on'",
    ),
    "a role": ("SET ROLE pg_monitor", "SELECT current_user = 'pg_monitor'"),
    "a temporary table": (
        "CREATE TEMP TABLE left_over (a int)",
        "SELECT to_regclass('left_over') IS NOT NULL",
    ),
    "an advisory lock": (
        "SELECT pg_advisory_lock(42)",
        "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())",
    ),
    "a prepared statement": (
        "PREPARE left_over AS SELECT 1",
        "SELECT EXISTS (SELECT FROM pg_prepared_statements)",
    ),
    "a cursor": ("DECLARE left_over CURSOR WITH HOLD FOR SELECT 1", "SELECT EXISTS (SELECT FROM pg_cursors)"),
    "a channel": ("LISTEN left_over", "SELECT EXISTS (SELECT pg_listening_channels())"),
}


def _first(cursor: Any, sql: Any) -> Any:
    cursor.execute(sql)
    return cursor.fetchone()[0]


def _in_transaction(conn: Connection, sql: str) -> Any:
    run(conn, "BEGIN")
    found = run(conn, sql)
    run(conn, "COMMIT")
    return found


def _copied(conn: Connection, sql: str) -> str:
    target = StringIO()
    conn.cursor().copy_expert(f"COPY ({sql}) TO STDOUT", target)
    return target.getvalue().strip()


ASK: dict[str, Callable[[Connection, str], Any]] = {
    "with a cursor": run,
    "in a transaction": _in_transaction,
    "as bytes": lambda conn, sql: _first(conn.cursor(), sql.encode()),
    "as composed SQL": lambda conn, sql: _first(conn.cursor(), psycopg2.sql.SQL(sql)),
    "with a cursor of another class": lambda conn, sql: _first(
        conn.cursor(cursor_factory=psycopg2.extensions.cursor), sql
    ),
    "with a server-side cursor": lambda conn, sql: _first(conn.cursor("s", withhold=True), sql),
    "by COPY": _copied,
}


@pytest.fixture
def single(make_pool: Make) -> ConnectionPool:
    """A pool of one connection: whoever comes next has the one before."""
    return filled(make_pool(min_size=1, max_size=1))


@pytest.mark.parametrize("dirt", DIRT)
def test_the_next_borrower_finds_nothing_left(single: ConnectionPool, dirt: str) -> None:
    leave, look = DIRT[dirt]
    borrow(single, leave)
    assert borrow(single, look) is False


@pytest.mark.parametrize("dirt", DIRT)
def test_in_one_and_the_same_loan_it_is_there(single: ConnectionPool, dirt: str) -> None:
    leave, look = DIRT[dirt]
    assert borrow(single, leave, look) is True


@pytest.mark.parametrize("way", ASK)
def test_however_the_next_one_asks(single: ConnectionPool, way: str) -> None:
    borrow(single, "SET work_mem = '1MB'")
    with single.connection() as conn:
        assert ASK[way](conn, "SELECT current_setting('work_mem')") == "4MB"


def test_a_rollback_does_not_bring_it_back(single: ConnectionPool) -> None:
    borrow(single, "SET work_mem = '1MB'")
    with single.connection() as conn:
        run(conn, "BEGIN", "ROLLBACK")
        assert run(conn, "SHOW work_mem") == "4MB"


def test_an_error_in_the_first_statement_does_not_either(single: ConnectionPool) -> None:
    borrow(single, "SET work_mem = '1MB'")
    with single.connection() as conn:
        with pytest.raises(Exception, match="division"):
            run(conn, "SELECT 1 / 0")
        assert run(conn, "SHOW work_mem") == "4MB"


def test_at_rest_it_is_cleaned_by_itself(single: ConnectionPool, witness: Witness) -> None:
    borrow(single, "SELECT pg_advisory_lock(42)")
    held = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 42"
    assert eventually(lambda: not witness.sql(held)) < 1


def test_an_open_transaction_ends_with_its_loan(single: ConnectionPool, witness: Witness) -> None:
    borrow(single, "BEGIN", "CREATE TABLE never_there (a int)")
    assert borrow(single, "SELECT to_regclass('never_there') IS NULL") is True
    assert single.get_stats()["returns_bad"] == 1


def test_a_connection_out_of_autocommit_is_not_lent_again(single: ConnectionPool) -> None:
    with single.connection() as conn:
        conn.autocommit = False
    assert borrow(single, "SELECT 1") == 1
    assert single.get_stats()["returns_bad"] == 1


def test_one_declared_invalid_is_not_either(single: ConnectionPool) -> None:
    before = borrow(single, "SELECT pg_backend_pid()")
    with single.connection() as conn:
        conn.invalidated = True
    assert borrow(single, "SELECT pg_backend_pid()") != before


def test_the_reset_costs_no_message_of_its_own(single: ConnectionPool) -> None:
    borrow(single, "SELECT 1")
    assert borrow(single, "SELECT current_query()").startswith(RESET)


def test_an_unused_connection_needs_no_reset(single: ConnectionPool) -> None:
    borrow(single)
    assert borrow(single, "SELECT current_query()") == "SELECT current_query()"


def test_after_a_statement_known_to_leave_nothing_none_is_sent(single: ConnectionPool) -> None:
    for _ in range(3):
        with single.connection() as conn:
            before = conn.needs_reset
            assert run(conn, "SELECT current_query()") == "SELECT current_query()"
            conn.needs_reset = before


def test_what_was_left_before_that_statement_is_reset_all_the_same(single: ConnectionPool) -> None:
    with single.connection() as conn:
        run(conn, "SET work_mem = '1MB'")
        before = conn.needs_reset
        run(conn, "SELECT 1")
        conn.needs_reset = before
    assert borrow(single, "SHOW work_mem") == "4MB"


def test_a_pool_without_reset_sends_none(make_pool: Make) -> None:
    pool = filled(make_pool(min_size=1, max_size=1, reset=""))
    borrow(pool, "SELECT 1")
    assert borrow(pool, "SELECT current_query()") == "SELECT current_query()"


def test_resets_go_on_after_there_were_no_threads_for_them(
    single: ConnectionPool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("app.pool.maintenance.threading.Thread", NoThreads)
        borrow(single, "SELECT 1")
        time.sleep(0.6)
        assert _pending(single) == [True]
    eventually(lambda: _pending(single) == [False])
    assert "stumbled" not in caplog.text


def test_a_reset_that_fails_strangely_strands_nothing(
    single: ConnectionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Connection, "reset_now", _stumble)
    before = borrow(single, "SELECT pg_backend_pid()")
    eventually(lambda: single.get_stats()["connections_lost"] == 1)
    monkeypatch.undo()
    assert borrow(single, "SELECT pg_backend_pid()") != before
    assert single.get_stats()["pool_size"] == 1


def _stumble(_: Connection) -> None:
    raise ZeroDivisionError


def _pending(pool: ConnectionPool) -> list[bool]:
    return [conn.reset_pending for conn in pool._state.idle]


def test_a_servers_cursor_that_was_kept_says_nothing_in_the_next_loan(single: ConnectionPool) -> None:
    with single.connection() as conn:
        conn.cursor().execute("BEGIN")
        kept = conn.cursor("kept", withhold=True)
        kept.execute("SELECT generate_series(1, 10)")
        conn.cursor().execute("COMMIT")
    with single.connection() as conn:
        conn.cursor().execute("BEGIN")
        kept.close()
        with pytest.raises(psycopg2.InterfaceError, match="returned"):
            kept.fetchone()
        conn.cursor().execute("SELECT 1")
        conn.cursor().execute("ROLLBACK")


def test_a_reset_that_is_cancelled_leaves_no_transaction(single: ConnectionPool, witness: Witness) -> None:
    borrow(single, "SET search_path TO pg_catalog")
    (backend,) = witness.backends(single)
    with single.connection() as conn, ThreadPoolExecutor(1) as aside:
        conn.reset_sql = "BEGIN; SELECT pg_sleep(30); COMMIT;"
        asked = aside.submit(conn.cursor().execute, "SELECT 1")
        asleep = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'"
        eventually(lambda: bool(witness.sql(asleep, backend)), within=10)
        witness.sql("SELECT pg_cancel_backend(%s)", backend)
        with pytest.raises(psycopg2.errors.QueryCanceled):
            asked.result()
        assert conn.get_transaction_status() == psycopg2.extensions.TRANSACTION_STATUS_IDLE
