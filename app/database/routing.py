"""Where a unit of work goes: the pools of one application, and which application is in force.

Models are bound to one Peewee database for the whole process. Which pool a statement uses is
decided by the unit it is in, so that two applications in one process do not meet.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from weakref import WeakSet

import peewee
import psycopg2

from app.config import Settings
from app.database.login import check_room, greet, not_ready, parameters, translated
from app.errors import DatabaseUnavailableError, NoApplicationError, UnsafeRoleError
from app.pool import ConnectionPool, PoolError

# seconds for a probe: it must be answered while a frozen server is not
PROBE_TIMEOUT = 1.0
# callers who may wait when nothing moves; a server has more threads than these and the pool's connections
MAX_WAITING = 16

# code that takes connections for others: not what a line about a leak should name
PASSED_THROUGH = (str(Path(__file__).parent), str(Path(peewee.__file__)))

# a statement as its author wrote it, its parameters, and the seconds it took
Observer = Callable[[str, Any, float], None]

_open: "WeakSet[Databases]" = WeakSet()
_chosen: "ContextVar[Databases | None]" = ContextVar("databases", default=None)
_finders: "list[Callable[[], Databases | None]]" = []


class Databases:
    """The connections of one application in one process, and who observes its statements.

    `shared` serves units of work. `probe` is one connection for health checks, made on demand,
    so that a full pool is never taken for a database that is down.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.observers: list[Observer] = []
        # each is called with the shared pool's figures once a second
        self.reporters: list[Callable[[dict[str, int]], None]] = []
        self.shared = ConnectionPool(
            lambda: parameters(settings),
            min_size=settings.db_pool_min,
            max_size=settings.db_pool_max,
            timeout=settings.db_connect_timeout,
            max_waiting=MAX_WAITING,
            max_idle=settings.db_pool_idle_timeout,
            configure=greet,
            report=self._report,
            passed_through=PASSED_THROUGH,
        )
        self.probe = ConnectionPool(
            lambda: parameters(settings), min_size=0, max_size=1, timeout=PROBE_TIMEOUT, configure=greet
        )
        _open.add(self)

    @property
    def connections(self) -> int:
        """How many connections this process may hold at most."""
        return self.settings.db_pool_max + 1

    def check(self, processes: int = 1) -> None:
        """Log in once and hang up.

        Raises DatabaseNotReadyError, UnsafeRoleError, or PoolTooLargeError when the connections of
        so many processes do not fit into the server's.
        """
        try:
            with self.probe.connection() as conn:
                check_room(conn, processes, self.connections)
        except PoolError as error:
            cause = translated(error)
            if isinstance(cause, UnsafeRoleError):
                raise cause from error
            raise not_ready(parameters(self.settings), error.__cause__ or error) from error

    def ask(self, query: str = "SELECT 1") -> list[tuple[Any, ...]]:
        """Have the server answer a query on the health connection, in nobody's name.

        Raises DatabaseUnavailableError when it does not within PROBE_TIMEOUT, psycopg2.Error when it
        refuses the query.
        """
        try:
            with self.probe.connection() as conn:
                conn.statement_timeout = PROBE_TIMEOUT
                with conn.cursor() as cursor:
                    cursor.execute(query)
                    rows: list[tuple[Any, ...]] = cursor.fetchall()
                    return rows
        except PoolError as error:
            raise translated(error) from error
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            raise DatabaseUnavailableError from error

    def _report(self, stats: dict[str, int]) -> None:
        for reporter in self.reporters:
            reporter(stats)

    def close(self) -> None:
        """Close every connection. Raises nothing; units that still run finish on theirs."""
        _open.discard(self)
        self.shared.close()
        self.probe.close()


@contextmanager
def application(databases: Databases) -> Iterator[None]:
    """Use this application's databases for units of work that begin inside the block."""
    before = choose(databases)
    try:
        yield
    finally:
        choose(before)


def choose(databases: Databases | None) -> Databases | None:
    """Put an application's databases in force, or none; returns those that were."""
    before = _chosen.get()
    _chosen.set(databases)
    return before


def find_application(finder: "Callable[[], Databases | None]") -> None:
    """Ask `finder` too which application is in force; it answers None where it does not know."""
    if finder not in _finders:
        _finders.append(finder)


def databases_in_force() -> Databases:
    """The databases of the application in force, else of the only one that is open.

    Raises NoApplicationError when there are several, or none.
    """
    chosen = _chosen.get()
    if chosen is not None:
        return chosen
    for finder in _finders:
        if (found := finder()) is not None:
            return found
    if len(_open) == 1:
        return next(iter(_open))
    raise NoApplicationError(count=len(_open))
