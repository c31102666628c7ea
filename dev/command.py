"""The application's own commands."""

import os
import subprocess
import sys
from pathlib import Path

from dev import DevError


def flask(project: Path, *arguments: str) -> str:
    """Run a command of the application and return what it prints.

    Raises DevError with the command's own complaint and exit code.
    """
    result = subprocess.run(
        [sys.executable, "-m", "flask", *arguments],
        cwd=project,
        env=os.environ | {"FLASK_SKIP_DOTENV": "1"},  # the application reads .env itself
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,  # Ctrl-C is for us; a command of ours is then ended without its traceback
    )
    if result.returncode:
        complaint = f"flask {' '.join(arguments)}\n{result.stdout}{result.stderr}".strip()
        # A program that a signal ended has a negative code here and 128 more in every shell.
        raise DevError(complaint, result.returncode if result.returncode > 0 else 128 - result.returncode)
    return result.stdout
