"""Attempts to connect that take too long: given up, but not forgotten."""

from app.pool import Connection, ConnectionUnavailable
from tests.faults.proxy import Proxy
from tests.pool.conftest import Make, borrow, eventually, greet, run, timed


def test_an_attempt_given_up_is_not_pooled_when_its_thread_just_finished(make_pool: Make) -> None:
    made: list[Connection] = []

    def finish_when_given_up(conn: Connection) -> None:
        greet(conn)
        made.append(conn)
        if len(made) == 1:
            eventually(lambda: pool.get_stats()["connections_errors"] == 1)

    pool = make_pool(min_size=1, max_size=1, timeout=0.4, configure=finish_when_given_up)
    pool.open()
    eventually(lambda: len(made) == 2)
    eventually(lambda: pool.get_stats()["pool_available"] == 1)
    assert made[0].closed
    assert borrow(pool, "SELECT 1") == 1


def test_one_that_is_only_late_is(make_pool: Make, network: Proxy) -> None:
    network.delay = 1.0
    pool = make_pool(port=network.local_port, min_size=1, max_size=1, timeout=0.6)
    assert isinstance(timed(pool.getconn)[1], ConnectionUnavailable)
    eventually(lambda: pool.get_stats()["pool_available"] == 1)
    assert borrow(pool, "SELECT 1") == 1


def test_what_a_late_one_does_after_its_log_in_has_a_deadline_too(make_pool: Make, network: Proxy) -> None:
    logged_in: list[Connection] = []

    def lose_the_network(conn: Connection) -> None:
        logged_in.append(conn)
        network.hold()
        run(conn, "SELECT 1")

    network.delay = 0.6
    options = {"min_size": 1, "max_size": 1, "timeout": 0.4, "configure": lose_the_network}
    make_pool(port=network.local_port, **options).open()
    eventually(lambda: bool(logged_in and logged_in[0].closed))
