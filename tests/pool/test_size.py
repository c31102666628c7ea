"""Promises 3, 4 and 14: how many connections there are, and for how long."""

import threading
import time

import pytest

from app.pool import ConnectionPool
from tests.faults.proxy import Proxy
from tests.pool.conftest import Make, Witness, borrow, eventually, filled, together


@pytest.mark.parametrize("wrong", [{"min_size": 11}, {"max_size": 0}, {"timeout": 0}, {"max_waiting": -1}])
def test_a_pool_that_cannot_be_is_refused_with_its_values(make_pool: Make, wrong: dict[str, int]) -> None:
    (value,) = wrong.values()
    with pytest.raises(ValueError, match=rf"{value}.*make no pool"):
        make_pool(**wrong)


def test_the_pool_fills_itself_at_start(make_pool: Make, witness: Witness) -> None:
    pool = make_pool()
    pool.open()
    eventually(lambda: len(witness.backends(pool)) == 2)


def test_the_first_check_out_starts_it_too(make_pool: Make, witness: Witness) -> None:
    pool = make_pool()
    borrow(pool)
    eventually(lambda: len(witness.backends(pool)) == 2)


def test_it_is_refilled_when_all_die(pool: ConnectionPool, witness: Witness) -> None:
    witness.kill(*witness.backends(pool))
    eventually(lambda: len(witness.backends(pool)) == 2)


def test_under_load_there_are_never_more_than_ten_nor_less_than_two(
    pool: ConnectionPool, witness: Witness
) -> None:
    ends = time.monotonic() + 3
    seen: list[int] = []
    load = threading.Thread(target=_load, args=(pool, ends))
    load.start()
    while load.is_alive():
        seen.append(len(witness.backends(pool)))
        time.sleep(0.02)
    assert max(seen) == 10
    assert min(seen) >= 2
    assert len(seen) > 20


def _load(pool: ConnectionPool, ends: float) -> None:
    def work() -> None:
        while time.monotonic() < ends:
            borrow(pool, "SELECT pg_sleep(0.02)")

    assert not [error for _, error in together(32, work) if error]


def test_surplus_connections_are_closed_after_their_idle_time(make_pool: Make, witness: Witness) -> None:
    pool = filled(make_pool(max_idle=1.0))
    together(8, lambda: borrow(pool, "SELECT pg_sleep(0.3)"))
    last_use = time.monotonic()
    surplus = len(witness.backends(pool)) - 2
    assert surplus > 0
    eventually(lambda: len(witness.backends(pool)) == 2)
    assert time.monotonic() - last_use >= 0.9
    assert pool.get_stats()["idle_closed"] == surplus


def test_thirty_seconds_are_thirty_seconds(make_pool: Make, witness: Witness) -> None:
    pool = filled(make_pool())
    together(10, lambda: borrow(pool, "SELECT pg_sleep(0.3)"))
    last_use = time.monotonic()
    together(2, lambda: borrow(pool))
    surplus = len(witness.backends(pool))
    while time.monotonic() - last_use < 29.5:
        assert len(witness.backends(pool)) == surplus > 2
        time.sleep(0.5)
    eventually(lambda: len(witness.backends(pool)) == 2)
    assert 29.9 <= time.monotonic() - last_use <= 36


def test_one_in_use_every_second_does_not_keep_the_others(make_pool: Make, witness: Witness) -> None:
    pool = filled(make_pool(min_size=1, max_idle=0.5))
    together(4, lambda: borrow(pool, "SELECT pg_sleep(0.2)"))
    for _ in range(10):
        borrow(pool, "SELECT 1")
        time.sleep(0.1)
    assert len(witness.backends(pool)) == 1


def test_connections_are_renewed_when_they_come_of_age(make_pool: Make, witness: Witness) -> None:
    pool = filled(make_pool(max_lifetime=1.0))
    first = witness.backends(pool)
    ends = time.monotonic() + 1.5
    while time.monotonic() < ends:
        assert len(witness.backends(pool)) >= 2
    eventually(lambda: not set(first) & set(witness.backends(pool)))
    assert pool.get_stats()["lifetime_closed"] >= 2


def test_ages_differ_by_chance(make_pool: Make) -> None:
    pool = filled(make_pool(min_size=5))
    assert len({conn.expires_at - conn.opened_at for conn in pool._state.idle}) == 5


def test_a_step_of_the_clock_changes_nothing(pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch) -> None:
    before = pool.get_stats()["connections_num"]
    monkeypatch.setattr(time, "time", lambda: 0.0)
    time.sleep(0.3)
    monkeypatch.setattr(time, "time", lambda: 9e9)
    borrow(pool, "SELECT 1")
    time.sleep(0.3)
    assert pool.get_stats()["connections_num"] == before


def test_a_spike_does_not_become_a_storm_of_connections(make_pool: Make, network: Proxy) -> None:
    pool = filled(make_pool(port=network.local_port, min_size=5))
    network.delay = 0.15
    waits = together(50, lambda: borrow(pool, "SELECT pg_sleep(0.002)"))
    assert not [error for _, error in waits if error not in {"", None}]
    assert pool.get_stats()["pool_size"] < 7
