"""All processes' pools together must fit into the server's connections; who starts is told before."""

import pytest
from flask import Flask

from app.config import Settings
from app.database import Database
from app.errors import PoolTooLargeError
from app.pool import STATEMENT_TIMEOUT


@pytest.fixture
def database(app: Flask, settings: Settings) -> Database:
    """The application's database, not yet used."""
    database = Database(None)
    database.open(settings)
    return database


def test_the_servers_timeout_is_the_one_the_pool_counts_on(database: Database) -> None:
    with database.connection_context(), database.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == (f"{STATEMENT_TIMEOUT:g}s",)
    database.close_all()


def test_pools_that_fit_are_let_through(database: Database) -> None:
    database.check(processes=9)
    database.close_all()


def test_pools_that_do_not_fit_are_refused_with_their_numbers(database: Database) -> None:
    with pytest.raises(PoolTooLargeError, match=r"10 workers with 10 .* the 97 .*DB_POOL_MAX") as caught:
        database.check(processes=10)
    assert caught.value.exit_code == 78
    database.close_all()
