"""Promises 8 and 13: waiting is fair and bounded, and ends when the pool does."""

import threading
import time

import pytest

from app.pool import ConnectionPool, PoolClosed, PoolTimeout, TooManyRequests
from tests.pool.conftest import Make, Witness, borrow, eventually, filled, timed, together


def test_first_come_first_served(make_pool: Make) -> None:
    pool = filled(make_pool(min_size=1, max_size=1))
    served: list[int] = []
    conn = pool.getconn()
    threads = [_queue_up(pool, number, served) for number in range(10)]
    pool.putconn(conn)
    for thread in threads:
        thread.join()
    assert served == list(range(10))


def _queue_up(pool: ConnectionPool, number: int, served: list[int]) -> threading.Thread:
    def wait() -> None:
        with pool.connection(timeout=10):
            served.append(number)

    thread = threading.Thread(target=wait)
    thread.start()
    eventually(lambda: pool.get_stats()["requests_waiting"] == number + 1)
    return thread


def test_a_stalled_pool_refuses_the_newest_beyond_its_cap(make_pool: Make) -> None:
    pool = filled(make_pool(min_size=1, max_size=1, max_waiting=5, timeout=5.0))
    conn = pool.getconn()
    waiting = [threading.Thread(target=timed, args=(pool.getconn,)) for _ in range(5)]
    for thread in waiting:
        thread.start()
    eventually(lambda: pool.get_stats()["requests_waiting"] == 5)
    waits = together(15, pool.getconn)
    assert all(type(error) is TooManyRequests for _, error in waits)
    assert max(seconds for seconds, _ in waits) < 1.5
    assert pool.get_stats()["requests_waiting"] == 5
    pool.close()
    for thread in waiting:
        thread.join()
    pool.putconn(conn)


def test_once_it_stalled_more_are_refused_at_once(make_pool: Make) -> None:
    pool = filled(make_pool(min_size=1, max_size=1, max_waiting=0))
    conn = pool.getconn()
    time.sleep(0.3)
    seconds, error = timed(pool.getconn)
    pool.putconn(conn)
    assert type(error) is TooManyRequests
    assert "max_waiting is 0" in str(error)
    assert seconds < 0.2


def test_a_pool_that_is_busy_and_moving_refuses_nobody(make_pool: Make) -> None:
    pool = filled(make_pool(min_size=2, max_size=2, max_waiting=2, timeout=20))
    waits = together(50, lambda: borrow(pool, "SELECT 1 FROM pg_sleep(0.02)"))
    assert [result for _, result in waits] == [1] * 50
    assert pool.get_stats()["requests_errors"] == 0


def test_a_timeout_of_ones_own_holds_for_one_call(make_pool: Make) -> None:
    pool = filled(make_pool(min_size=1, max_size=1, timeout=30))
    conn = pool.getconn()
    seconds, error = timed(lambda: pool.getconn(0.1))
    pool.putconn(conn)
    assert type(error) is PoolTimeout
    assert 0.1 <= seconds < 3


def test_a_connection_that_comes_back_is_handed_on_at_once(make_pool: Make) -> None:
    pool = filled(make_pool(min_size=1, max_size=1))
    threading.Timer(0.2, pool.putconn, [pool.getconn()]).start()
    seconds, error = timed(lambda: borrow(pool))
    assert error is None
    assert 0.1 <= seconds < 1


def test_who_waits_is_told_when_the_pool_closes(make_pool: Make) -> None:
    pool = filled(make_pool(min_size=1, max_size=1))
    conn = pool.getconn()
    threading.Timer(0.2, pool.close).start()
    seconds, error = timed(pool.getconn)
    assert isinstance(error, PoolClosed)
    assert seconds < 1
    assert not conn.closed
    pool.putconn(conn)
    assert conn.closed


def test_running_work_finishes_and_no_backend_is_left(pool: ConnectionPool, witness: Witness) -> None:
    results: list[tuple[float, object]] = []
    work = threading.Thread(
        target=lambda: results.append(timed(lambda: borrow(pool, "SELECT 7 FROM pg_sleep(0.5)")))
    )
    work.start()
    eventually(lambda: pool.get_stats()["pool_available"] == 1)
    pool.close()
    work.join()
    assert results[0][1] == 7
    eventually(lambda: not witness.backends(pool))


def test_a_connection_being_made_does_not_outlive_the_pool(make_pool: Make, witness: Witness) -> None:
    pool = make_pool()
    pool.open()
    pool.close()
    time.sleep(0.3)
    eventually(lambda: not witness.backends(pool))


def test_a_closed_pool_says_so(pool: ConnectionPool) -> None:
    pool.close()
    assert isinstance(timed(pool.getconn)[1], PoolClosed)
    with pytest.raises(PoolClosed, match="Make a new ConnectionPool"):
        pool.open()


def test_an_interrupted_wait_leaves_nothing_behind(make_pool: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = filled(make_pool(min_size=1, max_size=1))
    conn = pool.getconn()
    with monkeypatch.context() as patch:
        patch.setattr("app.pool.state.WaitingClient.wait", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            pool.getconn()
    assert pool.get_stats()["requests_waiting"] == 0
    pool.putconn(conn)
    assert borrow(pool, "SELECT 1") == 1


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
