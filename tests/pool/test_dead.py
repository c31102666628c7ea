"""Promises 5 and 12: a dead connection is never handed out, and the first error is the one to see."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import peewee
import pytest

from app.pool import Pool
from dev.cluster import Cluster
from tests.faults.freeze import frozen
from tests.faults.proxy import Proxy
from tests.pool.conftest import Make, Witness, borrow, eventually, filled, timed, together

SLEEPING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'"


def test_one_killed_at_rest_is_never_noticed(pool: Pool, witness: Witness) -> None:
    witness.kill(borrow(pool, "SELECT pg_backend_pid()"))
    assert borrow(pool, "SELECT 1") == 1
    assert pool.stats()["connections_lost"] == 1


def test_all_killed_at_rest_are_never_noticed(pool: Pool, witness: Witness) -> None:
    together(6, lambda: borrow(pool, "SELECT pg_sleep(0.2)"))
    dead = witness.backends(pool)
    witness.kill(*dead)
    waits = together(6, lambda: borrow(pool, "SELECT 1"))
    assert [result for _, result in waits] == [1] * 6
    assert pool.stats()["connections_lost"] == len(dead)


def test_killed_again_and_again_under_load_none_fails_at_check_out(pool: Pool, witness: Witness) -> None:
    for _ in range(20):
        witness.kill(*witness.backends(pool))
        assert borrow(pool, "SELECT 1") == 1


def test_finding_out_costs_no_round_trip(pool: Pool, running: Cluster) -> None:
    with frozen(running):
        seconds, error = timed(lambda: borrow(pool))
    assert error is None
    assert seconds < 0.01


def test_a_connection_reset_by_the_network_is_dead_too(make_pool: Make, network: Proxy) -> None:
    pool = filled(make_pool(port=network.local_port))
    network.reset()
    assert borrow(pool, "SELECT 1") == 1


def test_a_server_that_was_restarted_meanwhile_is_not_noticed(pool: Pool, running: Cluster) -> None:
    running.stop()
    running.start()
    time.sleep(2.1)  # while it was down the pool may have tried; its longest pause
    assert borrow(pool, "SELECT 1") == 1


def test_killed_under_a_statement_only_that_one_fails(pool: Pool, witness: Witness) -> None:
    with ThreadPoolExecutor(1) as aside:
        victim = aside.submit(timed, lambda: borrow(pool, "SELECT 'victim' FROM pg_sleep(5)"))
        eventually(lambda: bool(witness.sql(SLEEPING)))
        witness.kill(*[pid for (pid,) in witness.sql(SLEEPING)])
        others = together(4, lambda: borrow(pool, "SELECT 1"))
        assert isinstance(victim.result()[1], peewee.OperationalError)
    assert [result for _, result in others] == [1] * 4


def test_killed_in_a_transaction_reports_that(pool: Pool, witness: Witness) -> None:
    with pytest.raises(peewee.OperationalError, match="closed the connection"):
        _die(pool, witness, depth=1, then="SELECT 1")
    pool.close()


def test_killed_in_a_nested_transaction_reports_that(pool: Pool, witness: Witness) -> None:
    with pytest.raises(peewee.OperationalError, match="closed the connection"):
        _die(pool, witness, depth=3, then="SELECT 1")
    pool.close()
    assert borrow(pool, "SELECT 1") == 1


def test_killed_before_its_commit_reports_that(pool: Pool, witness: Witness) -> None:
    with pytest.raises(peewee.OperationalError, match="closed the connection"):
        _die(pool, witness, depth=1)
    pool.close()


def test_an_error_of_the_program_is_not_hidden_either(pool: Pool, witness: Witness) -> None:
    with pytest.raises(ZeroDivisionError), pool.connection_context():
        _fail_after_dying(pool, witness)


def _die(pool: Pool, witness: Witness, depth: int, then: str = "") -> None:
    with ExitStack() as blocks:
        for _ in range(depth):
            blocks.enter_context(pool.atomic())
        witness.kill(pool.execute_sql("SELECT pg_backend_pid()").fetchone()[0])
        if then:
            pool.execute_sql(then)


def _fail_after_dying(pool: Pool, witness: Witness) -> None:
    with pool.atomic(), pool.atomic():
        witness.kill(pool.execute_sql("SELECT pg_backend_pid()").fetchone()[0])
        raise ZeroDivisionError
