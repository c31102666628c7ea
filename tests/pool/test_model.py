"""The pool against a model of it: taken, given back, killed, aged and exhausted in any order."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg2
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.pool import Connection, ConnectionPool, PoolTimeout
from dev.cluster import Cluster
from tests.pool.conftest import Witness, eventually, filled, login, run

SMALLEST, LARGEST, IDLE, LIFETIME = 1, 4, 30.0, 300.0


class Clock:
    """A clock that can be advanced."""

    skew = 0.0

    def __call__(self) -> float:
        """The time, moved on."""
        return time.monotonic() + self.skew


class PoolModel(RuleBasedStateMachine):
    """Borrowers are threads; the model knows who has what and which backends were killed."""

    server: Cluster

    def __init__(self) -> None:
        super().__init__()
        parameters = login(self.server) | {"application_name": "model"}
        sizes = {"min_size": SMALLEST, "max_size": LARGEST, "max_idle": IDLE, "max_lifetime": LIFETIME}
        self.clock = Clock()
        self.pool = ConnectionPool(lambda: parameters, timeout=0.5, clock=self.clock, **sizes)
        self.witness = Witness(self.server)
        self.free = [ThreadPoolExecutor(1) for _ in range(LARGEST + 1)]
        self.threads = list(self.free)
        self.holders: dict[ThreadPoolExecutor, int] = {}
        self.lent: dict[ThreadPoolExecutor, Connection] = {}
        self.killed: set[int] = set()
        filled(self.pool)

    @precondition(lambda self: len(self.holders) < LARGEST)
    @rule()
    def acquire(self) -> None:
        """Whoever asks while there is room gets a connection alive that nobody else has."""
        thread = self.free.pop()
        pid = thread.submit(self._take, thread).result()
        assert pid not in self.killed
        assert pid not in self.holders.values()
        self.holders[thread] = pid

    @precondition(lambda self: len(self.holders) == LARGEST)
    @rule()
    def exhaust(self) -> None:
        """One more than there are is refused, in time."""
        with pytest.raises(PoolTimeout):
            self.free[-1].submit(self._take, self.free[-1]).result()

    @precondition(lambda self: self.holders)
    @rule(data=st.data())
    def give_back(self, data: Any) -> None:
        """A connection comes back; a killed one is not kept."""
        thread = data.draw(st.sampled_from(sorted(self.holders, key=self.holders.__getitem__)))
        self.holders.pop(thread)
        self._put(thread)
        self.free.append(thread)

    @precondition(lambda self: self.holders)
    @rule(data=st.data())
    def kill_in_use(self, data: Any) -> None:
        """The borrower's next statement fails; the pool survives it."""
        thread = data.draw(st.sampled_from(sorted(self.holders, key=self.holders.__getitem__)))
        pid = self.holders.pop(thread)
        self.killed.add(pid)
        self.witness.kill(pid)
        self._put(thread)
        self.free.append(thread)

    @rule()
    def kill_idle(self) -> None:
        """All that rest die at once."""
        idle = set(self.witness.backends(self.pool)) - set(self.holders.values())
        self.killed |= idle
        self.witness.kill(*idle)

    @rule(seconds=st.sampled_from([1.0, IDLE, LIFETIME]))
    def advance(self, seconds: float) -> None:
        """Time passes; what rested too long is closed, the least number stays."""
        self.clock.skew += seconds
        eventually(self._is_kept)

    @invariant()
    def never_more_than_allowed(self) -> None:
        """Neither by the pool's count nor by the server's."""
        assert self.pool.get_stats()["pool_size"] <= LARGEST
        assert set(self.holders.values()) - set(self.witness.backends(self.pool)) <= self.killed

    def teardown(self) -> None:
        """Give all back: nothing is lost, and nothing is left on the server."""
        for thread in self.threads:
            self._put(thread)
        eventually(lambda: self.pool.get_stats()["pool_available"] >= SMALLEST)
        assert self.pool.get_stats()["requests_waiting"] == self.pool.get_stats()["leaks"] == 0
        self.pool.close()
        eventually(lambda: not self.witness.backends(self.pool))
        self.witness.close()
        for thread in self.threads:
            thread.shutdown()

    def _take(self, thread: ThreadPoolExecutor) -> int:
        self.lent[thread] = conn = self.pool.getconn()
        pid: int = run(conn, "SELECT pg_backend_pid()")
        return pid

    def _put(self, thread: ThreadPoolExecutor) -> None:
        if thread in self.lent:
            thread.submit(self.pool.putconn, self.lent.pop(thread)).result()

    def _is_kept(self) -> bool:
        stats, now = self.pool.get_stats(), self.clock()
        with self.pool._state.lock:
            old = [conn for conn in self.pool._state.idle if now - conn.returned_at >= IDLE]
        return stats["pool_size"] >= SMALLEST and (not old or stats["pool_size"] <= SMALLEST)


@pytest.fixture
def machine(running: Cluster) -> type[PoolModel]:
    """The model, on a running server."""
    PoolModel.server = running
    return PoolModel


MODEL = settings(
    max_examples=20,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    report_multiple_bugs=False,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def test_the_pool_behaves_as_its_model(machine: type[PoolModel]) -> None:
    run_state_machine_as_test(machine, settings=MODEL)


def test_a_pool_that_hands_out_the_dead_is_found(
    machine: type[PoolModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.pool.connection.Connection.is_dead", lambda _: False)
    with pytest.raises(psycopg2.OperationalError, match="closed the connection"):
        run_state_machine_as_test(machine, settings=MODEL)
