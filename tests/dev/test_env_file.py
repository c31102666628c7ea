""".env: made once, with secrets nobody else has, and kept complete."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dev import DevError, env_file

EXAMPLE = """\
# change-me is what you have to change
PORT=3001
DB_OWNER_PASSWORD=change-me
JWT_SECRET="change-me-to-32-characters-or-more"
SENTRY_DSN=
"""


@pytest.fixture
def example(tmp_path: Path) -> Path:
    path = tmp_path / ".env.example"
    path.write_text(EXAMPLE)
    return path


def made(example: Path) -> dict[str, str]:
    target = example.with_name(".env")
    target.unlink(missing_ok=True)
    assert env_file.create(example, target)
    return dict(line.split("=", 1) for line in target.read_text().splitlines() if "=" in line)


def test_secrets_are_fresh(example: Path) -> None:
    first, second = made(example), made(example)
    secrets = {found[name] for found in (first, second) for name in ("DB_OWNER_PASSWORD", "JWT_SECRET")}
    assert len(secrets) == 4
    assert min(map(len, secrets)) >= 43


def test_all_else_is_kept(example: Path) -> None:
    found = made(example)
    assert (found["PORT"], found["SENTRY_DSN"]) == ("3001", "")
    assert example.with_name(".env").read_text().startswith("# change-me is what you have to change\n")
    assert example.read_text() == EXAMPLE


def test_nobody_else_may_read_it(example: Path) -> None:
    made(example)
    assert example.with_name(".env").stat().st_mode & 0o777 == 0o600
    assert len(list(example.parent.iterdir())) == 2


def test_an_existing_file_is_never_touched(example: Path) -> None:
    target = example.with_name(".env")
    target.write_text("JWT_SECRET=change-me\n")
    assert not env_file.create(example, target)
    assert target.read_text() == "JWT_SECRET=change-me\n"


def test_a_secret_that_is_new_is_added_once(example: Path) -> None:
    target = example.with_name(".env")
    target.write_text("JWT_SECRET=mine")
    assert env_file.complete(example, target) == ["DB_OWNER_PASSWORD"]
    assert env_file.complete(example, target) == []
    kept, added = target.read_text().splitlines()
    assert kept == "JWT_SECRET=mine"
    assert added.startswith("DB_OWNER_PASSWORD=")
    assert len(added) > 64


@pytest.mark.parametrize("name", ["JWT_SECRET", "JWT_SECRET_FILE"])
def test_a_secret_given_otherwise_is_not_added(
    example: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    target = example.with_name(".env")
    target.write_text(f"{name}=\n")
    monkeypatch.setenv("DB_OWNER_PASSWORD", "from the environment")
    assert env_file.complete(example, target) == []


def test_two_at_once_add_a_secret_once(example: Path) -> None:
    target = example.with_name(".env")
    target.write_text("")
    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda _: env_file.complete(example, target), range(8)))
    assert sorted(map(len, added)) == [0] * 7 + [2]
    assert target.read_text().count("=") == 2


def test_a_file_made_meanwhile_is_never_touched(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = example.with_name(".env")
    target.write_text("theirs\n")
    monkeypatch.setattr(Path, "exists", lambda _path: False)
    assert not env_file.create(example, target)
    assert target.read_text() == "theirs\n"


def test_settings_are_read(example: Path) -> None:
    password = made(example)["DB_OWNER_PASSWORD"]
    assert env_file.read(example.with_name(".env")) == env_file.Settings(
        3001, "127.0.0.1", 5432, "postgres", password
    )


def test_the_environment_wins(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(example)
    monkeypatch.setenv("PORT", "3002")
    monkeypatch.setenv("DB_PORT", "")
    settings = env_file.read(example.with_name(".env"))
    assert (settings.port, settings.db_port) == (3002, 5432)


def test_what_holds_for_one_run_only_is_told(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(example)
    monkeypatch.setenv("PORT", "3002")
    monkeypatch.setenv("DB_PORT", "5433")
    assert env_file.read(example.with_name(".env")).passing == "PORT=3002 DB_PORT=5433"
    monkeypatch.setenv("PORT", "3001")
    monkeypatch.delenv("DB_PORT")
    assert env_file.read(example.with_name(".env")).passing == ""


def test_a_secret_may_come_from_a_file(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example.parent / "secret").write_text("from a file\n")
    monkeypatch.setenv("DB_OWNER_PASSWORD_FILE", str(example.parent / "secret"))
    assert env_file.read(example).db_owner_password == "from a file"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PORT", "eighty", "PORT=eighty is no port"),
        ("DB_PORT", "65536", "DB_PORT=65536 is no port"),
        ("APP_ENV", "production", "APP_ENV=production"),
        ("DB_OWNER_PASSWORD", "", "DB_OWNER_PASSWORD is missing"),
        ("DB_OWNER_PASSWORD_FILE", "/nowhere", "DB_OWNER_PASSWORD_FILE=/nowhere cannot be read"),
    ],
)
def test_a_wrong_setting_is_said_in_one_line(
    example: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(DevError, match=said) as error:
        env_file.read(example)
    assert error.value.exit_code == 78
    assert "\n" not in str(error.value)
