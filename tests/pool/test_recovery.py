"""Promise 7: the pool is back soon after the server, without a storm; and the ledger is right."""

import random
import threading
import time
from itertools import pairwise

from app.pool import ConnectionPool, ConnectionUnavailable
from app.pool.breaker import FIRST_PAUSE, LONGEST_PAUSE, pause
from dev.cluster import Cluster
from tests.faults.freeze import frozen, kill_backend
from tests.faults.ledger import TABLE, Ledger
from tests.faults.proxy import Proxy
from tests.pool.conftest import Make, Witness, borrow, eventually, filled, timed


def test_after_a_stop_callers_fail_at_once(pool: ConnectionPool, running: Cluster) -> None:
    running.stop("immediate")
    first, _ = timed(lambda: borrow(pool, "SELECT 1"))
    seconds, error = timed(lambda: borrow(pool, "SELECT 1"))
    running.start()
    assert first < 6
    assert isinstance(error, ConnectionUnavailable)
    assert seconds < 0.5


def test_it_serves_again_soon_after_the_server_does(pool: ConnectionPool, running: Cluster) -> None:
    running.stop("immediate")
    time.sleep(5)  # long enough for the longest pause
    running.start()
    eventually(lambda: _serves(pool), within=9)


def test_it_serves_again_soon_after_a_thaw(make_pool: Make, running: Cluster) -> None:
    pool = filled(make_pool(statement_timeout=0.5))
    with frozen(running):
        timed(lambda: borrow(pool, "SELECT 1"))
        time.sleep(3)
    eventually(lambda: _serves(pool), within=9)


def test_it_serves_again_after_a_network_that_swallowed_everything(make_pool: Make, network: Proxy) -> None:
    pool = filled(make_pool(port=network.local_port))
    network.reset()
    network.mute = True
    time.sleep(4)
    network.mute = False
    eventually(lambda: _serves(pool), within=9)


def test_a_crash_of_one_backend_is_survived(pool: ConnectionPool, running: Cluster) -> None:
    kill_backend(borrow(pool, "SELECT pg_backend_pid()"))
    eventually(lambda: _serves(pool), within=9)


def test_while_it_is_down_there_is_one_attempt_at_a_time(make_pool: Make, network: Proxy) -> None:
    pool = filled(make_pool(port=network.local_port))
    network.reset()
    network.mute, network.accepted = True, 0
    ends = time.monotonic() + 4
    while time.monotonic() < ends:
        timed(pool.getconn)
    assert 2 <= network.accepted <= 4


def test_refused_it_is_asked_ever_more_seldom(make_pool: Make, network: Proxy) -> None:
    pool = filled(make_pool(port=network.local_port))
    network.refuse()
    network.reset()
    before = pool.get_stats()["connections_num"]
    time.sleep(4)
    assert 4 <= pool.get_stats()["connections_num"] - before <= 9


def test_pauses_double_up_to_a_limit() -> None:
    random.seed(1)
    pauses = [pause(failures) for failures in range(1, 12)]
    assert FIRST_PAUSE * 0.8 <= pauses[0] <= FIRST_PAUSE
    assert all(before < after for before, after in pairwise(pauses[:5]))
    assert max(pauses) <= LONGEST_PAUSE


def test_restarts_under_load_lose_and_double_nothing(make_pool: Make, running: Cluster) -> None:
    pool = filled(make_pool())
    borrow(pool, TABLE, "TRUNCATE ledger")
    ledger, done = Ledger(pool), threading.Event()
    writers = ledger.write_while(lambda: not done.is_set())
    for mode in ("fast", "immediate"):
        time.sleep(0.7)
        running.stop(mode)
        running.start()
    eventually(lambda: _serves(pool))
    time.sleep(0.5)
    done.set()
    for writer in writers:
        writer.join()
    assert len(ledger.acknowledged) > 100
    # fsync is off here, so only a crash of the machine could lose what the server wrote
    assert ledger.faults() == []


def test_a_lost_acknowledgement_is_told_as_unknown(make_pool: Make, network: Proxy) -> None:
    pool = filled(make_pool(port=network.local_port))
    borrow(pool, TABLE, "TRUNCATE ledger")
    ledger = Ledger(pool)
    network.cut_after = 0
    ledger.write()
    network.cut_after = None
    assert len(ledger.unknown) == 1
    eventually(lambda: _serves(pool))
    assert ledger.faults() == []


def test_a_ledger_that_was_cheated_is_found(pool: ConnectionPool) -> None:
    borrow(pool, TABLE, "TRUNCATE ledger")
    ledger = Ledger(pool)
    ledger.write()
    borrow(pool, "INSERT INTO ledger SELECT * FROM ledger")
    assert ledger.faults() == ["doubled"]
    borrow(pool, "TRUNCATE ledger")
    assert ledger.faults() == [f"lost {next(iter(ledger.acknowledged))}"]


def test_both_before_and_after_the_witness_sees_two(
    pool: ConnectionPool, witness: Witness, running: Cluster
) -> None:
    witness.kill(*witness.backends(pool))
    eventually(lambda: len(witness.backends(pool)) == 2)


def _serves(pool: ConnectionPool) -> bool:
    return bool(timed(lambda: borrow(pool, "SELECT 1"))[1] == 1)
