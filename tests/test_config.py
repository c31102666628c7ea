"""The settings: every problem at once, no secret shown, and three documents in step."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from decouple import RepositoryEnv

from app.config import ROOT, SECRETS, Settings, SettingsSchema, read_settings
from app.errors import ConfigurationError

GOOD = {"DB_PASSWORD": "application", "JWT_SECRET": "x" * 32}
PRODUCTION = {
    "APP_ENV": "production",
    "DB_PASSWORD": "qK8_rT2-vB6xW4mZ",
    "JWT_SECRET": "Zx81-pQ72_mN63+vB54=cX45~aS36!dF27",
    "DB_SSLMODE": "verify-full",
    "DB_SSLROOTCERT": "system",
}
NOWHERE = Path("/nowhere/.env")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SettingsSchema().fields:
        monkeypatch.delenv(name, raising=False)


def read(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    """Read the settings of an environment."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return read_settings(NOWHERE)


def problems(monkeypatch: pytest.MonkeyPatch, **variables: str) -> list[str]:
    """What is wrong with an environment."""
    with pytest.raises(ConfigurationError) as caught:
        read(monkeypatch, **variables)
    return caught.value.problems


def test_two_secrets_are_all_that_must_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch, **GOOD)
    assert (settings.port, settings.db_pool_max, settings.jwt_expiry) == (3001, 10, timedelta(minutes=30))


def test_every_problem_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = problems(monkeypatch, PORT="abc", DB_POOL_MIN="11", APP_ENV="prod", JWT_SECRET="short")
    assert [line.split(":")[0].split(" ")[0] for line in found] == [
        "APP_ENV",
        "PORT",
        "DB_PASSWORD",
        "DB_POOL_MIN",
        "JWT_SECRET",
    ]


def test_a_problem_names_the_variable_what_was_given_and_what_would_be_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert problems(monkeypatch, **GOOD, PORT="70000") == [
        "PORT: '70000' will not do; it must be a port from 1 to 65535"
    ]


@pytest.mark.parametrize(
    "port", ["0", "65536", "-1", " 80", "8_0", "8.0", "0x50", "\uff18\uff10", "1e3", "9" * 40]
)
def test_a_port_is_a_port(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    assert problems(monkeypatch, **GOOD, DB_PORT=port)[0].startswith("DB_PORT")


@pytest.mark.parametrize(("given", "meant"), [("45s", 45), ("30m", 1800), ("12h", 43200), ("7d", 604800)])
def test_an_expiry_is_a_duration(monkeypatch: pytest.MonkeyPatch, given: str, meant: int) -> None:
    assert read(monkeypatch, **GOOD, JWT_EXPIRY=given).jwt_expiry.total_seconds() == meant


@pytest.mark.parametrize("given", ["30", "m", "0m", "-1h", "1w", "1.5h", "30 m"])
def test_other_expiries_are_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    assert problems(monkeypatch, **GOOD, JWT_EXPIRY=given)[0].startswith("JWT_EXPIRY")


@pytest.mark.parametrize("given", ["nan", "inf", "-1", "", "0.01", "31"])
def test_a_timeout_is_a_number_of_seconds(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    if not given:
        assert read(monkeypatch, **GOOD, DB_CONNECT_TIMEOUT=given).db_connect_timeout == 2.0
    else:
        assert problems(monkeypatch, **GOOD, DB_CONNECT_TIMEOUT=given)[0].startswith("DB_CONNECT_TIMEOUT")


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("PORT=4000\nDB_NAME=from_file\nDB_PASSWORD=a\nJWT_SECRET=" + "x" * 32)
    monkeypatch.setenv("PORT", "5000")
    settings = read_settings(file)
    assert (settings.port, settings.db_name) == (5000, "from_file")


def test_a_secret_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from a file\r\n")
    settings = read(monkeypatch, JWT_SECRET="x" * 32, DB_PASSWORD_FILE=str(tmp_path / "secret"))
    assert settings.db_password == "from a file"


def test_a_secret_given_twice_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("b")
    (found,) = problems(monkeypatch, **GOOD, DB_PASSWORD_FILE=str(tmp_path / "secret"))
    assert found.startswith("DB_PASSWORD: given twice")


@pytest.mark.parametrize("path", ["/nowhere", "/"])
def test_a_secrets_file_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    found = problems(monkeypatch, JWT_SECRET="x" * 32, DB_PASSWORD_FILE=path)
    assert f"DB_PASSWORD_FILE='{path}' cannot be read" in found[0]


def test_no_problem_shows_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    weak = {
        "DB_PASSWORD": "hunter2",
        "JWT_SECRET": "opensesame",
        "DB_OWNER_PASSWORD": "letmein",
        "SENTRY_DSN": "s3cret",
    }
    found = "\n".join(problems(monkeypatch, APP_ENV="production", **weak))
    assert not [value for value in weak.values() if value in found]
    assert all(name in found for name in weak)


def test_no_repr_shows_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "application" not in repr(read(monkeypatch, **GOOD))


def test_the_settings_are_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AttributeError):
        read(monkeypatch, **GOOD).port = 1  # type: ignore[misc]  # that it is refused is the point


def test_production_takes_good_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, **PRODUCTION).in_production


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("JWT_SECRET", "change-me-to-a-secret-of-at-least-32-characters", "the placeholder is public"),
        ("JWT_SECRET", "ab" * 20, "can be guessed"),
        ("DB_PASSWORD", "postgres", "can be guessed"),
        ("DB_OWNER_PASSWORD", "change-me-owner", "the placeholder is public"),
        ("DB_USER", "admin", "passes every policy"),
        ("DB_SSLMODE", "require", "stand in for the database"),
        ("DB_SSLROOTCERT", "", "verify-full checks against"),
    ],
)
def test_production_refuses_and_says_why(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, why: str
) -> None:
    (found,) = problems(monkeypatch, **PRODUCTION | {name: value})
    assert found.startswith(name)
    assert why in found


def test_the_application_is_never_the_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = problems(monkeypatch, **GOOD, DB_USER="postgres")
    assert "the owner is not held by the policies" in found


# --- documents in step ------------------------------------------------------------------------------


def test_the_example_file_has_every_variable_and_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    example = RepositoryEnv(str(ROOT / ".env.example")).data
    assert list(example) == list(SettingsSchema().fields)
    for name, value in example.items():
        monkeypatch.setenv(name, value)
    from_example = read_settings(NOWHERE)
    for name in example.keys() - {"DB_PASSWORD", "DB_OWNER_PASSWORD", "JWT_SECRET"}:
        monkeypatch.delenv(name)
    assert read_settings(NOWHERE) == from_example


def test_the_documentation_has_every_variable_and_its_default() -> None:
    rows = re.findall(
        r"^\| `([A-Z_]+)` \| ([^|]*?) \|", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE
    )
    example = RepositoryEnv(str(ROOT / ".env.example")).data
    required = {"DB_PASSWORD", "JWT_SECRET"}
    plain = {name: "" if value.startswith("change-me") else value for name, value in example.items()}
    assert dict(rows) == {
        name: "required" if name in required else f"`{value}`" if value else ""
        for name, value in plain.items()
    }


def test_every_secret_is_a_variable() -> None:
    assert SettingsSchema().fields.keys() >= SECRETS
