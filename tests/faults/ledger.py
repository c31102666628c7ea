"""A client that writes down what it was told about each of its writes, to hold the server to it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import psycopg2

from app.pool import ConnectionPool, ConnectionUnavailable

TABLE = "CREATE TABLE IF NOT EXISTS ledger (id uuid NOT NULL)"


@dataclass
class Ledger:
    """Writes with an id each: none acknowledged may be lost, none doubled, none refused be there."""

    pool: ConnectionPool
    acknowledged: set[UUID] = field(default_factory=set)
    refused: set[UUID] = field(default_factory=set)
    unknown: set[UUID] = field(default_factory=set)

    def write(self) -> None:
        """Write once, and note the outcome; a connection lost under way leaves it unknown."""
        entry = uuid4()
        try:
            conn = self.pool.getconn()
        except ConnectionUnavailable:
            self.refused.add(entry)
            return
        try:
            conn.cursor().execute("INSERT INTO ledger VALUES (%s)", (str(entry),))
            self.acknowledged.add(entry)
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            self.unknown.add(entry)
        finally:
            self.pool.putconn(conn)

    def write_while(self, going: Callable[[], bool], writers: int = 4) -> list[threading.Thread]:
        """Write in several threads until told to stop."""
        threads = [threading.Thread(target=self._loop, args=(going,)) for _ in range(writers)]
        for thread in threads:
            thread.start()
        return threads

    def _loop(self, going: Callable[[], bool]) -> None:
        while going():
            self.write()

    def faults(self) -> list[str]:
        """What the server holds that it should not, and what it lacks."""
        with self.pool.connection() as conn, conn.cursor() as cursor:
            cursor.execute("SELECT id FROM ledger")
            rows = [UUID(str(row[0])) for row in cursor.fetchall()]
        held = set(rows)
        return [
            *(f"lost {entry}" for entry in self.acknowledged - held),
            *(f"refused, yet there: {entry}" for entry in self.refused & held),
            *(["doubled"] if len(rows) != len(held) else []),
        ]
