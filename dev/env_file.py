"""The file .env: made from .env.example and kept complete, read for what starts a development server.

Each variable whose example says change-me is a secret that is made here: a new one is one line there.
"""

import fcntl
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from decouple import Config, RepositoryEnv

from dev import MISCONFIGURED, DevError

PLACEHOLDER = re.compile(r"""^(?P<name>\w+)=\s*["']?change-me.*$""", re.MULTILINE)


@dataclass(frozen=True)
class Settings:
    """What `make run` has to know; everything else is the application's business."""

    port: int
    db_host: str
    db_port: int
    db_owner_user: str
    db_owner_password: str
    # what holds for one run only, because the environment says other than the file: "PORT=3333 DB_PORT=5433"
    passing: str = ""


def create(example: Path, target: Path) -> bool:
    """Copy the example with fresh secrets, readable by this user only; tell whether there was none before.

    A file that exists is never replaced, not even when two processes come at once.
    """
    if target.exists():
        return False
    text = PLACEHOLDER.sub(lambda line: _fresh(line["name"]), example.read_text())
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


def complete(example: Path, target: Path) -> list[str]:
    """Add the secrets that came to the example since the file was made; return their names.

    What the file or the environment gives stays as it is; two processes at once add nothing twice.
    """
    if not _missing(example, target):
        return []
    with target.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        names = _missing(example, target)
        whole = file.read().endswith("\n") or not file.tell()
        file.write("".join(["" if whole else "\n", *(f"{_fresh(name)}\n" for name in names)]))
    return names


def _missing(example: Path, target: Path) -> list[str]:
    given = {name.removesuffix("_FILE") for name in (*RepositoryEnv(str(target)).data, *os.environ)}
    return [name for name in PLACEHOLDER.findall(example.read_text()) if name not in given]


def _fresh(name: str) -> str:
    # 64 hex digits are a good password and a good key: no secret needs another form
    return f"{name}={secrets.token_hex(32)}"


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
        passing=_passing(path),
    )


def _passing(path: Path) -> str:
    kept = RepositoryEnv(str(path)).data
    given = {name: os.environ.get(name, "") for name in ("PORT", "DB_HOST", "DB_PORT")}
    return " ".join(f"{name}={value}" for name, value in given.items() if value and value != kept.get(name))


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
