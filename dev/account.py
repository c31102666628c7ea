"""The account a server runs as: PostgreSQL refuses to run as root."""

import hashlib
import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev import DevError

CANDIDATES = ("postgres", "nobody")
# Where root keeps what the server's account cannot reach because it lies in a closed home.
OUTSIDE = Path("/var/lib/fixapp-dev")


@dataclass(frozen=True)
class Account:
    """An existing account of this machine; none is made and no folder's mode is loosened for it."""

    uid: int
    gid: int

    @property
    def options(self) -> dict[str, Any]:
        """Return what makes `subprocess` start a program as this account."""
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def reaches(self, path: Path) -> bool:
        """Tell whether this account may enter a folder, or run a program."""
        return subprocess.run(["test", "-x", path], cwd="/", check=False, **self.options).returncode == 0

    def own(self, path: Path) -> Path:
        """Give a file or folder to this account, and to nobody else."""
        path.chmod(0o700 if path.is_dir() else 0o600)
        if self.uid != os.geteuid():
            os.chown(path, self.uid, self.gid)
        return path

    def folder(self, path: Path) -> Path:
        """Make a folder for this account alone; it lies elsewhere where the account cannot reach `path`."""
        if not self.reaches(path.parent):
            path = outside(path.name.lstrip("."), str(path))
        if not path.exists():
            path.mkdir(exist_ok=True)
            self.own(path)
        return path


def of_server() -> Account:
    """Choose who runs a new server: this user, or under root 'postgres', else 'nobody'.

    Raises DevError where root finds neither.
    """
    if os.geteuid():
        return Account(os.geteuid(), os.getegid())
    for name in CANDIDATES:
        try:
            known = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(known.pw_uid, known.pw_gid)
    raise DevError(
        "PostgreSQL refuses root, and no 'postgres' or 'nobody' account is here: run as another user"
    )


def of_folder(path: Path) -> Account:
    """Return a folder's owner, who also runs the server in it.

    Raises DevError where that is somebody this user cannot act for.
    """
    owner = path.stat()
    if os.geteuid() not in (0, owner.st_uid):
        raise DevError(f"{path} belongs to another user (made with sudo?): remove it as that user")
    return Account(owner.st_uid, owner.st_gid)


def outside(kind: str, *key: str) -> Path:
    """Name a place outside every home, always the same one for the same key; the folder above it is made."""
    OUTSIDE.mkdir(exist_ok=True)
    OUTSIDE.chmod(0o755)  # a strict umask would close it to the very account it is for
    return OUTSIDE / f"{kind}-{hashlib.sha256(repr(key).encode()).hexdigest()[:12]}"
