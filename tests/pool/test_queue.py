"""Promises 8 and 13: waiting is fair and bounded, and ends when the pool does."""

import threading
import time

from app.errors import PoolClosedError, PoolFullError
from app.pool import Pool
from tests.pool.conftest import Make, Witness, borrow, eventually, filled, timed, together


def test_first_come_first_served(make_pool: Make) -> None:
    pool = filled(make_pool(min_connections=1, max_connections=1))
    served: list[int] = []
    pool.connect()
    threads = [_queue_up(pool, number, served) for number in range(10)]
    pool.close()
    for thread in threads:
        thread.join()
    assert served == list(range(10))


def _queue_up(pool: Pool, number: int, served: list[int]) -> threading.Thread:
    def wait() -> None:
        pool.connect()
        served.append(number)
        pool.close()

    thread = threading.Thread(target=wait)
    thread.start()
    eventually(lambda: pool.stats()["requests_waiting"] == number + 1)
    return thread


def test_over_the_cap_callers_are_refused_at_once(make_pool: Make) -> None:
    pool = filled(make_pool(min_connections=1, max_connections=1, max_waiting=5, timeout=0.5))
    pool.connect()
    waits = together(20, pool.connect)
    full = [seconds for seconds, error in waits if isinstance(error, PoolFullError)]
    assert len(full) == 15
    assert max(full) < 0.05


def test_a_connection_that_comes_back_is_handed_on_at_once(make_pool: Make) -> None:
    pool = filled(make_pool(min_connections=1, max_connections=1))
    pool.connect()
    threading.Timer(0.2, pool._close, [pool._state.conn]).start()
    seconds, error = timed(lambda: borrow(pool))
    assert error is None
    assert 0.19 <= seconds < 0.25


def test_who_waits_is_told_when_the_pool_closes(make_pool: Make) -> None:
    pool = filled(make_pool(min_connections=1, max_connections=1))
    pool.connect()
    holder = pool._state.conn
    threading.Timer(0.2, pool._stock.close).start()
    seconds, error = timed(pool.connect)
    assert isinstance(error, PoolClosedError)
    assert seconds < 0.25
    assert not holder.closed


def test_running_work_finishes_and_no_backend_is_left(pool: Pool, witness: Witness) -> None:
    results: list[tuple[float, object]] = []
    work = threading.Thread(
        target=lambda: results.append(timed(lambda: borrow(pool, "SELECT 7 FROM pg_sleep(0.5)")))
    )
    work.start()
    eventually(lambda: pool.stats()["pool_available"] == 1)
    pool.shutdown()
    work.join()
    assert results[0][1] == 7
    assert eventually(lambda: not witness.backends(pool)) < 1


def test_a_connection_being_made_does_not_outlive_the_pool(make_pool: Make, witness: Witness) -> None:
    pool = make_pool()
    pool.start()
    pool.shutdown()
    time.sleep(0.3)
    assert witness.backends(pool) == []


def test_a_closed_pool_says_so_until_it_is_opened_again(pool: Pool) -> None:
    pool.shutdown()
    assert isinstance(timed(pool.connect)[1], PoolClosedError)
    pool.init("postgres")
    assert borrow(pool, "SELECT 1") == 1


def test_after_close_all_it_begins_anew(pool: Pool, witness: Witness) -> None:
    before = witness.backends(pool)
    pool.close_all()
    eventually(lambda: not witness.backends(pool))
    assert borrow(pool, "SELECT pg_backend_pid()") not in before
