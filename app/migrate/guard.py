"""Migrations are no business of a process that serves requests.

peewee-migrate replays history by patching Peewee for the whole process: what other threads
write meanwhile is swallowed without an error. The migrator of this room replays nothing, but
the same connection serves `pw_migrate`, and a request has no right to the owner's password.
"""

from app.database import principal_in_force
from app.errors import MigrationError

_serving: list[str] = []


def forbid_migrations(what: str) -> None:
    """Say that this process serves requests from now on: it will not migrate any more."""
    _serving.append(what)


def refuse_if_serving() -> None:
    """Raise MigrationError in a process that serves requests."""
    principal = principal_in_force()
    in_request = principal is not None and principal.request_id is not None
    where = "a request" if in_request else next(iter(_serving), None)
    if where:
        what = f"Migrations were started inside {where}"
        raise MigrationError(what=what, remedy="Run `flask db-migrate` in a process of its own")
