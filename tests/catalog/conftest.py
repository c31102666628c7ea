"""Two places, on the server all tests share."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from playhouse.postgres_ext import PostgresqlExtDatabase

from app.config import Settings
from dev.cluster import Cluster
from tests.catalog.pairs import Place
from tests.logins import as_owner


@pytest.fixture(scope="session")
def places(server: Cluster, settings: Settings) -> Iterator[tuple[Place, Place]]:
    """Two empty databases, and a role to grant to."""
    with closing(as_owner(settings, "postgres")) as conn, conn.cursor() as cursor:
        cursor.execute("CREATE ROLE reader")
        for name in ("here", "there"):
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    here, there = (_place(server, name) for name in ("here", "there"))
    yield here, there
    here.database.close()
    there.database.close()


def _place(server: Cluster, name: str) -> Place:
    database = PostgresqlExtDatabase(
        name, host=server.host, port=server.port, user=server.user, password=server.password
    )
    return Place(database, server)
