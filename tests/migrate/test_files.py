"""Nothing runs while a file is in doubt, and every file in doubt is named."""

from contextlib import closing

import pytest

from app.errors import MigrationError, MigrationFilesError
from app.migrate import MigrationDatabase, applied, migrate, rollback
from tests.logins import as_owner
from tests.scratch import Folder, migrated

TABLE = "CREATE TABLE things (id int)"


@pytest.fixture(autouse=True)
def two_files(folder: Folder) -> None:
    """A folder in order."""
    folder.write("001_things", TABLE, "DROP TABLE things")
    folder.write("002_more", "CREATE TABLE more (id int)", "DROP TABLE more")


def refusal(owner: MigrationDatabase) -> str:
    """What is said instead of running anything; and nothing was run."""
    before = applied(owner)
    with pytest.raises(MigrationFilesError) as refused:
        list(migrate(owner))
    assert applied(owner) == before
    return refused.value.message


def test_a_folder_in_order_runs(owner: MigrationDatabase) -> None:
    assert [step.name for step in migrate(owner)] == ["001_things", "002_more"]


@pytest.mark.parametrize("name", ["0003_x", "3_x", "20260101_x", "003-x", "x"])
def test_a_name_that_peewee_migrate_passes_over_is_refused(
    owner: MigrationDatabase, folder: Folder, name: str
) -> None:
    folder.write(name, TABLE)
    assert f"{name} is misnumbered" in refusal(owner)


def test_a_gap_is_refused(owner: MigrationDatabase, folder: Folder) -> None:
    folder.write("004_late", TABLE)
    assert "004_late is misnumbered: 003 comes next" in refusal(owner)


def test_two_files_with_one_number_are_refused(owner: MigrationDatabase, folder: Folder) -> None:
    folder.write("002_other", TABLE)
    assert "002_more and 002_other have the same number" in refusal(owner)


def test_conf_is_no_migration(owner: MigrationDatabase, folder: Folder) -> None:
    (folder.path / "conf.py").write_text("")
    (folder.path / "README.md").write_text("")
    assert len(list(migrate(owner))) == 2


def test_an_edited_file_is_refused(owner: MigrationDatabase, folder: Folder) -> None:
    list(migrate(owner))
    folder.write("001_things", "CREATE TABLE things (id bigint)")
    folder.write("003_next", "CREATE TABLE next (id int)")
    assert "001_things was edited after it ran here" in refusal(owner)


def test_an_edited_file_is_not_reverted_either(owner: MigrationDatabase, folder: Folder) -> None:
    list(migrate(owner))
    folder.write("002_more", TABLE)
    with pytest.raises(MigrationFilesError, match="002_more was edited"):
        list(rollback(owner))


def test_a_file_may_be_edited_until_it_runs(owner: MigrationDatabase, folder: Folder) -> None:
    list(migrate(owner, to="001_things"))
    folder.write("002_more", "CREATE TABLE much_more (id int)")
    assert [step.name for step in migrate(owner)] == ["002_more"]


def test_a_missing_file_is_refused(owner: MigrationDatabase, folder: Folder) -> None:
    list(migrate(owner))
    (folder.path / "001_things.py").rename(folder.path / "001_renamed.py")
    assert "001_things ran here, but its file is missing" in refusal(owner)


def test_what_the_code_does_not_know_is_refused(owner: MigrationDatabase, folder: Folder) -> None:
    list(migrate(owner))
    (folder.path / "002_more.py").unlink()
    assert "002_more ran here and is unknown to this code" in refusal(owner)


def test_a_branch_that_comes_late_is_refused(owner: MigrationDatabase, folder: Folder) -> None:
    list(migrate(owner))
    owner.execute_sql("DELETE FROM migratehistory WHERE name = '001_things'")
    assert "001_things has not run, but 002_more has" in refusal(owner)


def test_all_that_is_wrong_is_told_at_once(owner: MigrationDatabase, folder: Folder) -> None:
    list(migrate(owner))
    folder.write("001_things", "SELECT 1")
    folder.write("002_more", "SELECT 1")
    assert refusal(owner).count("was edited") == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def migrate(:", "003_bad cannot be read: SyntaxError"),
        ("import nowhere", "003_bad cannot be read: ModuleNotFoundError"),
        ("x = 1", "003_bad has no function `migrate"),
    ],
)
def test_a_file_that_is_none_is_named(owner: MigrationDatabase, folder: Folder, text: str, said: str) -> None:
    (folder.path / "003_bad.py").write_text(text)
    with pytest.raises(MigrationError, match=said.replace("(", r"\(")):
        list(migrate(owner))


def test_an_older_history_gets_what_it_lacks(owner: MigrationDatabase, folder: Folder) -> None:
    list(migrate(owner, to="001_things"))
    owner.close_all()
    plant(owner, "ALTER TABLE migratehistory DROP COLUMN checksum, DROP CONSTRAINT uniq_migratehistory_name")
    assert migrated(owner.settings, folder.path) == ["002_more"]
    owner.connect()
    missing = owner.execute_sql("SELECT count(*) FROM migratehistory WHERE checksum IS NULL")
    assert missing.fetchone() == (0,)


def test_a_history_that_has_a_file_twice_is_refused(owner: MigrationDatabase) -> None:
    list(migrate(owner))
    owner.close_all()
    plant(owner, "ALTER TABLE migratehistory DROP CONSTRAINT uniq_migratehistory_name")
    plant(owner, "INSERT INTO migratehistory (name) VALUES ('001_things')")
    with pytest.raises(MigrationError, match="001_things"):
        owner.connect()


def plant(owner: MigrationDatabase, statement: str) -> None:
    """Change the history behind the migrator's back."""
    with closing(as_owner(owner.settings)) as conn, conn.cursor() as cursor:
        cursor.execute(statement)
