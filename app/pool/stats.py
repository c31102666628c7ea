"""What a pool counts, under the names psycopg_pool gave its own.

https://www.psycopg.org/psycopg3/docs/advanced/pool.html#pool-stats
"""

from dataclasses import dataclass

MILLISECONDS = 1000


@dataclass(slots=True)
class Counts:
    """Sums since the pool was opened. Durations are kept in seconds and told in milliseconds."""

    requests_num: int = 0
    requests_queued: int = 0
    requests_wait: float = 0.0
    requests_errors: int = 0
    usage: float = 0.0
    returns_bad: int = 0
    connections_num: int = 0
    connections: float = 0.0
    connections_errors: int = 0
    connections_lost: int = 0
    idle_closed: int = 0
    lifetime_closed: int = 0
    leaks: int = 0

    def as_stats(self) -> dict[str, int]:
        """The sums under their public names, whole numbers all."""
        return {
            "requests_num": self.requests_num,
            "requests_queued": self.requests_queued,
            "requests_wait_ms": int(self.requests_wait * MILLISECONDS),
            "requests_errors": self.requests_errors,
            "usage_ms": int(self.usage * MILLISECONDS),
            "returns_bad": self.returns_bad,
            "connections_num": self.connections_num,
            "connections_ms": int(self.connections * MILLISECONDS),
            "connections_errors": self.connections_errors,
            "connections_lost": self.connections_lost,
            "idle_closed": self.idle_closed,
            "lifetime_closed": self.lifetime_closed,
            "leaks": self.leaks,
        }
