"""Promises 10 and 11: nothing leaks, neither out of a thread that ended nor into a process forked."""

import gc
import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.pool import ConnectionPool
from tests.pool.conftest import Make, Witness, borrow, eventually, filled, run


def test_a_thread_that_ends_gives_its_connection_back(
    make_pool: Make, caplog: pytest.LogCaptureFixture
) -> None:
    pool = filled(make_pool(min_size=1, max_size=1))
    _forget(pool)
    assert eventually(lambda: pool.get_stats()["leaks"] == 1) < 5
    assert borrow(pool, "SELECT 1") == 1
    eventually(lambda: "test_leaks.py" in caplog.text)
    assert "in _take_and_forget" in caplog.text


def test_in_a_transaction_too(make_pool: Make) -> None:
    pool = filled(make_pool(min_size=1, max_size=1))
    _forget(pool, "BEGIN")
    assert borrow(pool, "SELECT pg_current_xact_id_if_assigned() IS NULL") is True


def test_one_hundred_leaks_leave_a_whole_pool(make_pool: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    pool = filled(make_pool())
    for _ in range(100):
        _forget(pool)
    eventually(lambda: pool.get_stats()["leaks"] == 100)
    eventually(lambda: pool.get_stats()["pool_available"] >= 2)


def test_a_thread_that_lives_keeps_its_connection(pool: ConnectionPool) -> None:
    with pool.connection() as conn:
        time.sleep(1)
        gc.collect()
        assert run(conn, "SELECT 1") == 1
    assert pool.get_stats()["leaks"] == 0


class _Owner:
    """Whoever borrows, when that is not a thread."""


def test_a_connection_may_outlive_its_thread_with_its_owner(pool: ConnectionPool) -> None:
    owner = _Owner()
    with ThreadPoolExecutor(1) as thread:
        conn = thread.submit(lambda: pool.getconn(owner=owner)).result()
    time.sleep(0.5)
    assert run(conn, "SELECT 1") == 1
    pool.putconn(conn)
    assert pool.get_stats()["leaks"] == 0


def test_an_owner_that_ends_gives_its_connection_back(pool: ConnectionPool) -> None:
    owner = _Owner()
    conn = pool.getconn(owner=owner)
    del owner
    gc.collect()
    eventually(lambda: pool.get_stats()["leaks"] == 1)
    eventually(lambda: bool(conn.closed))
    pool.putconn(conn)
    assert pool.get_stats()["returns_bad"] == 0


def test_but_not_under_a_statement(pool: ConnectionPool) -> None:
    owner = _Owner()
    conn = pool.getconn(owner=owner)
    del owner
    with ThreadPoolExecutor(1) as thread:
        work = thread.submit(run, conn, "SELECT 1 FROM pg_sleep(0.7)")
        time.sleep(0.4)
        assert pool.get_stats()["leaks"] == 0
        assert work.result() == 1
    eventually(lambda: pool.get_stats()["leaks"] == 1)


def test_places_passed_through_are_not_named(make_pool: Make, caplog: pytest.LogCaptureFixture) -> None:
    pool = filled(make_pool(passed_through=[__file__]))
    _forget(pool)
    eventually(lambda: "leaked" in caplog.text)
    assert "test_leaks.py" not in caplog.text


def test_a_pool_nobody_refers_to_ends_its_maintenance(make_pool: Make) -> None:
    before = threading.enumerate()
    forgotten = filled(ConnectionPool(make_pool().parameters))
    (worker,) = [one for one in threading.enumerate() if one.name == "pool-maintenance" and one not in before]
    del forgotten
    gc.collect()
    eventually(lambda: not worker.is_alive())


def test_before_its_first_use_it_has_no_thread_and_no_connection(make_pool: Make, witness: Witness) -> None:
    before = threading.active_count()
    pool = make_pool()
    time.sleep(0.3)
    assert threading.active_count() <= before
    assert witness.backends(pool) == []


def test_it_connects_without_gssapi_unless_told_otherwise(make_pool: Make) -> None:
    with make_pool().connection() as conn:
        assert conn.get_dsn_parameters()["gssencmode"] == "disable"
    with make_pool(gssencmode="prefer").connection() as conn:
        assert conn.get_dsn_parameters()["gssencmode"] == "prefer"


def test_a_forked_process_shares_no_backend(pool: ConnectionPool, witness: Witness) -> None:
    conn = pool.getconn()
    ours = set(witness.backends(pool))
    assert _in_a_fork(lambda: borrow(pool, "SELECT pg_backend_pid()")) not in ours
    assert _in_a_fork(lambda: pool.putconn(conn) or 1) == 1
    assert run(conn, "SELECT 1") == 1
    pool.putconn(conn)
    assert borrow(pool, "SELECT pg_backend_pid()") in ours


def test_a_process_forked_in_the_middle_of_anything_works(pool: ConnectionPool) -> None:
    pool._state.lock.acquire()  # as another thread may hold it at that moment
    pid = _in_a_fork(lambda: borrow(pool, "SELECT pg_backend_pid()"))
    pool._state.lock.release()
    assert pid > 1


def _in_a_fork(act: Callable[[], int]) -> int:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, str(act()).encode())
        finally:  # whatever happens, it must not go on as a second run of the tests
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as answer:
        return int(answer.read())


def _forget(pool: ConnectionPool, *statements: str) -> None:
    thread = threading.Thread(target=_take_and_forget, args=(pool, *statements))
    thread.start()
    thread.join()


def _take_and_forget(pool: ConnectionPool, *statements: str) -> None:
    run(pool.getconn(), *statements)
