"""flask db-revision as a newcomer uses it: in a copy of the project, with a feature of his own."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg2
import pytest

from app.bootstrap import bootstrap
from app.config import Settings
from tests.factories import make_environment
from tests.logins import as_owner
from tests.scratch import migrated

ROOT = Path(__file__).parents[2]
MODEL = '''"""What is repaired."""

from peewee import SQL, CharField, IntegerField
from playhouse.postgres_ext import BinaryJSONField

from app.models import SoftDeleteModel, TenantForeignKey, check, index


class Sprocket(SoftDeleteModel):
    """A sprocket of a tenant."""

    serialNumber = CharField(max_length=50, unique=True)
    rca = TenantForeignKey("rcas", null=True)
    details = BinaryJSONField(index=False, constraints=[SQL("DEFAULT '{}'")])
    titel = CharField(max_length=80, null=True)
    hours = IntegerField(constraints=[SQL("DEFAULT 0")])

    class Meta:
        """Listed by age."""

        indexes = (index("tenant_id", "created_at DESC", "id DESC", alive=True),)
        constraints = (
            check("serial_given", r"serial_number ~ '^[A-Z]\\d+ ?%?$'"),
            check("hours_even", "hours % 2 = 0"),
        )
'''
CHANGED = (
    MODEL.replace("titel =", "title =")
    .replace("IntegerField(", "BigIntegerField(")
    .replace("IntegerField\n", "BigIntegerField\n")
    .replace("CharField, IntegerField", "BigIntegerField, CharField")
    .replace("    details = BinaryJSONField(index=False, constraints=[SQL(\"DEFAULT '{}'\")])\n", "")
    .replace("from playhouse.postgres_ext import BinaryJSONField\n", "")
)


@dataclass
class Project:
    """A copy of the project, and the database it works on."""

    folder: Path
    settings: Settings

    def flask(self, *arguments: str, answers: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command there."""
        return subprocess.run(
            [Path(sys.executable).with_name("flask"), *arguments],
            cwd=self.folder,
            # no new bytecode: a model changed within a second would not be seen to have changed
            env=make_environment(self.settings)
            | {"PYTHONUTF8": "1", "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"},
            input=answers,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def says(self, *arguments: str) -> str:
        """What a command says that must succeed."""
        done = self.flask(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def model(self, text: str) -> None:
        """Give the feature this model."""
        folder = self.folder / "app" / "sprockets"
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").write_text(
            '"""Sprockets."""\n\nfrom app.sprockets.models import Sprocket\n\n__all__ = ["Sprocket"]\n\n\n'
            'def init_app(*_: object) -> None:\n    """Nothing to register."""\n'
        )
        (folder / "routes.py").write_text('"""No routes yet."""\n')
        (folder / "models.py").write_text(text)

    def migration(self, number: int) -> str:
        """The text of a migration; empty where there is none."""
        return "".join(path.read_text() for path in self.folder.glob(f"migrations/{number:03d}_*.py"))

    @property
    def latest(self) -> int:
        """The number of the last migration."""
        return max(int(path.name[:3]) for path in self.folder.glob("migrations/[0-9]*.py"))


@pytest.fixture
def project(settings: Settings, tmp_path: Path) -> Iterator[Project]:
    """A copy of the project with a migrated database."""
    for name in ("app", "migrations"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("wsgi.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    own = replace(settings, db_name="fixapp_revision")
    list(bootstrap(own))
    migrated(own, ROOT / "migrations")
    yield Project(tmp_path, own)
    with closing(as_owner(settings, "postgres")) as conn, conn.cursor() as cursor:
        cursor.execute("DROP DATABASE fixapp_revision WITH (FORCE)")


def test_nothing_to_do_is_said_and_nothing_written(project: Project) -> None:
    before = project.latest
    assert "Nothing to do" in project.says("db-revision", "nothing")
    assert project.latest == before


def test_a_feature_from_its_first_line_to_its_changes(project: Project) -> None:
    """The whole of README's chapter: a new model, its migration, and then everything a model goes through."""
    first = project.latest + 1
    project.model(MODEL)
    assert f"migrations/{first:03d}_add_sprockets.py" in project.says("db-revision", "add_sprockets")
    assert_everything_is_in(project.migration(first))
    project.says("db-migrate")
    assert "✓ drift" in project.says("db-check")
    assert_alive(project.settings)

    project.model(CHANGED)
    refused = project.flask("db-revision", "change_sprockets")
    assert refused.returncode == 1
    assert "every value of sprockets.titel" in refused.stderr
    assert "every value of sprockets.details" in refused.stderr
    assert not project.migration(first + 1)

    rename = ("--rename", "sprockets.titel=title")
    refused = project.flask("db-revision", "change_sprockets", *rename)
    assert "sprockets.titel" not in refused.stderr
    assert "every value of sprockets.details" in refused.stderr
    project.says("db-revision", "change_sprockets", *rename, "--confirm-data-loss")
    text = project.migration(first + 1)
    assert "ALTER TABLE sprockets RENAME COLUMN titel TO title;" in text
    assert "-- loses every value of sprockets.details\nALTER TABLE sprockets DROP COLUMN details;" in text
    assert "-- rewrites sprockets: nobody reads or writes it meanwhile" in text
    assert "ALTER TABLE sprockets ALTER hours TYPE bigint;" in text
    project.says("db-migrate")
    assert "✓ drift" in project.says("db-check")
    assert_lints(project)
    project.says("db-rollback", "--count", "2")
    assert "✓ drift" in project.flask("db-check").stdout


def test_a_renamed_table_takes_everything_along(project: Project) -> None:
    project.model(MODEL)
    project.says("db-revision", "add_sprockets")
    project.model(MODEL.replace("class Sprocket(", "class Cogwheel(").replace("Sprocket", "Cogwheel"))
    init = project.folder / "app" / "sprockets" / "__init__.py"
    init.write_text(
        init.read_text().replace("Sprocket", "Cogwheel").replace('"""Cogwheels."""', '"""Sprockets."""')
    )
    done = project.flask("db-revision", "rename_sprockets", "--rename", "sprockets=cogwheels")
    assert done.returncode == 0, done.stderr
    text = project.migration(project.latest)
    assert "ALTER TABLE sprockets RENAME TO cogwheels;" in text
    assert "ALTER INDEX" in text
    assert "DROP" not in text
    assert "CREATE" not in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add sprockets"], "is no name"),
        (["x", "--rename", "nonsense"], "neither table=new_name nor table.column=new_name"),
        (["x", "--rename", "rcas.titel=heading"], "no model has the column rcas.heading"),
        (["x", "--rename", "rcas.titel=title"], "titel"),
        (["x", "--rename", "things=rcas"], "make no table things"),
    ],
)
def test_a_mistake_is_one_clear_line(project: Project, arguments: list[str], said: str) -> None:
    done = project.flask("db-revision", *arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_what_a_killed_run_left_behind_is_swept(project: Project, settings: Settings) -> None:
    with closing(as_owner(settings, "postgres")) as conn, conn.cursor() as cursor:
        cursor.execute("CREATE DATABASE fixapp_revision_scratch_1_dead")
        cursor.execute("CREATE DATABASE fixapp_revision_scratch_2_live")
        cursor.execute("SELECT pg_advisory_lock(hashtext('fixapp_revision_scratch_2_live'))")
        project.says("db-revision", "nothing")
        cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE 'fixapp_revision_scratch%'")
        assert cursor.fetchall() == [("fixapp_revision_scratch_2_live",)]
        cursor.execute("DROP DATABASE fixapp_revision_scratch_2_live")


def test_an_owner_who_may_not_create_databases_is_told_what_to_do(
    project: Project, settings: Settings
) -> None:
    with closing(as_owner(settings, "postgres")) as conn, conn.cursor() as cursor:
        cursor.execute("CREATE ROLE plain LOGIN PASSWORD 'plain'")
    poor = replace(project.settings, db_owner_user="plain", db_owner_password="plain")
    done = Project(project.folder, poor).flask("db-revision", "x")
    assert done.returncode == 1
    assert "ALTER ROLE plain CREATEDB" in done.stderr


def assert_everything_is_in(text: str) -> None:
    """The table with all its rules, of which the author wrote not one word of SQL."""
    for part in (
        "CONSTRAINT fk_sprockets_tenants FOREIGN KEY (tenant_id) REFERENCES tenants (id)",
        "FOREIGN KEY (tenant_id, rca_id) REFERENCES rcas (tenant_id, id)",
        "CONSTRAINT uniq_sprockets_tenant_id_id UNIQUE (tenant_id, id)",
        "CREATE UNIQUE INDEX uniq_sprockets_tenant_id_serial_number_alive",
        "CREATE TRIGGER sprockets_set_updated_at BEFORE UPDATE ON sprockets",
        "ALTER TABLE sprockets FORCE ROW LEVEL SECURITY;",
        "WITH CHECK (tenant_id = (SELECT app.current_tenant()))",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON sprockets TO {database.application_role}",
        "-- loses every row of sprockets\nDROP TABLE sprockets;",
        "details jsonb DEFAULT '{}' NOT NULL",
    ):
        assert part in text
    assert (
        len(re.findall(r"CREATE (?:UNIQUE )?INDEX \w+ ON sprockets \(tenant_id, ", text))
        == text.count("INDEX idx_sprockets") + 1
    )


def assert_alive(settings: Settings) -> None:
    """The check with its backslash and its percent came through all quoting."""
    row = "INSERT INTO sprockets (tenant_id, serial_number) VALUES (%s, %s)"
    with closing(as_owner(settings)) as conn, conn.cursor() as cursor:
        cursor.execute("INSERT INTO tenants (name, subdomain) VALUES ('Acme', 'acme') RETURNING id")
        (tenant,) = cursor.fetchone()
        cursor.execute(row, (tenant, "A12 %"))
        with pytest.raises(psycopg2.errors.CheckViolation):
            cursor.execute(row, (tenant, "Ad"))


def assert_lints(project: Project) -> None:
    """What is written needs no hand before it is committed."""
    ruff = Path(sys.executable).with_name("ruff")
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [ruff, *command, "migrations"], cwd=project.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
