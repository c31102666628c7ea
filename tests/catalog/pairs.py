"""Two databases of a test's own: what is read from them, run in them, and what pg_dump says."""

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field

from playhouse.postgres_ext import PostgresqlExtDatabase

from app.catalog import Reading, plan, read, statements
from dev.cluster import Cluster

_RESET = """
DO $$ DECLARE s text; BEGIN
    FOR s IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', s);
    END LOOP;
END $$;
CREATE SCHEMA public;
"""


@dataclass
class Place:
    """One database and its server."""

    database: PostgresqlExtDatabase
    server: Cluster = field(repr=False)

    def become(self, sql: str) -> Reading:
        """Forget everything, run this SQL and read what it made."""
        self.run([_RESET, sql])
        return self.read()

    def read(self) -> Reading:
        """What is there now."""
        return read(self.database)

    def run(self, texts: Iterable[str]) -> None:
        """Run statements in one transaction."""
        with self.database.atomic():
            for text in texts:
                if text.strip():
                    self.database.cursor().execute(text)

    def dump(self) -> list[str]:
        """What pg_dump says, line by line; the order of columns is nobody's business."""
        params = self.database.connect_params
        command = [self.server.bindir / "pg_dump", "--schema-only", "--host", params["host"]]
        done = subprocess.run(
            [*command, "--port", str(params["port"]), self.database.database],
            env={"PGUSER": params["user"], "PGPASSWORD": params["password"]},
            capture_output=True,
            text=True,
            check=True,
        )
        text = re.sub(r"\\(un)?restrict \w+", "", done.stdout)
        return sorted(line.rstrip(",") for line in text.splitlines())


def turned(place: Place, old: Reading, new: Reading) -> list[str]:
    """Turn a place from one reading into the other; the statements that did it."""
    run = statements(plan(old, new))
    place.run(run)
    return run
