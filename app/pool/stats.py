"""What a pool is held to, and what it has counted."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Limits:
    """How many connections and waiting clients, and how long for each thing. Seconds throughout."""

    min_size: int
    max_size: int
    timeout: float
    max_waiting: int
    max_idle: float
    max_lifetime: float
    statement_timeout: float

    def __post_init__(self) -> None:
        if not 0 <= self.min_size <= self.max_size or self.max_size < 1:
            raise ValueError(
                f"min_size={self.min_size} and max_size={self.max_size} make no pool. "
                "Let min_size be at least 0, max_size at least 1 and not below it."
            )
        durations = (self.timeout, self.max_idle, self.max_lifetime, self.statement_timeout)
        if min(durations) <= 0 or self.max_waiting < 0:
            raise ValueError(
                f"timeout, max_idle, max_lifetime, statement_timeout={durations} and max_waiting="
                f"{self.max_waiting} make no pool. Give seconds above 0, and clients from 0 on."
            )


@dataclass
class Sums:
    """Sums since the pool was made, under psycopg_pool's names; durations are kept in seconds here.

    https://www.psycopg.org/psycopg3/docs/advanced/pool.html#pool-stats
    """

    requests_num: int = 0
    requests_queued: int = 0
    requests_wait_ms: float = 0.0
    requests_errors: int = 0
    usage_ms: float = 0.0
    returns_bad: int = 0
    connections_num: int = 0
    connections_ms: float = 0.0
    connections_errors: int = 0
    connections_lost: int = 0
    idle_closed: int = 0
    lifetime_closed: int = 0
    leaks: int = 0

    def as_integers(self) -> dict[str, int]:
        """The sums as whole numbers, durations in milliseconds."""
        sums = asdict(self)
        return {name: int(sum_ * 1000 if name.endswith("_ms") else sum_) for name, sum_ in sums.items()}
