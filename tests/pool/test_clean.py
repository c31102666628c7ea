"""Promise 9: what comes back is clean before anybody else has it."""

from collections.abc import Callable
from typing import Any

import psycopg2.extras
import pytest

from app.pool import Pool
from app.pool.connection import RESET
from tests.pool.conftest import Make, Witness, borrow, eventually, filled

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


def _in_transaction(pool: Pool, sql: str) -> Any:
    with pool.atomic():
        return pool.execute_sql(sql).fetchone()[0]


ASK: dict[str, Callable[[Pool, str], Any]] = {
    "through Peewee": lambda pool, sql: pool.execute_sql(sql).fetchone()[0],
    "in a transaction": _in_transaction,
    "through a raw cursor": lambda pool, sql: _first(pool.connection().cursor(), sql),
    "as bytes": lambda pool, sql: _first(pool.connection().cursor(), sql.encode()),
    "as composed SQL": lambda pool, sql: _first(pool.connection().cursor(), psycopg2.sql.SQL(sql)),
    "through a cursor of another class": lambda pool, sql: _first(
        pool.connection().cursor(cursor_factory=psycopg2.extensions.cursor), sql
    ),
    "through a server-side cursor": lambda pool, sql: _first(
        pool.connection().cursor("s", withhold=True), sql
    ),
}


@pytest.fixture
def single(make_pool: Make) -> Pool:
    """A pool of one connection: whoever comes next has the one before."""
    return filled(make_pool(min_connections=1, max_connections=1))


@pytest.mark.parametrize("dirt", DIRT)
def test_the_next_borrower_finds_nothing_left(single: Pool, dirt: str) -> None:
    leave, look = DIRT[dirt]
    borrow(single, leave)
    assert borrow(single, look) is False


@pytest.mark.parametrize("dirt", DIRT)
def test_in_one_and_the_same_loan_it_is_there(single: Pool, dirt: str) -> None:
    leave, look = DIRT[dirt]
    assert borrow(single, leave, look) is True


@pytest.mark.parametrize("way", ASK)
def test_however_the_next_one_asks(single: Pool, way: str) -> None:
    borrow(single, "SET work_mem = '1MB'")
    single.connect()
    assert ASK[way](single, "SELECT current_setting('work_mem')") == "4MB"
    single.close()


def test_a_rollback_does_not_bring_it_back(single: Pool) -> None:
    borrow(single, "SET work_mem = '1MB'")
    single.connect()
    with single.atomic() as transaction:
        transaction.rollback()
    assert single.execute_sql("SHOW work_mem").fetchone() == ("4MB",)
    single.close()


def test_an_error_in_the_first_statement_does_not_either(single: Pool) -> None:
    borrow(single, "SET work_mem = '1MB'")
    single.connect()
    with pytest.raises(Exception, match="division"):
        single.execute_sql("SELECT 1 / 0")
    assert single.execute_sql("SHOW work_mem").fetchone() == ("4MB",)
    single.close()


def test_at_rest_it_is_cleaned_by_itself(single: Pool, witness: Witness) -> None:
    borrow(single, "SELECT pg_advisory_lock(42)")
    held = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 42"
    assert eventually(lambda: not witness.sql(held)) < 1


def test_an_open_transaction_ends_with_its_loan(single: Pool, witness: Witness) -> None:
    borrow(single, "BEGIN", "CREATE TABLE never_there (a int)")
    assert borrow(single, "SELECT to_regclass('never_there') IS NULL") is True
    assert single.stats()["returns_bad"] == 1


def test_a_connection_out_of_autocommit_is_not_lent_again(single: Pool) -> None:
    single.connect()
    single.connection().autocommit = False
    single.close()
    assert borrow(single, "SELECT 1") == 1
    assert single.stats()["returns_bad"] == 1


def test_cleaning_costs_no_message_of_its_own(single: Pool) -> None:
    borrow(single, "SELECT 1")
    assert borrow(single, "SELECT current_query()").startswith(RESET)


def test_an_unused_connection_needs_no_cleaning(single: Pool) -> None:
    borrow(single)
    assert borrow(single, "SELECT current_query()") == "SELECT current_query()"
