"""What every test of the migrator starts from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.config import Settings
from app.migrate import MigrationDatabase
from tests.scratch import Folder, empty, scratch_database


@pytest.fixture(scope="session")
def scratch(settings: Settings) -> Iterator[Settings]:
    """The settings of a database of these tests' own, whose owner is no superuser."""
    with scratch_database(settings, "fixapp_migrate") as own:
        yield own


@pytest.fixture
def fresh(settings: Settings, scratch: Settings) -> Settings:
    """That database, with nothing in it."""
    empty(settings, scratch.db_name)
    return scratch


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty folder for migration files."""
    return Folder(tmp_path)


@pytest.fixture
def owner(fresh: Settings, folder: Folder) -> Iterator[MigrationDatabase]:
    """The owner of that database, with the files of that folder."""
    database = MigrationDatabase(fresh, folder.path)
    yield database
    database.close_all()


@pytest.fixture
def product(fresh: Settings) -> Iterator[MigrationDatabase]:
    """The owner of that database, with the product's own files."""
    database = MigrationDatabase(fresh)
    yield database
    database.close_all()
