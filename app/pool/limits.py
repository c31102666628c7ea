"""The figures a pool is held to. Every duration is in seconds."""

from dataclasses import dataclass

# what the application role's `statement_timeout` is set to when the role is made
STATEMENT_TIMEOUT = 5.0
# how long after it a server that is alive has said so; with a tick of the keeper, under a second
STATEMENT_GRACE = 0.8
MAX_LIFETIME = 1800.0
# many connections made at once must not all come of age at once
LIFETIME_JITTER = 0.1
MAX_WAITING = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """How many connections, how long for each thing. Seconds throughout."""

    smallest: int = 2
    largest: int = 10
    wait: float = 2.0
    idle: float = 30.0
    lifetime: float = MAX_LIFETIME
    statement: float = STATEMENT_TIMEOUT
    waiting: int = MAX_WAITING

    @property
    def patience(self) -> float:
        """How long a statement may go unanswered before its connection is cut."""
        return self.statement + STATEMENT_GRACE
