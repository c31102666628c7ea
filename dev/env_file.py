"""The file .env: made from .env.example, read for what starts a development server."""

import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from decouple import Config, RepositoryEnv

from dev import MISCONFIGURED, DevError

PLACEHOLDER = re.compile(r"""^(?P<name>[^#=\n]+=\s*)["']?change-me.*$""", re.MULTILINE)


@dataclass(frozen=True)
class Settings:
    """What `make run` has to know; everything else is the application's business."""

    port: int
    db_host: str
    db_port: int
    db_owner_user: str
    db_owner_password: str


def create(example: Path, target: Path) -> bool:
    """Copy the example with fresh secrets, readable by this user only; tell whether there was none before.

    A file that exists is never touched, not even when two processes come at once.
    """
    if target.exists():
        return False
    text = PLACEHOLDER.sub(lambda line: line["name"] + secrets.token_urlsafe(32), example.read_text())
    aside = target.with_name(f"{target.name}.{os.getpid()}")
    aside.touch(mode=0o600)
    aside.write_text(text)
    try:
        os.link(aside, target)  # unlike a rename it refuses to replace a file
    except FileExistsError:
        return False
    finally:
        aside.unlink()
    return True


def read(path: Path) -> Settings:
    """Read the settings; a variable of the environment wins over the file.

    Raises DevError, with exit code 78, for one that is missing or no port, and for production.
    """
    variables = Config(RepositoryEnv(path))
    if _value(variables, "APP_ENV", "development") == "production":
        raise DevError("APP_ENV=production: this serves demo data; set APP_ENV=development", MISCONFIGURED)
    return Settings(
        port=_port(variables, "PORT", "3001"),
        db_host=_value(variables, "DB_HOST", "127.0.0.1"),
        db_port=_port(variables, "DB_PORT", "5432"),
        db_owner_user=_value(variables, "DB_OWNER_USER", "postgres"),
        db_owner_password=_secret(variables, "DB_OWNER_PASSWORD"),
    )


def _value(variables: Config, name: str, default: str = "") -> str:
    # An empty variable counts as not given, as it does for the application.
    return str(variables(name, default="") or default)


def _port(variables: Config, name: str, default: str) -> int:
    value = _value(variables, name, default)
    if value.isdecimal() and 0 < int(value) < 1 << 16:
        return int(value)
    raise DevError(f"{name}={value} is no port: set a number from 1 to 65535", MISCONFIGURED)


def _secret(variables: Config, name: str) -> str:
    secret = _value(variables, name)
    file = _value(variables, f"{name}_FILE")
    try:
        secret = Path(file).read_text().rstrip("\r\n") if file else secret
    except OSError as error:
        raise DevError(f"{name}_FILE={file} cannot be read: {error.strerror}", MISCONFIGURED) from error
    if not secret:
        raise DevError(f"{name} is missing: set it in .env", MISCONFIGURED)
    return secret
