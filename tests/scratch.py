"""Databases of a test's own, owned by somebody who is no superuser, and migration files to run on them."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import dedent, indent

from app.bootstrap import bootstrap
from app.config import Settings
from app.migrate import MigrationDatabase, migrate
from tests.logins import as_owner

OWNER = "fixapp_owner"


_MAKE_OWNER = f"""
DO $$ BEGIN
    CREATE ROLE {OWNER} LOGIN PASSWORD '{OWNER}' NOSUPERUSER NOBYPASSRLS;
EXCEPTION WHEN duplicate_object THEN
END $$
"""
# quicker than another database for each test
_EMPTY = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid();
DROP SCHEMA IF EXISTS app CASCADE; DROP SCHEMA public CASCADE;
CREATE SCHEMA public AUTHORIZATION pg_database_owner;
"""


@contextmanager
def scratch_database(settings: Settings, name: str) -> Iterator[Settings]:
    """The settings of a new database whose owner may nothing but own it."""
    own = replace(settings, db_name=name)
    list(bootstrap(own))
    _on_server(settings, _MAKE_OWNER)
    empty(settings, name)
    yield replace(own, db_owner_user=OWNER, db_owner_password=OWNER)
    _on_server(settings, f"DROP DATABASE {name} WITH (FORCE)")


def _on_server(settings: Settings, statement: str) -> None:
    with closing(as_owner(settings, "postgres")) as conn, conn.cursor() as cursor:
        cursor.execute(statement)


def empty(settings: Settings, name: str) -> None:
    """Make a scratch database as good as new."""
    with closing(as_owner(settings, name)) as conn, conn.cursor() as cursor:
        cursor.execute(_EMPTY)
        cursor.execute(f"ALTER DATABASE {name} OWNER TO {OWNER}")
        cursor.execute(f"GRANT USAGE ON SCHEMA public TO {settings.db_user}")


@dataclass(frozen=True)
class Folder:
    """A folder of migration files, written line by line."""

    path: Path

    def write(self, name: str, up: str, down: str = "SELECT 1", *, head: str = "") -> None:
        """A file that runs SQL, one statement a line, in both directions."""
        self.write_python(name, _calls(up), _calls(down), head=head)

    def write_python(self, name: str, up: str, down: str = "pass", *, head: str = "") -> None:
        """A file with Python in it."""
        signature = "(migrator, database, *, fake=False):\n"
        functions = [
            f"def {title}{signature}{indent(dedent(body), '    ')}"
            for title, body in {"migrate": up, "rollback": down}.items()
        ]
        imports = "from app.migrate import backfill, sight\n"
        (self.path / f"{name}.py").write_text("\n\n".join([imports + head, *functions]) + "\n")


def _calls(statements: str) -> str:
    lines = [line.strip() for line in statements.strip().splitlines()]
    return "\n".join(f"migrator.sql({line!r})" for line in lines)


def migrated(settings: Settings, folder: Path) -> list[str]:
    """Run what is pending, give the lock back, and tell what ran."""
    database = MigrationDatabase(settings, folder)
    try:
        return [step.name for step in migrate(database)]
    finally:
        database.close_all()
