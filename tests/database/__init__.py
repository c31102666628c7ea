"""The unit of work: its rows, its connection, its transaction, its databases; and what the tests share."""

from app.database import Databases
from tests.waiting import wait_until


def lent(databases: Databases) -> int:
    """How many of an application's connections are out at this very moment."""
    return len(databases.shared._state.lent)


def wait_until_all_are_back(databases: Databases, seconds: float = 10) -> None:
    """Wait until no connection of an application is out."""
    wait_until(lambda: lent(databases) == 0, seconds)
