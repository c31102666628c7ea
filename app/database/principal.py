"""Who a unit of work speaks for, and the SQL that tells PostgreSQL so.

The context travels in front of each statement, in the same message: psycopg2 speaks the
simple query protocol, so several statements are one message, and a message outside a
transaction is a transaction of its own. The tenant therefore costs no round trip, works
through PgBouncer in transaction mode, leaves nothing on the connection, and fails closed.
https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT
"""

from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Principal:
    """One tenant, or the platform when `tenant_id` is None; who acts for it, and in which request."""

    tenant_id: UUID | None
    actor: str | None = None
    request_id: str | None = field(default=None, compare=False)
    context_sql: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # the text of a uuid.UUID and nothing else is put into SQL here: no quoting can go wrong
        name, value = ("app.platform", "on") if self.tenant_id is None else ("app.tenant_id", self.tenant_id)
        object.__setattr__(self, "context_sql", f"SELECT set_config('{name}', '{value}', true)")

    def includes(self, other: "Principal") -> bool:
        """Whether a scope for `other` may be entered inside one for this: the same, or no actor named."""
        return self.tenant_id == other.tenant_id and other.actor in {None, self.actor}

    def __str__(self) -> str:
        name = "the platform" if self.tenant_id is None else f"tenant {self.tenant_id}"
        return f"{name} ({self.actor})" if self.actor else name
