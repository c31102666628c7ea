"""Promises 5 and 12: a dead connection is never handed out, and the first error is the one to see."""

import time
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest

from app.pool import Connection, ConnectionPool
from dev.cluster import Cluster
from tests.faults.freeze import frozen
from tests.faults.proxy import Proxy
from tests.pool.conftest import Make, Witness, borrow, eventually, filled, run, timed, together

SLEEPING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'"


def test_one_killed_at_rest_is_never_noticed(pool: ConnectionPool, witness: Witness) -> None:
    witness.kill(borrow(pool, "SELECT pg_backend_pid()"))
    assert borrow(pool, "SELECT 1") == 1
    assert pool.get_stats()["connections_lost"] == 1


def test_all_killed_at_rest_are_never_noticed(pool: ConnectionPool, witness: Witness) -> None:
    together(6, lambda: borrow(pool, "SELECT pg_sleep(0.2)"))
    dead = witness.backends(pool)
    witness.kill(*dead)
    waits = together(6, lambda: borrow(pool, "SELECT 1"))
    assert [result for _, result in waits] == [1] * 6
    assert pool.get_stats()["connections_lost"] == len(dead)


def test_killed_again_and_again_under_load_none_fails_at_check_out(
    pool: ConnectionPool, witness: Witness
) -> None:
    for _ in range(20):
        witness.kill(*witness.backends(pool))
        assert borrow(pool, "SELECT 1") == 1


def test_finding_out_costs_no_round_trip(pool: ConnectionPool, running: Cluster) -> None:
    with frozen(running):
        seconds, error = timed(lambda: borrow(pool))
    assert error is None
    assert seconds < 0.2


def test_a_connection_reset_by_the_network_is_dead_too(make_pool: Make, network: Proxy) -> None:
    pool = filled(make_pool(port=network.local_port))
    network.reset()
    assert borrow(pool, "SELECT 1") == 1


def test_a_server_that_was_restarted_meanwhile_is_not_noticed(pool: ConnectionPool, running: Cluster) -> None:
    running.stop()
    running.start()
    time.sleep(2.1)  # while it was down the pool may have tried; its longest pause
    assert borrow(pool, "SELECT 1") == 1


def test_killed_under_a_statement_only_that_one_fails(pool: ConnectionPool, witness: Witness) -> None:
    with ThreadPoolExecutor(1) as thread:
        victim = thread.submit(timed, lambda: borrow(pool, "SELECT 'victim' FROM pg_sleep(5)"))
        eventually(lambda: bool(witness.sql(SLEEPING)))
        witness.kill(*[pid for (pid,) in witness.sql(SLEEPING)])
        others = together(4, lambda: borrow(pool, "SELECT 1"))
        assert isinstance(victim.result()[1], psycopg2.OperationalError)
    assert [result for _, result in others] == [1] * 4


@pytest.mark.parametrize("then", ["SELECT 1", "COMMIT", "ROLLBACK"])
def test_killed_in_a_transaction_reports_that(pool: ConnectionPool, witness: Witness, then: str) -> None:
    with pool.connection() as conn:
        witness.kill(run(conn, "BEGIN", "SELECT pg_backend_pid()"))
        with pytest.raises(psycopg2.OperationalError, match="closed the connection"):
            run(conn, then)
    assert borrow(pool, "SELECT 1") == 1
    assert pool.get_stats()["returns_bad"] == 1


def test_an_error_of_the_program_is_not_hidden_either(pool: ConnectionPool, witness: Witness) -> None:
    with pytest.raises(ZeroDivisionError):
        _fail_after_dying(pool, witness)


def _fail_after_dying(pool: ConnectionPool, witness: Witness) -> None:
    with pool.connection() as conn:
        witness.kill(run(conn, "BEGIN", "SELECT pg_backend_pid()"))
        raise ZeroDivisionError


def test_the_borrower_can_tell_that_it_broke_under_a_statement(
    pool: ConnectionPool, witness: Witness
) -> None:
    with pool.connection() as conn:
        with pytest.raises(psycopg2.errors.DivisionByZero):
            run(conn, "SELECT 1 / 0")
        assert not conn.closed
        witness.kill(run(conn, "SELECT pg_backend_pid()"))
        with pytest.raises(psycopg2.OperationalError):
            run(conn, "SELECT 1")
        assert conn.closed
        assert not conn.aborted


def test_a_check_of_ones_own_decides(make_pool: Make) -> None:
    refused: list[Connection] = []
    pool = filled(make_pool(min_size=1, check=lambda conn: bool(refused) or refused.append(conn) or False))
    assert borrow(pool, "SELECT 1") == 1
    assert refused[0].closed
    assert pool.get_stats()["connections_lost"] == 1
