"""All processes' connections together must fit into the server's; who starts is told before."""

from collections.abc import Iterator

import pytest

from app.config import Settings
from app.database import Databases
from app.errors import PoolTooLargeError
from app.http import FixApp


@pytest.fixture
def unused(app: FixApp, settings: Settings) -> Iterator[Databases]:
    """The databases of another application on the same server."""
    databases = Databases(settings)
    yield databases
    databases.close()


def test_a_connection_knows_how_long_its_roles_statements_may_take(unused: Databases) -> None:
    with unused.shared.connection() as conn:
        cursor = conn.cursor()
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == (f"{conn.statement_timeout:g}s",) == ("5s",)


def test_connections_that_fit_are_let_through(unused: Databases) -> None:
    unused.check(processes=8)


def test_connections_that_do_not_fit_are_refused_with_their_numbers(unused: Databases) -> None:
    with pytest.raises(PoolTooLargeError, match=r"9 workers with 11 .* the 97 .*DB_POOL_MAX"):
        unused.check(processes=9)
