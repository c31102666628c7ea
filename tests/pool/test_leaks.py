"""Promises 10 and 11: nothing leaks, neither out of a thread that ended nor into a process forked."""

import gc
import logging
import os
import threading
import time

import pytest

from app.pool import Pool
from tests.pool.conftest import Make, Witness, borrow, eventually, filled


def test_a_thread_that_ends_gives_its_connection_back(
    make_pool: Make, caplog: pytest.LogCaptureFixture
) -> None:
    pool = filled(make_pool(min_connections=1, max_connections=1))
    _forget(pool)
    assert eventually(lambda: pool.stats()["leaks"] == 1) < 5
    assert borrow(pool, "SELECT 1") == 1
    assert "test_leaks.py" in caplog.text
    assert "in _take_and_forget" in caplog.text


def test_in_a_transaction_too(make_pool: Make) -> None:
    pool = filled(make_pool(min_connections=1, max_connections=1))
    _forget(pool, "BEGIN")
    assert borrow(pool, "SELECT pg_current_xact_id_if_assigned() IS NULL") is True


def test_one_hundred_leaks_leave_a_whole_pool(make_pool: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    pool = filled(make_pool())
    for _ in range(100):
        _forget(pool)
    eventually(lambda: pool.stats()["leaks"] == 100)
    eventually(lambda: pool.stats()["pool_available"] >= 2)


def test_a_thread_that_lives_keeps_its_connection(pool: Pool) -> None:
    pool.connect()
    time.sleep(1)
    gc.collect()
    assert pool.execute_sql("SELECT 1").fetchone() == (1,)
    pool.close()
    assert pool.stats()["leaks"] == 0


def test_a_thread_never_holds_two(pool: Pool, witness: Witness) -> None:
    with pool.connection_context(), pool.atomic(), pool.atomic():
        rows = [borrow_inside(pool) for _ in range(3)]
    assert len(set(rows)) == 1


def borrow_inside(pool: Pool) -> int:
    """The backend that serves a query inside a transaction that is open already."""
    pool.connect(reuse_if_open=True)
    pid: int = pool.execute_sql("SELECT pg_backend_pid()").fetchone()[0]
    return pid


def test_a_pool_nobody_refers_to_ends_its_keeper(make_pool: Make) -> None:
    before = threading.enumerate()
    forgotten = filled(Pool("postgres", **make_pool().connect_params))
    (keeper,) = [one for one in threading.enumerate() if one.name == "pool-keeper" and one not in before]
    del forgotten
    gc.collect()
    eventually(lambda: not keeper.is_alive())


def test_a_forked_process_shares_no_backend(pool: Pool, witness: Witness) -> None:
    pool.connect()
    ours = set(witness.backends(pool))
    theirs = _in_a_fork(lambda: borrow(pool, "SELECT pg_backend_pid()"))
    assert theirs not in ours
    assert pool.execute_sql("SELECT 1").fetchone() == (1,)
    pool.close()
    assert borrow(pool, "SELECT pg_backend_pid()") in ours


def test_a_process_forked_in_the_middle_of_anything_works(pool: Pool) -> None:
    pool._stock.lock.acquire()  # as another thread may hold it at that moment
    pid = _in_a_fork(lambda: borrow(pool, "SELECT pg_backend_pid()"))
    pool._stock.lock.release()
    assert pid > 1


def _in_a_fork(act) -> int:  # noqa: ANN001 - any callable without arguments
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, str(act()).encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as answer:
        return int(answer.read())


def _forget(pool: Pool, *statements: str) -> None:
    thread = threading.Thread(target=_take_and_forget, args=(pool, *statements))
    thread.start()
    thread.join()


def _take_and_forget(pool: Pool, *statements: str) -> None:
    pool.connect()
    for statement in statements:
        pool.execute_sql(statement)
