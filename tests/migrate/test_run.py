"""Up, down, as far as asked; each file whole or not at all."""

import pytest

from app.errors import MigrationError
from app.migrate import MigrationDatabase, applied, file_names, migrate, pending, rollback
from tests.scratch import Folder

NAMES = file_names()
THREE = ["001_a", "002_b", "003_c"]


@pytest.fixture
def three(folder: Folder, owner: MigrationDatabase) -> MigrationDatabase:
    """Three files that make a table each."""
    for name in THREE:
        folder.write(name, f"CREATE TABLE t{name} (id int)", f"DROP TABLE t{name}")
    return owner


def test_every_pending_file_of_the_product_runs_once(product: MigrationDatabase) -> None:
    assert pending(product) == NAMES
    assert [step.name for step in migrate(product)] == NAMES
    assert list(migrate(product)) == []
    assert applied(product) == NAMES


def test_the_latest_file_is_reverted_first(three: MigrationDatabase) -> None:
    list(migrate(three))
    assert [step.name for step in rollback(three)] == ["003_c"]
    assert [step.name for step in rollback(three, count=2)] == ["002_b", "001_a"]
    assert applied(three) == []


def test_a_target_is_the_last_file_that_runs(three: MigrationDatabase) -> None:
    assert [step.name for step in migrate(three, to="002_b")] == ["001_a", "002_b"]
    assert list(migrate(three, to="001_a")) == []


def test_a_target_is_the_first_file_that_stays(three: MigrationDatabase) -> None:
    list(migrate(three))
    assert [step.name for step in rollback(three, to="001_a")] == ["003_c", "002_b"]


def test_an_unknown_target_runs_nothing(three: MigrationDatabase) -> None:
    with pytest.raises(MigrationError, match="'004_d' is not among the migrations"):
        list(migrate(three, to="004_d"))
    with pytest.raises(MigrationError, match="'001_a' is not among the applied migrations"):
        list(rollback(three, to="001_a"))
    assert applied(three) == []


def test_more_than_there_is_cannot_be_reverted(three: MigrationDatabase) -> None:
    list(migrate(three))
    with pytest.raises(MigrationError, match=r"9 migrations .* only 3"):
        list(rollback(three, count=9))
    assert applied(three) == THREE


def test_a_faked_file_is_recorded_and_not_run(three: MigrationDatabase) -> None:
    assert [step.name for step in migrate(three, to="001_a", fake=True)] == ["001_a"]
    assert applied(three) == ["001_a"]
    assert three.execute_sql("SELECT to_regclass('t001_a')").fetchone() == (None,)


def test_a_file_that_fails_leaves_nothing_and_is_named(three: MigrationDatabase, folder: Folder) -> None:
    folder.write("002_b", "CREATE TABLE x (id int)\nSELECT nonsense")
    with pytest.raises(MigrationError, match=r"002_b failed and nothing of it was applied.*nonsense"):
        list(migrate(three))
    assert three.execute_sql("SELECT to_regclass('x')").fetchone() == (None,)
    assert applied(three) == ["001_a"]


def test_a_file_whose_python_fails_is_named_too(three: MigrationDatabase, folder: Folder) -> None:
    folder.write_python("002_b", "raise LookupError('nobody home')")
    with pytest.raises(MigrationError, match=r"002_b failed .*LookupError: nobody home"):
        list(migrate(three))


def test_a_file_with_one_direction_is_refused_before_anything_is_reverted(
    three: MigrationDatabase, folder: Folder
) -> None:
    text = (folder.path / "002_b.py").read_text()
    (folder.path / "002_b.py").write_text(text.partition("def rollback")[0])
    list(migrate(three))
    with pytest.raises(MigrationError, match="002_b has no function `rollback`"):
        list(rollback(three, count=2))
    assert applied(three) == THREE


def test_peewee_migrates_own_operations_work_too(owner: MigrationDatabase, folder: Folder) -> None:
    folder.write_python(
        "001_a", "migrator.sql('CREATE TABLE a (id int)')\nmigrator.run(database.execute_sql, 'SELECT 1')"
    )
    list(migrate(owner))
    assert applied(owner) == ["001_a"]


def test_nothing_of_peewee_is_patched_while_a_file_runs(owner: MigrationDatabase, folder: Folder) -> None:
    for name in ("001_a", "002_b"):
        check = "import peewee; assert type(peewee.Database.execute_sql).__name__ == 'function'"
        folder.write_python(name, f"{check}\nmigrator.sql('SELECT 1')")
    assert len(list(migrate(owner))) == 2


@pytest.mark.parametrize(("head", "limit"), [("", "1min"), ('statement_timeout = "10min"', "10min")])
def test_a_file_may_set_its_own_limit(
    owner: MigrationDatabase, folder: Folder, head: str, limit: str
) -> None:
    query = "SELECT current_setting('statement_timeout') AS one, current_setting('lock_timeout') AS other"
    folder.write("001_a", f"CREATE TABLE seen AS {query}", head=head)
    list(migrate(owner))
    assert owner.execute_sql("SELECT * FROM seen").fetchone() == (limit, "1s")
    assert owner.execute_sql("SHOW statement_timeout").fetchone() == ("1min",)


def test_a_statement_that_takes_too_long_is_ended(owner: MigrationDatabase, folder: Folder) -> None:
    folder.write("001_a", "SELECT pg_sleep(10)", head='statement_timeout = "50ms"')
    with pytest.raises(MigrationError, match="statement timeout"):
        list(migrate(owner))
