"""A write that is held up, so that something may happen while it runs."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

from psycopg2.extensions import connection as Connection

from app.config import Settings
from tests.logins import as_owner
from tests.processes import Served

NEW = {"title": "Pump leaks", "issue_description": "It leaks."}


@contextmanager
def held_up(settings: Settings) -> Iterator[Callable[[], None]]:
    """Writes to rcas wait, for lock_timeout (one second) at most; gives what lets them go on."""
    with closing(as_owner(settings)) as conn, conn.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE rcas IN EXCLUSIVE MODE")
        yield lambda: cursor.execute("ROLLBACK")


@contextmanager
def writing(served: Served, headers: dict[str, str]) -> Iterator[Future[Any]]:
    """A write on its way."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(served.ask, "POST", "/api/v1/rcas", headers=headers, body=NEW)


def wait_until_held_up(settings: Settings) -> None:
    """Wait until a write has got as far as the lock."""
    query = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'rcas'::regclass"
    with closing(as_owner(settings)) as conn:
        wait_until(lambda: one(conn, query) == 1)


def wait_until(is_so: Callable[[], bool], seconds: float = 1) -> None:
    """Look until something is so."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def one(conn: Connection, query: str, values: tuple[str, ...] | None = None) -> Any:
    """The one value a query finds."""
    with conn.cursor() as cursor:
        cursor.execute(query, values)
        [value] = cursor.fetchone() or [None]
        return value
