"""Rows are changed under forced row-level security by an owner who is no superuser: all, or it fails."""

from contextlib import closing

import psycopg2
import pytest

from app.errors import MigrationError
from app.migrate import MigrationDatabase, applied, migrate
from tests.logins import as_owner
from tests.scratch import Folder

FORCED = """CREATE TABLE parents (id int PRIMARY KEY, level int)
CREATE TABLE children (id int PRIMARY KEY, parent_id int, level int)
INSERT INTO parents SELECT n FROM generate_series(1, 25) n
INSERT INTO children SELECT n, n FROM generate_series(1, 25) n
ALTER TABLE parents ENABLE ROW LEVEL SECURITY
ALTER TABLE parents FORCE ROW LEVEL SECURITY
ALTER TABLE children ENABLE ROW LEVEL SECURITY
ALTER TABLE children FORCE ROW LEVEL SECURITY"""
CHANGE = "UPDATE children SET level = 1"
KEY = "ALTER TABLE children ADD CONSTRAINT fk FOREIGN KEY (parent_id) REFERENCES parents (id)"
BACKFILL = "migrator.run(backfill, database, 'children', 'level = 1', where='level IS NULL', batch=10)"
OUTSIDE = "transactional = False"


@pytest.fixture(autouse=True)
def forced(owner: MigrationDatabase, folder: Folder) -> None:
    """Two tables of 25 rows each, which their own owner cannot see."""
    folder.write("001_tables", FORCED)
    list(migrate(owner))


def behind(owner: MigrationDatabase, statement: str) -> list[tuple[object, ...]]:
    """What a statement says as the owner without our limits: the planted fault."""
    with closing(as_owner(owner.settings)) as conn, conn.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else [(cursor.statusmessage,)]


def changed(owner: MigrationDatabase) -> int:
    """How many rows are changed, seen past the policies."""
    with owner.atomic():
        owner.execute_sql("ALTER TABLE children NO FORCE ROW LEVEL SECURITY")
        count: int = owner.execute_sql("SELECT count(*) FROM children WHERE level = 1").fetchone()[0]
        owner.execute_sql("ALTER TABLE children FORCE ROW LEVEL SECURITY")
    return count


def forced_tables(owner: MigrationDatabase) -> int:
    """How many tables force row-level security."""
    query = "SELECT count(*) FROM pg_class WHERE relforcerowsecurity"
    count: int = owner.execute_sql(query).fetchone()[0]
    return count


def test_the_fault_an_update_touches_nothing_and_says_nothing(owner: MigrationDatabase) -> None:
    assert behind(owner, CHANGE) == [("UPDATE 0",)]


def test_the_fault_a_key_is_validated_over_a_dangling_row(owner: MigrationDatabase) -> None:
    dangle(owner)
    behind(owner, KEY)
    assert behind(owner, "SELECT convalidated FROM pg_constraint WHERE conname = 'fk'") == [(True,)]


@pytest.mark.parametrize(
    "statement", [CHANGE, KEY, "DELETE FROM children", "CREATE TABLE c AS SELECT * FROM children"]
)
def test_a_blind_step_is_refused_with_the_remedy(
    owner: MigrationDatabase, folder: Folder, statement: str
) -> None:
    dangle(owner)
    folder.write("002_blind", statement)
    with pytest.raises(MigrationError, match=r"002_blind failed .*wrap the step in `app.migrate.sight`"):
        list(migrate(owner))
    assert applied(owner) == ["001_tables"]


@pytest.mark.parametrize("head", ["", OUTSIDE])
def test_a_backfill_changes_every_row(
    owner: MigrationDatabase, folder: Folder, head: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.write_python("002_level", BACKFILL, head=head)
    list(migrate(owner))
    assert (changed(owner), forced_tables(owner)) == (25, 2)
    assert "children: 25 rows, " in capsys.readouterr().err


def test_with_sight_a_dangling_row_is_found(owner: MigrationDatabase, folder: Folder) -> None:
    dangle(owner)
    folder.write_python(
        "002_key", f"with sight(database, 'parents', 'children'):\n    database.execute_sql({KEY!r})"
    )
    with pytest.raises(MigrationError, match="violates foreign key constraint"):
        list(migrate(owner))
    assert forced_tables(owner) == 2


def test_with_sight_a_key_over_whole_rows_is_made(owner: MigrationDatabase, folder: Folder) -> None:
    folder.write_python(
        "002_key", f"with sight(database, 'parents', 'children'):\n    database.execute_sql({KEY!r})"
    )
    list(migrate(owner))
    assert forced_tables(owner) == 2


def test_sight_needs_a_transaction(owner: MigrationDatabase, folder: Folder) -> None:
    folder.write_python("002_open", "with sight(database, 'children'):\n    pass", head=OUTSIDE)
    with pytest.raises(MigrationError, match="`sight` outside a transaction"):
        list(migrate(owner))


@pytest.mark.parametrize("head", ["", OUTSIDE])
def test_a_trigger_that_swallows_rows_fails_the_backfill(
    owner: MigrationDatabase, folder: Folder, head: str
) -> None:
    swallow(owner)
    folder.write_python("002_level", BACKFILL, head=head)
    with pytest.raises(MigrationError, match="chose 5 rows and changed 4"):
        list(migrate(owner))
    assert changed(owner) == (20 if head else 0)


def test_batches_of_their_own_go_on_where_they_were_cut_off(owner: MigrationDatabase, folder: Folder) -> None:
    swallow(owner)
    folder.write_python("002_level", BACKFILL, head=OUTSIDE)
    with pytest.raises(MigrationError, match="changed 4"):
        list(migrate(owner))
    behind(owner, "DROP TRIGGER swallow ON children")
    list(migrate(owner))
    assert changed(owner) == 25


def test_a_percent_sign_is_doubled(owner: MigrationDatabase, folder: Folder) -> None:
    folder.write_python(
        "002_level", "migrator.run(backfill, database, 'children', 'level = 1', where='id %% 5 = 0')"
    )
    list(migrate(owner))
    assert changed(owner) == 5


def dangle(owner: MigrationDatabase) -> None:
    """Let one child lose its parent."""
    with owner.atomic():
        for step in ("NO FORCE", "FORCE"):
            owner.execute_sql(f"ALTER TABLE parents {step} ROW LEVEL SECURITY")
            owner.execute_sql("DELETE FROM parents WHERE id = 7") if step == "NO FORCE" else None


def swallow(owner: MigrationDatabase) -> None:
    """A trigger that refuses one row in silence."""
    behind(
        owner,
        "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN RETURN CASE WHEN NEW.id = 23 THEN NULL ELSE NEW END; END';"
        "CREATE TRIGGER swallow BEFORE UPDATE ON children FOR EACH ROW EXECUTE FUNCTION swallow()",
    )


def test_the_owner_of_these_tests_is_no_superuser(owner: MigrationDatabase) -> None:
    query = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
    assert owner.execute_sql(query).fetchone() == (False,)
    with closing(as_owner(owner.settings)) as conn, pytest.raises(psycopg2.errors.InsufficientPrivilege):
        conn.cursor().execute("CREATE ROLE another")
