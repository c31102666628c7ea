"""Reading the environment over .env, and saying everything that is wrong with it at once."""

from pathlib import Path

from decouple import Config, RepositoryEmpty, RepositoryEnv
from marshmallow import ValidationError

from app.config.schema import SECRETS, Rule, Settings, SettingsSchema
from app.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[2]


def read_settings(env_file: Path = ROOT / ".env") -> Settings:
    """The settings in force. Raises ConfigurationError with one line for each problem."""
    schema = SettingsSchema()
    given, problems = _read_all(schema, env_file)
    try:
        settings: Settings = schema.load(given)
    except ValidationError as error:
        wrong: dict[str, list[str]] = dict(error.messages_dict)
        problems = {name: _problem(schema, name, given.get(name), wrong[name]) for name in wrong} | problems
    if problems:
        raise ConfigurationError([problems[name] for name in schema.fields if name in problems])
    return settings


def _read_all(schema: SettingsSchema, env_file: Path) -> tuple[dict[str, str], dict[str, str]]:
    """What is given, and what could not be read. An empty variable counts as not given."""
    source = Config(RepositoryEnv(str(env_file)) if env_file.is_file() else RepositoryEmpty())
    given, problems = {}, {}
    for name in schema.fields:
        try:
            given[name] = _read(source, name)
        except ValueError as error:
            problems[name] = f"{name}: {error}"
    return {name: value for name, value in given.items() if value}, problems


def _read(source: Config, name: str) -> str:
    """The variable's value, or the content of the file that NAME_FILE names. Raises ValueError."""
    value: str = source(name, default="")
    path: str = source(f"{name}_FILE", default="") if name in SECRETS else ""
    if not path:
        return value
    if value:
        raise ValueError(f"given twice, as {name} and as {name}_FILE; keep one of them")
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise ValueError(f"{name}_FILE={path!r} cannot be read ({reason}); name a readable file") from None


def _problem(schema: SettingsSchema, name: str, value: str | None, texts: list[str]) -> str:
    rules = [text for text in texts if isinstance(text, Rule)]
    right = rules[0] if rules else schema.fields[name].metadata["right"]
    if not value:
        return f"{name} is missing; it must be {right}"
    shown = "its value (not shown)" if name in SECRETS else repr(value)
    return f"{name}: {shown} will not do; it must be {right}"
