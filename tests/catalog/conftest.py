"""Places to build schemas in, and a database to plant faults in, every one of them taken back."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from flask import Flask
from playhouse.postgres_ext import PostgresqlExtDatabase

from app.catalog import Finding, judge
from app.config import Settings
from app.database import OwnerDatabase
from dev.cluster import Cluster
from tests.catalog.pairs import Place
from tests.gizmos import Judged
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


@pytest.fixture
def planted(app: Flask, settings: Settings) -> Iterator[OwnerDatabase]:
    """A superuser's transaction in the migrated database, which is rolled back."""
    database = OwnerDatabase(settings)
    with database.atomic() as transaction:
        yield database
        transaction.rollback(begin=False)
    database.close()


@pytest.fixture
def judged(planted: OwnerDatabase, settings: Settings) -> Judged:
    """What is found after some SQL, advice left out unless it is asked for."""

    def find(statement: str = "", *, advice: bool = False) -> list[Finding]:
        if statement:
            planted.cursor().execute(statement)
        return [finding for finding in judge(planted, settings.db_user) if finding.advice is advice]

    return find
