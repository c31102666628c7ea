"""Promise 6: every statement ends in time, and only the one that took too long."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from typing import Any

import psycopg2
import pytest

from app.pool import Connection
from app.pool.connection import ABORT_AFTER, CANCEL_AFTER
from app.pool.maintenance import TICK
from dev.cluster import Cluster
from tests.faults.freeze import frozen, frozen_backend, frozen_postmaster
from tests.faults.proxy import Proxy
from tests.pool.conftest import (
    SLACK,
    Make,
    NoThreads,
    Witness,
    borrow,
    eventually,
    filled,
    greet,
    run,
    timed,
)


def test_a_statement_on_a_frozen_backend_ends(make_pool: Make) -> None:
    pool = filled(make_pool(statement_timeout=1.0))
    with pool.connection() as conn:
        pid = run(conn, "SELECT pg_backend_pid()")
        with frozen_backend(pid):
            seconds, error = timed(lambda: run(conn, "SELECT 1"))
        assert isinstance(error, psycopg2.OperationalError)
        assert conn.aborted
    assert 1.7 <= seconds <= 1.8 + SLACK
    assert pool.get_stats()["returns_bad"] == 1


def test_one_that_takes_too_long_is_cancelled_and_its_connection_stays(make_pool: Make) -> None:
    pool = filled(make_pool(min_size=1, max_size=1, statement_timeout=0.3))
    with pool.connection() as conn:
        with pytest.raises(psycopg2.errors.QueryCanceled) as caught:
            run(conn, "SELECT pg_sleep(20)")
        assert caught.value.pgcode == "57014"
        assert run(conn, "SELECT 1") == 1
    assert pool.get_stats()["returns_bad"] == 0
    assert pool.get_stats()["connections_errors"] == 0


def test_a_cancelled_write_is_not_done(make_pool: Make, witness: Witness) -> None:
    pool = filled(make_pool(min_size=1, max_size=1, statement_timeout=0.3))
    borrow(pool, "CREATE TABLE slow_write (a int)")
    with pytest.raises(psycopg2.errors.QueryCanceled):
        borrow(pool, "INSERT INTO slow_write SELECT 1 FROM pg_sleep(20)")
    assert witness.sql("SELECT count(*) FROM slow_write") == [(0,)]
    witness.sql("DROP TABLE slow_write")


def test_the_session_says_how_long_a_statement_may_take(make_pool: Make) -> None:
    def patient(conn: Connection) -> None:
        greet(conn)
        conn.statement_timeout = 60.0

    pool = filled(make_pool(min_size=1, max_size=1, statement_timeout=0.1, configure=patient))
    assert borrow(pool, "SELECT 1 FROM pg_sleep(1.5)") == 1
    assert pool.get_stats()["connections_errors"] == 0


def test_a_borrower_may_allow_more_for_his_own_loan(make_pool: Make) -> None:
    pool = filled(make_pool(min_size=1, max_size=1, statement_timeout=0.2))
    with pool.connection() as conn:
        conn.statement_timeout = 60.0
        assert run(conn, "SELECT 1 FROM pg_sleep(1.5)") == 1
    with pytest.raises(psycopg2.errors.QueryCanceled):
        borrow(pool, "SELECT 1 FROM pg_sleep(20)")


def test_a_cancellation_stops_no_other_thread(make_pool: Make, running: Cluster) -> None:
    pool = filled(make_pool(statement_timeout=0.2))
    with ThreadPoolExecutor(1) as threads:
        with frozen(running):
            work = threads.submit(timed, lambda: borrow(pool, "SELECT 1"))
            pauses = _longest_pause_while(lambda: not work.done())
        assert isinstance(work.result()[1], psycopg2.OperationalError)
    assert pauses < 0.5


def _longest_pause_while(going: Callable[[], bool]) -> float:
    longest, last = 0.0, time.monotonic()
    while going():
        time.sleep(0.01)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    return longest


def test_a_cancellation_that_comes_late_hits_no_later_statement(make_pool: Make, running: Cluster) -> None:
    _cancel_late(make_pool, running, rounds=5)


def test_without_waiting_for_it_it_would(
    make_pool: Make, running: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Connection, "_await_cancellation", lambda conn: setattr(conn, "cancellation", None))
    with pytest.raises(psycopg2.errors.QueryCanceled):
        _cancel_late(make_pool, running, rounds=50)


def _cancel_late(make_pool: Make, running: Cluster, rounds: int) -> None:
    """Let a statement's answer and its cancellation be on their way at once, then send another statement."""
    pool = filled(make_pool(min_size=1, max_size=1, statement_timeout=0.2))
    for _ in range(rounds):
        with pool.connection() as conn:
            with frozen(running):
                first = threading.Thread(target=timed, args=(lambda: run(conn, "SELECT 1"),))
                first.start()
                eventually(lambda: conn.cancellation is not None)
            first.join()
            if not conn.closed:
                assert run(conn, "SELECT 1 FROM pg_sleep(0.1)") == 1


def test_without_threads_to_cancel_it_is_aborted(make_pool: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = filled(make_pool(min_size=1, max_size=1, statement_timeout=0.2))
    with pool.connection() as conn:
        monkeypatch.setattr("app.pool.connection.threading.Thread", NoThreads)
        with pytest.raises(psycopg2.OperationalError):
            run(conn, "SELECT pg_sleep(20)")
        assert conn.aborted
        monkeypatch.undo()


SENDS: dict[str, Callable[[Any], Any]] = {
    "fetch one": lambda cursor: cursor.fetchone(),
    "fetch many": lambda cursor: cursor.fetchmany(2),
    "fetch all": lambda cursor: cursor.fetchall(),
    "iterate": next,
    "scroll": lambda cursor: cursor.scroll(1),
    "close": lambda cursor: cursor.close(),
}


@pytest.mark.parametrize("send", SENDS.values(), ids=SENDS)
def test_a_server_side_cursor_ends_too(make_pool: Make, network: Proxy, send: Callable[[Any], Any]) -> None:
    pool = filled(make_pool(port=network.local_port, statement_timeout=0.5))
    with pool.connection() as conn:
        cursor = conn.cursor(name="named", withhold=True)
        cursor.execute("SELECT generate_series(1, 9)")
        network.hold()
        seconds, error = timed(lambda: send(cursor))
    assert isinstance(error, psycopg2.OperationalError)
    assert 1.2 <= seconds <= 1.3 + SLACK


def test_copy_ends_too(make_pool: Make, network: Proxy) -> None:
    pool = filled(make_pool(port=network.local_port, statement_timeout=0.5))
    with pool.connection() as conn:
        network.hold()
        copy = "COPY (SELECT 1) TO STDOUT"
        seconds, error = timed(lambda: conn.cursor().copy_expert(copy, StringIO()))
    assert isinstance(error, psycopg2.OperationalError)
    assert 1.2 <= seconds <= 1.3 + SLACK


def test_a_commit_outside_autocommit_ends_too(make_pool: Make, network: Proxy) -> None:
    pool = filled(make_pool(port=network.local_port, statement_timeout=0.5))
    with pool.connection() as conn:
        conn.autocommit = False
        run(conn, "SELECT 1")
        network.hold()
        seconds, error = timed(conn.commit)
    assert isinstance(error, psycopg2.OperationalError)
    assert 1.2 <= seconds <= 1.3 + SLACK


def test_a_server_that_answers_others_is_not_silent(make_pool: Make, running: Cluster) -> None:
    pool = filled(make_pool(min_size=2, max_size=3, timeout=1.0, statement_timeout=20.0))
    with ThreadPoolExecutor(1) as threads, frozen_postmaster(running):
        slow = threads.submit(borrow, pool, "SELECT 1 FROM pg_sleep(4)")
        time.sleep(0.2)
        with pool.connection():
            timed(lambda: pool.getconn(0.1))  # nobody gets in: the attempt is silent
        while not slow.done():
            borrow(pool, "SELECT 1")
            time.sleep(0.05)
        assert slow.result() == 1


def test_a_slow_statement_within_its_time_is_left_alone(make_pool: Make) -> None:
    pool = filled(make_pool(statement_timeout=1.0))
    assert borrow(pool, "SELECT 1 FROM pg_sleep(0.9)") == 1


def test_a_statement_in_a_loop_of_many_has_its_own_time(make_pool: Make) -> None:
    pool = filled(make_pool(statement_timeout=0.6))
    with pool.connection() as conn, conn.cursor() as cursor:
        cursor.executemany("SELECT pg_sleep(%s)", [(0.4,)] * 4)


def test_an_answer_is_given_up_less_than_a_second_after_its_time() -> None:
    assert TICK < CANCEL_AFTER < ABORT_AFTER - TICK
    assert ABORT_AFTER + TICK < 1
