"""The pool against a model of it: taken, given back, killed, aged and exhausted in any order."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import peewee
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

from app.errors import PoolTimeoutError
from app.pool import Pool
from dev.cluster import Cluster
from tests.pool.conftest import Witness, eventually, filled, login

SMALLEST, LARGEST, IDLE, LIFETIME = 1, 4, 30.0, 300.0


class Skewed(Pool):
    """A pool whose clock can be advanced."""

    skew = 0.0

    def clock(self) -> float:  # type: ignore[override] # a method here, so that it can be moved
        """The pool's clock, moved on."""
        return Pool.clock() + self.skew


class PoolModel(RuleBasedStateMachine):
    """Borrowers are threads; the model knows who has what and which backends were killed."""

    server: Cluster

    def __init__(self) -> None:
        super().__init__()
        options = login(self.server) | {"application_name": "model", "timeout": 0.3}
        self.pool = Skewed(
            "postgres",
            min_connections=SMALLEST,
            max_connections=LARGEST,
            idle_timeout=IDLE,
            stale_timeout=LIFETIME,
            **options,
        )
        self.witness = Witness(self.server)
        self.free = [ThreadPoolExecutor(1) for _ in range(LARGEST + 1)]
        self.threads = list(self.free)
        self.holders: dict[ThreadPoolExecutor, int] = {}
        self.killed: set[int] = set()
        filled(self.pool)

    @precondition(lambda self: len(self.holders) < LARGEST)
    @rule()
    def acquire(self) -> None:
        """Whoever asks while there is room gets a connection alive that nobody else has."""
        thread = self.free.pop()
        pid = thread.submit(self._take).result()
        assert pid not in self.killed
        assert pid not in self.holders.values()
        self.holders[thread] = pid

    @precondition(lambda self: len(self.holders) == LARGEST)
    @rule()
    def exhaust(self) -> None:
        """One more than there are is refused, in time."""
        with pytest.raises(PoolTimeoutError):
            self.free[-1].submit(self._take).result()

    @precondition(lambda self: self.holders)
    @rule(data=st.data())
    def give_back(self, data: Any) -> None:
        """A connection comes back; a killed one is not kept."""
        thread = data.draw(st.sampled_from(sorted(self.holders, key=self.holders.__getitem__)))
        self.holders.pop(thread)
        thread.submit(self.pool.close).result()
        self.free.append(thread)

    @precondition(lambda self: self.holders)
    @rule(data=st.data())
    def kill_in_use(self, data: Any) -> None:
        """The borrower's next statement fails; the pool survives it."""
        thread = data.draw(st.sampled_from(sorted(self.holders, key=self.holders.__getitem__)))
        pid = self.holders.pop(thread)
        self.killed.add(pid)
        self.witness.kill(pid)
        thread.submit(self.pool.close).result()
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
        self.pool.skew += seconds
        eventually(self._is_kept)

    @invariant()
    def never_more_than_allowed(self) -> None:
        """Neither by the pool's count nor by the server's."""
        assert self.pool.stats()["pool_size"] <= LARGEST
        assert set(self.holders.values()) - set(self.witness.backends(self.pool)) <= self.killed

    def teardown(self) -> None:
        """Give all back: nothing is lost, and nothing is left on the server."""
        for thread in self.threads:
            thread.submit(self.pool.close).result()
        eventually(lambda: self.pool.stats()["pool_available"] >= SMALLEST)
        assert self.pool.stats()["requests_waiting"] == self.pool.stats()["leaks"] == 0
        self.pool.close_all()
        eventually(lambda: not self.witness.backends(self.pool))
        self.witness.close()
        for thread in self.threads:
            thread.shutdown()

    def _take(self) -> int:
        self.pool.connect()
        pid: int = self.pool.execute_sql("SELECT pg_backend_pid()").fetchone()[0]
        return pid

    def _is_kept(self) -> bool:
        stats, now = self.pool.stats(), self.pool.clock()
        with self.pool._stock.lock:
            old = [conn for conn in self.pool._stock.idle if now - conn.returned_at >= IDLE]
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
    with pytest.raises(peewee.OperationalError, match="closed the connection"):
        run_state_machine_as_test(machine, settings=MODEL)
