"""`python -m benchmarks.catalog`: reading, checking and revising a schema of many tables."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from playhouse.postgres_ext import PostgresqlExtDatabase

from app.catalog import Reading, plan, read
from benchmarks.data import NAME, PROJECT, environment
from benchmarks.table import table
from dev.cluster import Cluster, throwaway

TABLES = 150
ATTEMPTS = 5
RESULT = PROJECT / "benchmarks" / "results" / "catalog.md"
MODEL = '''
class Part{name}(SoftDeleteModel):
    """A model like any other."""

    serialNumber = CharField(max_length=50, unique=True)
    rca = TenantForeignKey("rcas", null=True)
    status = CharField(max_length=20, constraints=[SQL("DEFAULT 'open'")])
    details = BinaryJSONField(index=False, constraints=[SQL("DEFAULT '{{}}'")])
    note = TextField(null=True)

    class Meta:
        """Listed by age."""

        indexes = (
            index("tenant_id", "created_at DESC", "id DESC", alive=True),
            index("tenant_id", "status"),
        )
        constraints = (check("status_valid", "status IN ('open', 'closed')"),)
'''
HEAD = '''"""Many models."""

from peewee import SQL, CharField, TextField
from playhouse.postgres_ext import BinaryJSONField

from app.models import SoftDeleteModel, TenantForeignKey, check, index
'''
INIT = '''"""Many tables."""

from app.parts import models as models


def init_app(*_: object) -> None:
    """Nothing to register."""
'''


class Project:
    """A copy of the project with many models, and the database it works on."""

    def __init__(self, folder: Path, server: Cluster) -> None:
        self.folder, self.server = folder, server
        self.environment = environment(server) | {"PYTHONPATH": str(folder)}
        for name in ("app", "migrations"):
            shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(PROJECT / "wsgi.py", folder)
        self.flask("db-bootstrap")
        self.flask("db-migrate")

    def grow(self, tables: int) -> None:
        """Have a feature with models for this many tables more."""
        feature = self.folder / "app" / "parts"
        feature.mkdir(exist_ok=True)
        # names of letters alone, so that their plurals are regular
        names = (chr(65 + number // 26) + chr(97 + number % 26) + "x" for number in range(tables))
        (feature / "models.py").write_text(HEAD + "".join(MODEL.format(name=name) for name in names))
        (feature / "__init__.py").write_text(INIT)
        (feature / "routes.py").write_text('"""No routes."""\n')

    def flask(self, *arguments: str) -> float:
        """Run a command; the seconds it took. Raises CalledProcessError after its own complaint."""
        began = time.perf_counter()
        command = [sys.executable, "-m", "flask", *arguments]
        subprocess.run(command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, check=True)
        return time.perf_counter() - began

    def database(self) -> PostgresqlExtDatabase:
        """The database as its owner sees it."""
        server = self.server
        return PostgresqlExtDatabase(
            NAME, host=server.host, port=server.port, user=server.user, password=server.password
        )


def main() -> None:
    """Measure, print and write the table."""
    with throwaway() as server, tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder), server)
        rows = _measured(project)
    page = f"# Catalog: {TABLES} tables\n\n{os.cpu_count()} cores shared with the database.\n\n"
    page += table(["", "ms", "aim"], rows) + "\n"
    print(page)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(page)


def _measured(project: Project) -> list[list[str]]:
    project.grow(TABLES - 3)
    start = _best(lambda: project.flask("--help"))
    revision = project.flask("db-revision", "many") - start
    project.flask("db-migrate")
    nothing = _best(lambda: project.flask("db-revision", "nothing"))
    project.grow(TABLES - 2)
    one = project.flask("db-revision", "one_more")
    project.flask("db-migrate")
    check = _best(lambda: project.flask("db-check")) - start
    with closing(project.database()) as database:
        reading = read(database)
        reads = _best(lambda: read(database))
        plans = _best(lambda: plan(Reading({}, {}), reading))
    return [
        ["start of a command (flask --help)", _ms(start), ""],
        [f"reading the database ({len(reading.objects):,} objects)", _ms(reads), "150"],
        ["planning all of it from nothing", _ms(plans), ""],
        ["flask db-check, beyond start", _ms(check), "1,000"],
        ["flask db-revision, nothing to do", _ms(nothing), "3,000"],
        ["flask db-revision, one new table", _ms(one), "3,000"],
        [f"flask db-revision, {TABLES - 3} new tables, beyond start", _ms(revision), ""],
    ]


def _best(measure: Callable[[], object]) -> float:
    """The best of some runs, in seconds; what the run itself returns counts when it is a time."""
    seconds = []
    for _ in range(ATTEMPTS):
        began = time.perf_counter()
        measure()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f}"


if __name__ == "__main__":
    main()
