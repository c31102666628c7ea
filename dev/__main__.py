"""`python -m dev run` and `python -m dev stop`."""

import sys
from pathlib import Path

from dev import DevError
from dev.home import Home
from dev.run import run

PROJECT = Path(__file__).resolve().parent.parent
USAGE = 64  # the exit code of sysexits.h


def main(arguments: list[str]) -> int:
    """Do what the command line says and return the exit code."""
    match arguments:
        case ["run"]:
            return run(PROJECT)
        case ["stop"]:
            print(Home(PROJECT).stop())
            return 0
    print("python -m dev run|stop", file=sys.stderr)
    return USAGE


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except DevError as error:
        print(f"✗ {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:  # a file that cannot be read or written, which the text names
        print(f"✗ {error}", file=sys.stderr)
        sys.exit(1)
